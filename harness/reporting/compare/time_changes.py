"""Times of two results: whether they may be compared, and how much they changed."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
from scipy import stats

from harness.reporting.comparability import describe_conditions, describe_differences, list_distinct, describe_recipe, describe_execution
from harness.reporting.compare.error_changes import Change, Finals, match_seeds
from harness.reporting.formatting import join_words
from harness.reporting.statistics.estimates import CONFIDENCE, compare_pairs, sign_flip_p_value, compare_groups, welch_p_value
from harness.reporting.verdicts.components import SEEDS_FOR_INTERVALS, SeedValues
from harness.specs import ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS

TRAINING_TIME = "time/train_s"
BENCHMARK_TIMES = ("bench/latency_s", "bench/step_s")
FEWEST_PROCESSES = 5
"""Of `harness bench`, from which a change may be called (docs/statistics.md)."""
SIDES = ("OLD", "NEW")


def incomparable_because(
    key: str, rows: Finals, studies: tuple[ResolvedExperiment, ResolvedExperiment], sides: tuple[str, str] = SIDES
) -> str | None:
    """Why a variant's times may not be compared; None where they may, empty where there are none.

    Args:
        rows: Trials on the one side and on the other.
        sides: What the two are called.
    """
    timed = rows[0][rows[0][key] > 0], rows[1][rows[1][key] > 0]
    empty = [side for side, mine in zip(sides, timed, strict=True) if mine.empty]
    if empty:
        return f"it is not measured in {join_words(empty)}" if len(empty) == 1 else ""
    if key == TRAINING_TIME:
        timed = tuple(_exclusive(mine) for mine in timed)  # type: ignore[assignment]
        shared = [side for side, mine in zip(sides, timed, strict=True) if mine.empty]
        if shared:
            return f"trials shared their device, or none ended, in {join_words(shared)}"
    for side, mine in zip(sides, timed, strict=True):
        mixed = [column for column in CONDITIONS if len(list_distinct(mine[column])) > 1]
        if mixed:
            return f"the trials of {side} differ in {join_words(mixed)}"
    unlike = describe_differences(describe_conditions(timed[0]), describe_conditions(timed[1]))
    if unlike:
        return f"hardware, software or settings differ ({unlike})"
    settings = describe_differences(describe_execution(studies[0]), describe_execution(studies[1]))
    if settings:
        return f"settings of execution differ ({settings})"
    if key != "bench/latency_s" and describe_differences(describe_recipe(studies[0]), describe_recipe(studies[1])):
        return "the recipe changed"
    return None


def _exclusive(rows: pd.DataFrame) -> pd.DataFrame:
    """Trials that had their device to themselves and came to their end."""
    return rows[~rows["shared"] & (rows["outcome"] == TrialStatus.FINISHED)]


def measure_training_time_change(name: str, key: str, rows: Finals) -> Change:
    """Training seconds of a trial, by seed; the effect is the ratio of geometric means."""
    cells = [_logs(_exclusive(mine), key) for mine in rows]
    (before, after), notes = match_seeds(cells[0], cells[1])
    x, y = ([values[seed] for seed in sorted(values)] for values in (before, after))
    if before.keys() == after.keys():
        result = compare_pairs(y, x)
        p = sign_flip_p_value([b - a for a, b in zip(x, y, strict=True)], "two-sided")
    else:
        result = compare_groups([y, x], [1.0, -1.0])
        p = welch_p_value([y, x], [1.0, -1.0], "two-sided")
    low, high = (result.low, result.high) if result.n >= SEEDS_FOR_INTERVALS else (None, None)
    return Change(
        name, key, math.exp(math.fsum(x) / len(x)), math.exp(math.fsum(y) / len(y)), _percent(result.effect),
        None if low is None else _percent(low), None if high is None else _percent(high), result.n, result.method,
        p if result.n >= SEEDS_FOR_CLAIMS else None, notes=tuple(notes),
    )  # fmt: skip


def _logs(rows: pd.DataFrame, key: str) -> SeedValues:
    measured = rows[rows[key] > 0]
    pairs = zip(measured["seed"].tolist(), measured[key].tolist(), strict=True)
    return {int(seed): math.log(seconds) for seed, seconds in pairs}


def _percent(log_ratio: float) -> float:
    return 100 * math.expm1(log_ratio)


class BenchmarkSummary(NamedTuple):
    """What `harness bench` measured of one variant: seconds, their spread, and over how many processes."""

    mean: float
    sd: float
    n: int


def measure_benchmark_change(name: str, key: str, rows: Finals) -> Change:
    """A measured cost: Welch's test on the logarithm, from mean, spread and number of processes of each side."""
    old, new = (_session(mine, key) for mine in rows)
    effect = math.log(new.mean / old.mean)
    n = min(old.n, new.n)
    parts = [(side.sd / side.mean) ** 2 / side.n for side in (old, new)]
    if n < 2 or sum(parts) <= 0:
        low = high = p = None
    else:
        error = math.sqrt(sum(parts))
        df = sum(parts) ** 2 / sum(part**2 / (side.n - 1) for part, side in zip(parts, (old, new), strict=True))
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * error
        low, high = _percent(effect - half), _percent(effect + half)
        p = float(2 * stats.t.sf(abs(effect) / error, df)) if n >= FEWEST_PROCESSES else None
    return Change(name, key, old.mean, new.mean, _percent(effect), low, high, n, "processes", p)


def _session(rows: pd.DataFrame, key: str) -> BenchmarkSummary:
    row = rows[rows[key] > 0].iloc[0]
    sd = row[key.removesuffix("_s") + "_sd_s"]
    return BenchmarkSummary(float(row[key]), 0.0 if pd.isna(sd) else float(sd), int(row[key.removesuffix("_s") + "_n"]))
