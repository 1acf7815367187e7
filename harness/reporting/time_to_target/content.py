"""Values of the template ``time_to_target.md.j2``: a table for each declared target, and its contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reporting.formatting import ABSENT, format_number
from harness.reporting.page.tables import describe_unknown_sharing
from harness.reporting.time_to_target.component import find_pairs
from harness.reporting.time_to_target.sentences import format_target, title_time_to_target
from harness.reporting.time_to_target.survival import TimeSummary, summarise_times
from harness.specs.experiment.targets import Target, TimeToTarget, Unit
from harness.text import escape_markdown
from harness.tracking.results_table import Results
from harness.tracking.target_times import TargetTime, find_target_times

NOT_REACHED = "not reached"
DECIMALS: dict[Unit, int] = {"epochs": 0, "seconds": 1}


def build_time_to_target_section(results: Results) -> dict[str, Any]:
    """Return the content of the section on times to targets; its list of targets is empty if none is declared."""
    experiment = results.study.experiment
    names = [variant.name for variant in results.study.variants]
    targets = [_build_target(results, target, names) for target in experiment.targets]
    return {
        "targets": [target for target in targets if target["rows"]],
        "time_contrasts": [_describe_pairs(results, index) for index in _list_contrasts(results)],
        "unknown_sharing": describe_unknown_sharing(results.final),
        "evaluate_every": experiment.execution.evaluate_every,
        "budget_epochs": experiment.recipe.epochs,
    }


def _build_target(results: Results, target: Target, names: Sequence[str]) -> dict[str, Any]:
    """Return the title and the rows of one target's table."""
    times = find_target_times(results.epochs, target)
    by_variant = {name: [time for time in times if time.variant == name] for name in names}
    text = format_target(target)
    return {
        "title": f"{text[0].upper()}{text[1:]} or less",
        "rows": [_build_row(name, by_variant[name]) for name in names if by_variant[name]],
        "has_shared": any(not time.is_exclusive for time in times),
        "has_mixed": len({time.conditions for time in times if time.is_exclusive}) > 1,
        "has_censored": any(not time.reached for time in times),
    }


def _build_row(name: str, times: Sequence[TargetTime]) -> list[str]:
    epochs = summarise_times([time.epochs for time in times], [time.reached for time in times])
    exclusive = [time for time in times if time.is_exclusive]
    seconds = summarise_times([time.seconds for time in exclusive], [time.reached for time in exclusive])
    is_comparable = len({time.conditions for time in exclusive}) == 1 and len(exclusive) == len(times)
    return [
        escape_markdown(name),
        f"{epochs.reached} of {epochs.n}",
        *_format_summary(epochs, "epochs"),
        *(_format_summary(seconds, "seconds") if is_comparable else (ABSENT, ABSENT)),
    ]


def _format_summary(summary: TimeSummary, unit: Unit) -> tuple[str, str]:
    """Return the median and the range; where trials are censored, the range has no upper end."""
    decimals = DECIMALS[unit]
    median = NOT_REACHED if summary.median is None else format_number(summary.median, decimals)
    if summary.first is None or summary.last is None:
        return median, ABSENT
    first, last = (format_number(value, decimals) for value in (summary.first, summary.last))
    span = first if first == last else f"{first} to {last}"
    censored = summary.n - summary.reached
    return median, f"{span}; {censored} {NOT_REACHED}" if censored else span


def _list_contrasts(results: Results) -> list[int]:
    contrasts = results.study.experiment.contrasts
    return [index for index, contrast in enumerate(contrasts) if isinstance(contrast, TimeToTarget)]


def _describe_pairs(results: Results, index: int) -> str:
    """Return one line on the pairs of a contrast: who was first, and why other pairs have no known order."""
    contrast = results.study.experiment.contrasts[index]
    assert isinstance(contrast, TimeToTarget)
    pairs = find_pairs(results, contrast, results.study.contrast_variants[index])
    reasons = {
        "both at the same time": pairs.ties,
        "neither reached it": pairs.both_censored,
        "one reached it after the other's budget had ended": pairs.unknown,
    }
    parts = [f"{contrast.a} first in {pairs.earlier}", f"{contrast.b} first in {pairs.later}"]
    parts += [f"{count} without a known order ({reason})" for reason, count in reasons.items() if count]
    if pairs.not_comparable:
        parts.append(f"{pairs.not_comparable} left out, because a device was shared or hardware or software differs")
    return f"{title_time_to_target(contrast)}: of {len(pairs.order)} pairs, {'; '.join(parts)}."
