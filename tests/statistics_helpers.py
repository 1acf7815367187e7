"""Simulated experiments for tests of statistics: differences of pairs, and how often tests reject them."""

import math

import numpy as np

from harness.reporting.statistics.skew import find_skew_against, robust_p_values
from harness.reporting.statistics.stage_test import run_stage_tests, spent_levels

EXPERIMENTS = 2_000


def share_error(nominal, experiments=EXPERIMENTS):
    """Return four standard errors of a simulated share."""
    return 4 * math.sqrt(nominal * (1 - nominal) / experiments)


def fixed_p_values(x, side="greater", shift=0.0):
    """Return p of the sign-flip test of each row; from 11 pairs on over 1,000 assignments, to be fast."""
    return run_stage_tests(x, side, shift, [x.shape[-1]], [0.0], exact_pairs=10, flips=999).p


def decide_fixed(x, shift=0.0, level=0.05, side="greater"):
    """Return the stage of each row at which a fixed design decides: the number of pairs, or 0."""
    return np.where(fixed_p_values(x, side, shift) <= level, x.shape[-1], 0)


def decide_at_looks(x, looks, shift=0.0, level=0.05, side="greater"):
    """Return the first look of each row that rejects at its equal share of the level, or 0."""
    stages = np.zeros(len(x), dtype=int)
    for look in reversed(looks):
        stages[fixed_p_values(x[:, :look], side, shift) <= level / len(looks)] = look
    return stages


def decide_by_spending(x, stages, shift=0.0, level=0.05, side="greater"):
    """Return the first stage of each row that rejects with Lan and DeMets's spending, or 0."""
    return run_stage_tests(x, side, shift, stages, spent_levels(level, stages), exact_pairs=8, flips=999).stage


def mean_pairs(stages, most):
    """Return the mean number of pairs at which experiments end."""
    return float(np.where(stages > 0, stages, most).mean())


def read_twice(x, side="less", most=0.05):
    """Return p of the first reading of the bound 0, which rows have a long tail against it, and p of the second.

    Args:
        most: p of the second reading is computed where that of the first is at most this, and is 1 elsewhere.
    """
    first, robust = fixed_p_values(x, side), np.ones(len(x))
    doubted = first <= most
    if doubted.any():
        robust[doubted] = robust_p_values(x[doubted], side, 0.0)
    return first, find_skew_against(x, side), robust


def read_in_stages(x, stages, level, side="less"):
    """Return the stage at which each row is decided by both readings, or 0, and which rows are decided with a warning.

    As in a verdict, a stage decides if it or an earlier one rejects, and if the check finds no skew at this stage or
    the second reading passes the level spent up to it.
    """
    spent = spent_levels(level, stages)
    rejected_at = run_stage_tests(x, side, 0.0, stages, spent, exact_pairs=8, flips=999).stage
    decided, warned = np.zeros(len(x), dtype=int), np.zeros(len(x), dtype=bool)
    for stage, stage_level in zip(stages, spent, strict=True):
        is_open = np.flatnonzero((decided == 0) & (rejected_at > 0) & (rejected_at <= stage))
        pairs = x[is_open, :stage]
        is_skewed = find_skew_against(pairs, side)
        is_confirmed = ~is_skewed | (robust_p_values(pairs, side, 0.0) <= stage_level)
        decided[is_open[is_confirmed]] = stage
        warned[is_open[is_confirmed & is_skewed]] = True
    return decided, warned


def draw_skewed(name, experiments, n, generator):
    """Return differences (experiments, n) with mean 0; those that are not normal have their long tail above 0."""
    if name == "normal":
        return generator.normal(size=(experiments, n))
    if name == "lognormal":
        return np.exp(generator.normal(size=(experiments, n))) - math.exp(0.5)
    if name == "failing seeds":  # 5 % of the seeds are 20 points worse.
        return generator.normal(-1, 0.25, (experiments, n)) + 20 * (generator.random((experiments, n)) < 0.05)
    shape = {"gamma(1)": 1.0, "gamma(0.2)": 0.2}[name]
    return (generator.gamma(shape, size=(experiments, n)) - shape) / math.sqrt(shape)
