"""Changes of a variant's times between two results, as ratios: training time, and the costs of `harness bench`."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
from scipy import stats

from harness.reporting.diff.change import Change, LastEpochs, match_seeds
from harness.reporting.diff.time_comparability import select_exclusive_trials
from harness.reporting.diff.welch_test import compare_groups, welch_p_value
from harness.reporting.statistics.comparisons import compare_pairs
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS
from harness.reporting.statistics.intervals import CONFIDENCE
from harness.reporting.statistics.seed_values import SeedValues
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.measured_cost import FEWEST_REPEATS
from harness.tracking.metrics import TRAINING_SECONDS


def measure_training_time_change(name: str, trials: LastEpochs) -> Change:
    """Return the change of a variant's training time; its effect is a ratio of geometric means over seeds.

    Args:
        trials: Last epochs of the variant's trials in OLD and in NEW.
    """
    logarithms = [_logarithms_by_seed(select_exclusive_trials(rows)) for rows in trials]
    (old, new), notes = match_seeds(logarithms[0], logarithms[1])
    x, y = ([values[seed] for seed in sorted(values)] for values in (old, new))
    if old.keys() == new.keys():
        comparison = compare_pairs(y, x)
        p = sign_flip_p_value([b - a for a, b in zip(x, y, strict=True)], "two-sided")
    else:
        comparison = compare_groups([y, x], [1.0, -1.0])
        p = welch_p_value([y, x], [1.0, -1.0], "two-sided")
    low, high = (comparison.low, comparison.high) if comparison.n >= SEEDS_FOR_INTERVALS else (None, None)
    return Change(
        variant=name,
        measure=TRAINING_SECONDS,
        old=math.exp(math.fsum(x) / len(x)),
        new=math.exp(math.fsum(y) / len(y)),
        effect=_to_percent(comparison.effect),
        low=None if low is None else _to_percent(low),
        high=None if high is None else _to_percent(high),
        n=comparison.n,
        method=comparison.method,
        p=p if comparison.n >= SEEDS_FOR_CLAIMS else None,
        notes=tuple(notes),
    )


def _logarithms_by_seed(trials: pd.DataFrame) -> SeedValues:
    """Return the natural logarithm of each trial's training seconds, by seed."""
    timed = trials[trials[TRAINING_SECONDS] > 0]
    pairs = zip(timed["seed"].tolist(), timed[TRAINING_SECONDS].tolist(), strict=True)
    return {int(seed): math.log(seconds) for seed, seconds in pairs}


def _to_percent(log_ratio: float) -> float:
    """Return the logarithm of a ratio as a change in percent."""
    return 100 * math.expm1(log_ratio)


class BenchmarkSummary(NamedTuple):
    """A measured cost of one variant: mean and standard deviation, in seconds, over ``n`` processes."""

    mean: float
    sd: float
    n: int


def measure_benchmark_change(name: str, key: str, trials: LastEpochs) -> Change:
    """Return the change of a measured cost, by Welch's test on logarithms; p needs 5 processes on both sides.

    Args:
        key: ``bench/latency_s`` or ``bench/step_s``.
        trials: Last epochs of the variant's trials in OLD and in NEW, which carry its measured costs.
    """
    old, new = (_summarise_benchmark(rows, key) for rows in trials)
    effect = math.log(new.mean / old.mean)
    n = min(old.n, new.n)
    # By the delta method, the logarithm of a mean has the variance (sd / mean)^2 / n.
    variances = [(side.sd / side.mean) ** 2 / side.n for side in (old, new)]
    if n < 2 or sum(variances) <= 0:
        low = high = p = None
    else:
        error = math.sqrt(sum(variances))
        df = sum(variances) ** 2 / sum(v**2 / (side.n - 1) for v, side in zip(variances, (old, new), strict=True))
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * error
        low, high = _to_percent(effect - half), _to_percent(effect + half)
        p = float(2 * stats.t.sf(abs(effect) / error, df)) if n >= FEWEST_REPEATS else None
    return Change(name, key, old.mean, new.mean, _to_percent(effect), low, high, n, "processes", p)


def _summarise_benchmark(trials: pd.DataFrame, key: str) -> BenchmarkSummary:
    """Return the measured cost that a variant's trials carry."""
    row = trials[trials[key] > 0].iloc[0]
    name = key.removesuffix("_s")
    sd = row[f"{name}_sd_s"]
    return BenchmarkSummary(float(row[key]), 0.0 if pd.isna(sd) else float(sd), int(row[f"{name}_n"]))
