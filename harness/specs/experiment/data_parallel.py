"""Data-parallel trials: which images each worker sees, and when that changes results."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import HarnessError
from harness.specs.experiment.execution import Resources
from harness.specs.experiment.recipe import Recipe
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant

MIN_WORKER_BATCH = 2
"""Fewest images of a batch on one worker: BatchNorm has no variance of a single value."""


def depends_on_shard(variant: AnyVariant, sync_norm: bool = False) -> bool:
    """Return whether results change if each worker computes a part of the batch.

    They do with BatchNorm that is not synchronised, and with random draws for each image. An external network is
    assumed to have BatchNorm, because its layers are unknown.
    """
    has_batch_norm = not isinstance(variant, Variant) or variant.norm == "batch"
    return variant.is_stochastic or (has_batch_norm and not sync_norm)


def require_workers(variants: Iterable[AnyVariant], recipe: Recipe, resources: Resources) -> None:
    """Refuse a number of workers that does not fit the recipe.

    The recipe must declare ``worker_batch`` if it changes results. Otherwise a trial on two workers would get the id
    of a trial on one worker, with other results.

    Raises:
        HarnessError: The workers cannot share a batch equally, share it in another way than the recipe declares, or
            cannot run SyncBatchNorm.
    """
    workers = resources.workers
    if recipe.sync_norm and not resources.gpus:
        raise HarnessError(
            "SyncBatchNorm runs on GPUs only, and these trials run on CPUs",
            where="recipe.sync_norm",
            remedy="Give each worker a GPU (resources.gpus=1), or remove sync_norm and set recipe.worker_batch.",
        )
    if recipe.sync_norm and workers == 1:
        raise HarnessError(
            "sync_norm has no effect with one worker, whose BatchNorm sees the whole batch",
            where="recipe.sync_norm",
            remedy="Remove sync_norm, or set resources.workers.",
        )
    if workers == 1:
        if recipe.worker_batch is not None:
            raise HarnessError(
                f"worker_batch {recipe.worker_batch} with batch {recipe.batch} needs "
                f"{recipe.batch // recipe.worker_batch} workers, but resources.workers is 1",
                where="recipe.worker_batch",
                remedy=f"Set resources.workers={recipe.batch // recipe.worker_batch}, or remove worker_batch. To "
                "normalise over fewer images on one worker, use recipe.micro_batch.",
            )
        return
    _require_equal_shares(recipe, workers)
    dependent = next((variant for variant in variants if depends_on_shard(variant, recipe.sync_norm)), None)
    if dependent is not None and recipe.worker_batch is None:
        share = recipe.batch // workers
        raise HarnessError(
            f"with {workers} workers, {dependent.name} sees only {share} of the {recipe.batch} images of a batch at "
            "once, which changes its results",
            where="recipe.worker_batch",
            remedy=f"To accept this, --set recipe.worker_batch={share}: the trial then has another id than on one "
            "worker. Or use norm: group, which gives the same results on any number of workers.",
        )


def _require_equal_shares(recipe: Recipe, workers: int) -> None:
    """Refuse a batch that the workers cannot share equally, or that they share in another way than declared."""
    share = recipe.batch // workers
    if recipe.batch % workers or share < MIN_WORKER_BATCH:
        raise HarnessError(
            f"{workers} workers cannot share a batch of {recipe.batch} images equally, with at least "
            f"{MIN_WORKER_BATCH} images each",
            where="resources.workers",
            remedy="Use a number of workers that divides the batch.",
        )
    if recipe.micro_batch is not None and share % recipe.micro_batch:
        raise HarnessError(
            f"micro_batch {recipe.micro_batch} does not divide the {share} images of a batch on each worker",
            where="recipe.micro_batch",
            remedy=f"Use a micro_batch that divides {share}.",
        )
    if recipe.worker_batch is not None and recipe.worker_batch != share:
        raise HarnessError(
            f"worker_batch is {recipe.worker_batch}, but each of {workers} workers takes {share} images of a batch of "
            f"{recipe.batch}",
            where="recipe.worker_batch",
            remedy=f"Set recipe.worker_batch={share}, or resources.workers={recipe.batch // recipe.worker_batch}.",
        )
