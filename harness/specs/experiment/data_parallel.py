"""Trials of several workers: what each of them sees, and what of that decides results."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import HarnessError
from harness.specs.experiment.execution import Resources
from harness.specs.experiment.recipe import Recipe
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant

LEAST = 2
"""Images of a worker's share of a batch: BatchNorm has no variance of a single value."""


def depends_on_shard(variant: AnyVariant, sync_norm: bool = False) -> bool:
    """Whether a network gives other results where each worker has a part of the batch.

    BatchNorm does, unless it is synchronised, and what draws at random for each image. A network of another library
    is taken to have BatchNorm, since nobody knows.
    """
    normed = not isinstance(variant, Variant) or variant.norm == "batch"
    return variant.is_stochastic or (normed and not sync_norm)


def require_workers(variants: Iterable[AnyVariant], recipe: Recipe, resources: Resources) -> None:
    """Refuse a trial of several workers whose recipe does not say what they see.

    Without that a trial on two workers would be recorded as the same as one on a single worker, and is not.

    Raises:
        HarnessError: A batch that the workers cannot share equally, one that they share otherwise than declared, or
            SyncBatchNorm where it is not to be had.
    """
    workers, share = resources.workers, recipe.batch // resources.workers
    if recipe.sync_norm and not resources.gpus:
        raise HarnessError(
            "SyncBatchNorm runs on GPUs only, and trials are on the CPU here",
            where="recipe.sync_norm",
            remedy="Give each worker a GPU (resources.gpus=1), or leave it out and declare recipe.worker_batch.",
        )
    if recipe.sync_norm and workers == 1:
        raise HarnessError(
            "there is one worker, whose BatchNorm sees the whole batch anyway",
            where="recipe.sync_norm",
            remedy="Leave it out, or set resources.workers.",
        )
    if workers == 1:
        if recipe.worker_batch is not None:
            raise HarnessError(
                f"trials of {recipe.batch // recipe.worker_batch} workers are declared, and they get one",
                where="recipe.worker_batch",
                remedy=f"Set resources.workers={recipe.batch // recipe.worker_batch}, or leave worker_batch out. On "
                "one worker recipe.micro_batch has BatchNorm see fewer images.",
            )
        return
    if recipe.batch % workers or share < LEAST:
        raise HarnessError(
            f"{workers} workers cannot share a batch of {recipe.batch} equally, with {LEAST} images each or more",
            where="resources.workers",
            remedy="Use a number of workers that divides the batch.",
        )
    if recipe.micro_batch is not None and share % recipe.micro_batch:
        raise HarnessError(
            f"micro-batches of {recipe.micro_batch} do not divide the {share} images of a worker",
            where="recipe.micro_batch",
            remedy=f"Use a divisor of {share}.",
        )
    if recipe.worker_batch is not None and recipe.worker_batch != share:
        raise HarnessError(
            f"each of {workers} workers takes {share} images of a batch of {recipe.batch}, not {recipe.worker_batch}",
            where="recipe.worker_batch",
            remedy=f"Declare {share}, or set resources.workers={recipe.batch // recipe.worker_batch}.",
        )
    seeing = next((variant for variant in variants if depends_on_shard(variant, recipe.sync_norm)), None)
    if seeing is not None and recipe.worker_batch is None:
        raise HarnessError(
            f"on each of {workers} workers {seeing.name} sees {share} of the {recipe.batch} images of a batch, which "
            "changes its results",
            where="recipe.worker_batch",
            remedy=f"Declare it with --set recipe.worker_batch={share}, which makes it another trial than that of one "
            "worker. Or use norm: group, whose results are the same.",
        )
