"""Checks before anything is written: the experiment can be trained, and its contrasts can be decided."""

from __future__ import annotations

from harness.costs.complexity import compute_static_costs
from harness.data.description import require_image_files
from harness.errors import HarnessError
from harness.experiments.planning.estimate import estimate_seconds, network_costs
from harness.experiments.planning.seed_requirements import require_enough_seeds
from harness.experiments.planning.target_requirements import require_measurable_targets
from harness.specs import Degradation, ExternalNetwork, ResolvedExperiment, Trial, Variant
from harness.specs.experiment.data_parallel import require_workers
from harness.specs.network.layer_plan import require_input
from harness.specs.replication.effective_sources import require_effective_sources

MOST_PARAMETERS = 2_000_000_000
"""Values, gradients and momenta of so many take 24 GB. The largest published ResNets have half as many."""
MOST_YEARS = 30
"""Longest estimated time of one trial. Times of thousands of years could not even be printed."""
SECONDS_PER_YEAR = 365.25 * 24 * 3600
FEWEST_IMAGES = 2
"""Fewest training images that the margin of a contrast must correspond to."""


def count_external_layers(study: ResolvedExperiment) -> ResolvedExperiment:
    """Return the experiment with the layers of external networks counted; builds each of them once.

    Raises:
        HarnessError: An external network cannot be built, does not accept the data's images, or cannot be trained.
    """
    layers: dict[str, int] = {}
    for view in study.views:
        for variant in view.variants:
            if isinstance(variant, ExternalNetwork):
                # Each data set has other images and classes, with which the network has to be built.
                costs = compute_static_costs(variant, view.data.size, is_fresh=True)
                layers.setdefault(variant.name, costs.layers)
    variants = tuple(
        v.model_copy(update={"layers": layers[v.name]}) if isinstance(v, ExternalNetwork) else v for v in study.variants
    )
    return study if variants == study.variants else study.replace(variants=variants)


def require_trainable(study: ResolvedExperiment) -> None:
    """Check that every trial of an experiment can be trained, and that its seeds can decide its contrasts.

    Raises:
        HarnessError: The batch or the augmentation does not fit the data, a network is too large, a trial would take
            too long, a target is never measured or always reached, or the declared contrasts can never be decided.
    """
    for view in study.views:
        _require_fitting_data(view)
        require_effective_sources(view)
    require_measurable_targets(study)
    require_enough_seeds(study)


def _require_fitting_data(study: ResolvedExperiment) -> None:
    """Check that recipe, networks and margins fit one data set."""
    recipe, data = study.experiment.recipe, study.data
    if recipe.batch > data.train:
        raise HarnessError(
            f"a batch of {recipe.batch} is larger than the {data.train} training images of {data.name}",
            where="recipe.batch",
            remedy=f"Use at most {data.train}.",
        )
    if recipe.crop_padding >= min(data.size) and recipe.augment in ("crop", "crop-flip"):
        raise HarnessError(
            f"with a padding of {recipe.crop_padding} pixels, a crop can miss an image of {data.size[0]} pixels "
            "completely",
            where="recipe.crop_padding",
            remedy=f"Use at most {min(data.size) - 1}.",
        )
    require_image_files(study.data_spec, recipe.augment)
    require_workers(study.variants, recipe, study.experiment.resources)
    _require_affordable_networks(study)
    _require_margins(study)


def _require_affordable_networks(study: ResolvedExperiment) -> None:
    """Check the size and the training time of each network by its layer plan, before anything is allocated."""
    experiment = study.experiment
    for variant in study.variants:
        if isinstance(variant, Variant):
            require_input(variant, study.data.size)
        parameters, _ = network_costs(variant, study.data.size)
        if parameters > MOST_PARAMETERS:
            raise HarnessError(
                f"{variant.name} has {parameters:,} parameters",
                where="variants",
                remedy=f"Use smaller widths. Networks of at most {MOST_PARAMETERS:,} parameters can be trained.",
            )
        trial = Trial(variant=variant, data=study.data_spec, recipe=experiment.recipe, seed=experiment.seeds[0])
        years = estimate_seconds(trial, study) / SECONDS_PER_YEAR
        if years > MOST_YEARS:
            raise HarnessError(
                f"one trial of {variant.name} would take about {years:,.0f} years",
                where="recipe.epochs",
                remedy="Use fewer epochs, smaller networks or smaller images.",
            )


def _require_margins(study: ResolvedExperiment) -> None:
    """Check that the margin of each contrast is not finer than an error is measured, nor larger than an error can be.

    No error rises by more than that of guessing, because a diverged trial counts with it.
    """
    images, largest = study.data.train, study.data.chance_error
    for index, contrast in enumerate(study.experiment.contrasts):
        if not isinstance(contrast, Degradation):
            continue
        if contrast.margin * images / 100 < FEWEST_IMAGES:
            raise HarnessError(
                f"a margin of {contrast.margin:g} is less than {FEWEST_IMAGES} of the {images} training images",
                where="contrasts",
                remedy=f"Use a margin of at least {100 * FEWEST_IMAGES / images:.2g}.",
            )
        for field, value in (("margin", contrast.margin), ("smallest_effect", contrast.smallest_effect or 0.0)):
            if value >= largest:
                raise HarnessError(
                    f"no training error rises by {value:g} points: that of guessing is {largest:g} %",
                    where=f"contrasts.{index}.{field}",
                    remedy="Use the smallest change that is of interest, such as 0.5.",
                )
