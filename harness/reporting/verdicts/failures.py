"""Trials that failed to train: diverged ones, and those that stay at the loss and the error of guessing.

Neither is degradation. A diverged trial counts at chance error, and an untrained one has that error anyway, so both can
make two variants look different. Verdicts are therefore made with and without them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import ONLINE_TRAINING_LOSS, TRAINING_ERRORS

MOST = 0.5
"""A variant is untrainable if more than this share of its seeds is untrained."""


@dataclass(frozen=True)
class Failures:
    """Failed trials among the compared variants of one contrast.

    Attributes:
        diverged: (variant, seed) of trials that diverged.
        untrained: (variant, seed) of trials that stay at chance.
        untrainable: Variants of which most seeds stay at chance.
        seeds: Seeds to leave out in the verdict without failures: those of failed trials, and all if a variant is
            untrainable, because without it there is nothing to compare.
    """

    diverged: tuple[tuple[str, int], ...] = ()
    untrained: tuple[tuple[str, int], ...] = ()
    untrainable: tuple[str, ...] = ()
    seeds: frozenset[int] = frozenset()


def find_failures(study: ResolvedExperiment, final: pd.DataFrame, names: Collection[str]) -> Failures:
    """Return the failed trials of some variants.

    Args:
        final: The last epoch of every trial, one row each.
        names: Names of the compared variants.
    """
    # Arrays, because selecting rows of a frame takes most of the time of a decision.
    variants, seeds_of = final["variant"].to_numpy(), final["seed"].to_numpy()
    is_diverged = final["outcome"].to_numpy() == TrialStatus.DIVERGED
    is_compared = np.isin(variants.astype(str), list(names))

    def list_trials(rows: NDArray[np.bool_]) -> tuple[tuple[str, int], ...]:
        rows = rows & is_compared
        return tuple(zip(variants[rows].tolist(), seeds_of[rows].tolist(), strict=True))

    diverged, untrained = list_trials(is_diverged), list_trials(find_untrained(study, final) & ~is_diverged)
    recorded = Counter(variants.tolist())
    failed = Counter(name for name, _ in untrained)
    untrainable = tuple(name for name in names if failed[name] > MOST * recorded[name])
    seeds = study.experiment.seeds if untrainable else [seed for _, seed in (*diverged, *untrained)]
    return Failures(diverged, untrained, untrainable, frozenset(seeds))


def find_untrained(study: ResolvedExperiment, final: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows, each the last epoch of a trial, show the loss and both training errors of guessing.

    A network that has learned nothing has a loss of log(classes). Both may be a declared share lower.
    """
    share = 1 - study.experiment.untrained_tolerance
    errors = np.stack([final[metric].to_numpy(dtype=np.float64) for metric in TRAINING_ERRORS])
    # An error that was not measured does not count.
    is_measured, at_chance = np.isfinite(errors), errors >= share * study.data.chance_error
    loss = final[ONLINE_TRAINING_LOSS].to_numpy(dtype=np.float64) >= share * math.log(study.data.classes)
    return np.asarray(loss & (at_chance | ~is_measured).all(axis=0) & is_measured.any(axis=0), dtype=np.bool_)
