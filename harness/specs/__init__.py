"""Specs: immutable descriptions of networks, experiments and trials, with their YAML files and hashes.

The names below are those that other packages use most.
"""

from harness.specs.catalogue.catalogue import Catalogue
from harness.specs.catalogue.resolve import (
    find_experiment,
    load_experiment,
    require_no_code,
    require_variant_without_code,
    resolve,
)
from harness.specs.experiment.contrasts import Contrast, Degradation, Difference
from harness.specs.experiment.data import DataInfo, DataSpec
from harness.specs.experiment.execution import Execution, Resources
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.resolved_experiment import ResolvedExperiment
from harness.specs.experiment.search_space import Sample, SearchSpec
from harness.specs.experiment.trial import Trial
from harness.specs.network.external import ExternalNetwork
from harness.specs.network.layer_plan import LayerPlan
from harness.specs.network.variant import Variant

__all__ = [
    "Catalogue",
    "Contrast",
    "DataInfo",
    "DataSpec",
    "Degradation",
    "Difference",
    "Execution",
    "Experiment",
    "ExternalNetwork",
    "LayerPlan",
    "Recipe",
    "ResolvedExperiment",
    "Resources",
    "Sample",
    "SearchSpec",
    "Trial",
    "Variant",
    "find_experiment",
    "load_experiment",
    "require_no_code",
    "require_variant_without_code",
    "resolve",
]
