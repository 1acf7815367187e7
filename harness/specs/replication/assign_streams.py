"""Assign to a trial the seeds of its sources of randomness, as its experiment declares them."""

from __future__ import annotations

from typing import Any

from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.trial import Trial
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.specs.replication.replicate import Replication
from harness.specs.replication.sources import SEEDS, Source, StreamSeeds


def varied_sources(experiment: Experiment) -> tuple[Source, ...]:
    """Return the sources of randomness that differ between the seeds of an experiment."""
    return experiment.replicate.vary if experiment.variance is None else experiment.variance.sources


def replication_key(experiment: Experiment) -> str:
    """Return what the seeds vary as text, empty by default: two comparisons over other sources are not the same."""
    return "" if experiment.replicate == Replication() else canonical(experiment.replicate.model_dump(mode="json"))


def draws_augmentation(variant: AnyVariant, recipe: Recipe) -> bool:
    """Return whether the source ``augmentation`` decides anything: random crops, or draws of the network itself."""
    return recipe.augment != "none" or variant.is_stochastic


def assign_streams(trial: Trial, experiment: Experiment) -> Trial:
    """Return a trial with the seeds of its sources.

    Only seeds that differ from the trial's own are given to it, and none to a source that decides nothing. Equal
    computations therefore have equal ids, and by default a trial stays as it is.
    """
    design = experiment.variance or experiment.replicate
    seeds = design.seeds(trial.seed)
    split = (trial.data.split_seed + seeds.pop("split")) % SEEDS
    if not draws_augmentation(trial.variant, trial.recipe):
        del seeds["augmentation"]
    streams: dict[str, Any] = {source: seed for source, seed in seeds.items() if seed != trial.seed}
    if split != trial.data.split_seed:
        streams["split"] = split
    # Validation would copy the variant, which takes longer than the rest of a plan.
    return trial.model_copy(update={"streams": StreamSeeds(**streams)}) if streams else trial
