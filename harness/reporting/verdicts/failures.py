"""Trials that failed to train: diverged ones, and those that stay at the loss and the error of guessing.

Neither is degradation. A diverged trial counts at chance error, and an untrained one has that error anyway, so both can
make two variants look different. Verdicts are therefore made with and without them.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

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
    rows = final[final["variant"].isin(list(names))]
    diverged = _list_trials(rows[rows["outcome"] == TrialStatus.DIVERGED])
    untrained = _list_trials(rows[is_untrained(study, rows)])
    recorded = rows.groupby("variant", sort=False)["seed"].count()
    untrainable = tuple(
        name for name in names if sum(variant == name for variant, _ in untrained) > MOST * recorded.get(name, 0)
    )
    seeds = study.experiment.seeds if untrainable else [seed for _, seed in (*diverged, *untrained)]
    return Failures(diverged, untrained, untrainable, frozenset(seeds))


def is_untrained(study: ResolvedExperiment, rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows, each the last epoch of a trial, show the loss and both training errors of guessing.

    A network that has learned nothing has a loss of log(classes). Both may be a declared share lower.
    """
    share = 1 - study.experiment.untrained_tolerance
    errors = rows[list(TRAINING_ERRORS)]
    # An error that was not measured does not count.
    at_chance = (errors.isna() | (errors >= share * study.data.chance_error)).all(axis=1) & errors.notna().any(axis=1)
    loss = rows[ONLINE_TRAINING_LOSS] >= share * math.log(study.data.classes)
    return (rows["outcome"] != TrialStatus.DIVERGED) & at_chance & loss


def _list_trials(rows: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    return tuple(zip(rows["variant"].tolist(), rows["seed"].tolist(), strict=True))
