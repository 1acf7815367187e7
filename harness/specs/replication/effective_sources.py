"""Check that the sources of randomness that the seeds vary decide something."""

from __future__ import annotations

from harness.errors import HarnessError
from harness.specs.experiment.resolved_experiment import ResolvedExperiment
from harness.specs.replication.assign_streams import draws_augmentation, varied_sources


def require_effective_sources(study: ResolvedExperiment) -> None:
    """Check that the sources that the seeds vary decide something in every trial on one data set.

    Raises:
        HarnessError: Nothing is drawn for a source of a crossed design, or for the only source that the seeds vary;
            or the split is varied, and no split of the data set depends on a seed.
    """
    experiment, data, spec = study.experiment, study.data, study.data_spec
    field = "replicate" if experiment.variance is None else "variance"
    sources = varied_sources(experiment)
    if "split" in sources and data.has_own_test and not spec.val_fraction and spec.train_images is None:
        raise HarnessError(
            f"{data.name} has a test split of its own, and all its other images are for training, so no split can vary",
            where=field,
            remedy="Remove split; or set data.val_fraction or data.train_images, so that each seed trains on another "
            "stratified part of the training images. The test images stay the same.",
        )
    unmoved = [v.name for v in study.variants if not draws_augmentation(v, experiment.recipe)]
    if "augmentation" in sources and unmoved and (experiment.variance is not None or len(sources) == 1):
        raise HarnessError(
            f"nothing is drawn for augmentation in {unmoved[0]}: recipe.augment is none, and the network has no "
            "dropout and no stochastic depth",
            where=field,
            remedy="Remove augmentation from the sources, or set recipe.augment.",
        )
