"""Frozen specs, their YAML files, their identity, and the layer plan. No torch, ray or mlflow here."""

from harness.specs.catalogue import Catalogue
from harness.specs.contrasts import Contrast, Degradation, Difference
from harness.specs.expansion import LayerPlan
from harness.specs.experiment import DataInfo, Experiment
from harness.specs.foreign import Foreign
from harness.specs.recipe import DataSpec, Execution, Recipe, Resources
from harness.specs.resolving import find_experiment, load_experiment, resolve
from harness.specs.study import Study
from harness.specs.trial import Trial
from harness.specs.tuning import Sample, Tuning
from harness.specs.variant import Variant

__all__ = [
    "Catalogue",
    "Contrast",
    "DataInfo",
    "DataSpec",
    "Degradation",
    "Difference",
    "Execution",
    "Experiment",
    "Foreign",
    "LayerPlan",
    "Recipe",
    "Resources",
    "Sample",
    "Study",
    "Trial",
    "Tuning",
    "Variant",
    "find_experiment",
    "load_experiment",
    "resolve",
]
