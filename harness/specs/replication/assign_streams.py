"""Assign to a trial the seeds of its sources of randomness, as its experiment declares them."""

from __future__ import annotations

from typing import Any

from harness.errors import HarnessError
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.trial import Trial
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.specs.replication.replicate import Replication
from harness.specs.replication.sources import SEEDS, SOURCES, Source, StreamSeeds


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


def require_effective_sources(experiment: Experiment, variants: tuple[AnyVariant, ...], data: DataInfo) -> None:
    """Check that the sources that the seeds vary decide something in every trial.

    Raises:
        HarnessError: Nothing is drawn for a source of a crossed design, or for any source that the seeds vary; or the
            split is varied, and the data set has a fixed split.
    """
    field = "replicate" if experiment.variance is None else "variance.sources"
    sources = varied_sources(experiment)
    spec = experiment.data
    if "split" in sources and data.has_own_test and not spec.val_fraction and spec.train_images is None:
        raise HarnessError(
            f"{data.name} has a test split of its own, and all its other images are for training, so no split can vary",
            where=field,
            remedy="Remove split; or set data.val_fraction or data.train_images, so that each seed trains on another "
            "stratified part of the training images. The test images stay the same.",
        )
    still = [v.name for v in variants if not draws_augmentation(v, experiment.recipe)]
    alone = experiment.variance is not None or sources == ("augmentation",)
    if "augmentation" in sources and still and alone:
        raise HarnessError(
            f"nothing is drawn for augmentation in {still[0]}: recipe.augment is none, and the network has no dropout "
            "and no stochastic depth",
            where=field,
            remedy=f"Remove augmentation, or set recipe.augment. The other sources are {_list_others()}.",
        )


def _list_others() -> str:
    return ", ".join(source for source in SOURCES if source != "augmentation")
