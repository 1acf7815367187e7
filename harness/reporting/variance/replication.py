"""Sentences on what the seeds of an experiment vary, and on what its conclusions are conditional."""

from __future__ import annotations

from harness.reporting.formatting import join_words
from harness.specs import ResolvedExperiment
from harness.specs.replication.assign_streams import draws_augmentation, varied_sources
from harness.specs.replication.sources import SOURCES, Source

NAMES: dict[Source, str] = {
    "initialisation": "the initialisation",
    "order": "the order of the images",
    "augmentation": "the augmentation",
    "split": "the split",
}


def describe_replication(study: ResolvedExperiment) -> str:
    """Return in two or three sentences what the seeds vary, and on what conclusions are conditional.

    Args:
        study: An experiment on one data set, or the view of one.
    """
    varied, held = _effective_sources(study)
    over = f"The seeds vary {join_words(NAMES[source] for source in varied)}."
    conditions = [_describe_held(study, source) for source in held]
    if "split" in varied and study.data.has_own_test:
        over += " Each seed trains on another part of the training images; the test images are the same for all."
        conditions.append("the test images")
    machine = ["the data set", "the recipe", "the machine"]
    return f"{over} Conclusions hold over {'that' if len(varied) == 1 else 'those'}, and are conditional on " + (
        f"{join_words([*conditions, *machine])}."
    )


def describe_varied(study: ResolvedExperiment) -> str:
    """Return in one short sentence what the seeds vary, for a verdict."""
    varied, _ = _effective_sources(study)
    return f"The seeds vary {join_words(NAMES[source] for source in varied)}."


def varies_test_images(study: ResolvedExperiment) -> bool:
    """Return whether each seed has test images of its own, so that intervals over seeds include their choice."""
    return "split" in varied_sources(study.experiment) and not study.data.has_own_test


def describe_test_images(study: ResolvedExperiment) -> str:
    """Return whether intervals over seeds include the choice of the test images."""
    if varies_test_images(study):
        return (
            "Each seed has its own test images, so intervals over seeds include which images of this data set are "
            "tested. They do not include the uncertainty over images of other data."
        )
    return "Intervals over seeds hold for this split only; they do not include the uncertainty over images."


def describe_split_seed(study: ResolvedExperiment) -> str:
    """Return which seed the split of each trial has."""
    seed = study.data_spec.split_seed
    if "split" not in varied_sources(study.experiment):
        return f"split seed {seed}"
    own = "the trial's seed" if study.experiment.variance is None else "a seed of the crossed design"
    return f"split seed {seed} + {own}" if seed else f"split seed: {own}"


def _effective_sources(study: ResolvedExperiment) -> tuple[list[Source], list[Source]]:
    """Return the sources that the seeds vary, and those that are held; a source that draws nothing is in neither."""
    recipe = study.experiment.recipe
    draws = any(draws_augmentation(variant, recipe) for variant in study.variants)
    sources = [source for source in SOURCES if draws or source != "augmentation"]
    varied = varied_sources(study.experiment)
    return [s for s in sources if s in varied], [s for s in sources if s not in varied]


def _describe_held(study: ResolvedExperiment, source: Source) -> str:
    if source == "split":
        # Nothing of a fixed test split depends on the seed, unless training images are held out or left out.
        spec = study.data_spec
        is_fixed = study.data.has_own_test and not spec.val_fraction and spec.train_images is None
        return "the data set's own split" if is_fixed else f"one split (split seed {spec.split_seed})"
    design = study.experiment.variance or study.experiment.replicate
    return f"one {NAMES[source].removeprefix('the ')} (seed {design.hold_at})"
