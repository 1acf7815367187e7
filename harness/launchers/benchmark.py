"""Measure the costs of variants in rounds, in which variants of one setting take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, groupby
from typing import Any

from harness.errors import HarnessError
from harness.launchers.base import Notify
from harness.launchers.interleaved_processes import ProfilerResult
from harness.processes import machine_memory
from harness.specs.measured_cost import CostSetting, MeasuredCost, Repeat

RunRequests = Callable[[Sequence[dict[str, Any]]], list[ProfilerResult]]
"""Runs one process for each request of :mod:`harness.costs.profiler_process`, in turns, and returns the results."""
MAX_TURNS, MIN_TURNS = 10, 4
"""Turns of one phase of a process."""
ESTIMATED_FLOPS = 5e10
"""Operations per second of one CPU, right within a factor of ten. It only decides the number of turns."""
MEMORY_SHARE = 0.5
"""The share of the machine's memory that networks which take turns may fill."""
PROCESS_BYTES = 700 * 2**20
"""Memory of a process before it has a network, in bytes."""


def measure_rows(
    rows: Sequence[MeasuredCost],
    repeats: int,
    seconds: float,
    run_requests: RunRequests,
    notify: Notify = lambda text: None,
) -> Iterator[list[MeasuredCost]]:
    """Measure each row ``repeats`` times. Rows of one setting take turns, in reverse order in every second round.

    Args:
        rows: Rows without repeats; those of one setting follow each other.
        seconds: How long to time each phase of each repeat.
        notify: Receives, for example, that a batch was halved.

    Yields:
        After each round, the rows of one setting with all their repeats so far.

    Raises:
        HarnessError: A variant or a setting cannot be measured on this machine.
    """
    group_numbers = count(1)
    for setting, rows_of_setting in groupby(rows, key=lambda row: row.setting):
        measured = list(rows_of_setting)
        # A row that exhausts the memory next to others is tried by itself before its batch is halved.
        tried_alone: set[int] = set()
        for number in range(repeats):
            while pending := [index for index, row in enumerate(measured) if len(row.repeats) <= number]:
                pending = pending[::-1] if number % 2 else pending
                group = [index for index in pending if index not in tried_alone] or pending[:1]
                group = group[: _count_fitting(setting, [measured[index] for index in group])]
                turns = min(_choose_turns(measured[index], seconds) for index in group)
                results = run_requests([_build_request(measured[index], seconds, turns) for index in group])
                group_number = next(group_numbers) if len(group) > 1 else None
                for index, result in zip(group, results, strict=True):
                    if "exhausted" in result and group_number is not None:
                        tried_alone.add(index)
                    else:
                        measured[index] = _add_result(measured[index], result, group_number, notify)
            yield list(measured)


def _choose_turns(row: MeasuredCost, seconds: float) -> int:
    """Return the number of turns of a phase: fewer if steps are long, because each turn holds at least three."""
    step_seconds = 6 * row.macs * row.batch / ESTIMATED_FLOPS
    return max(MIN_TURNS, min(MAX_TURNS, int(seconds / (3 * step_seconds)))) if step_seconds else MAX_TURNS


def _count_fitting(setting: CostSetting, rows: Sequence[MeasuredCost]) -> int:
    """Return how many of the next rows can take turns.

    On a GPU it is one: its times are steady, and its memory is measured. On a CPU it is as many as fit in memory.
    """
    if setting.device != "cpu":
        return 1
    free_bytes = MEMORY_SHARE * machine_memory()
    for number, row in enumerate(rows):
        free_bytes -= row.training_bytes + PROCESS_BYTES
        if free_bytes < 0:
            return max(number, 1)
    return len(rows)


def _build_request(row: MeasuredCost, seconds: float, turns: int) -> dict[str, Any]:
    setting = row.setting.model_copy(update={"batch": row.batch})
    return {
        "variant": row.variant.model_dump(mode="json"),
        "setting": setting.model_dump(mode="json"),
        "seconds": seconds,
        "turns": turns,
    }


def _add_result(row: MeasuredCost, result: ProfilerResult, group_number: int | None, notify: Notify) -> MeasuredCost:
    """Return the row with one repeat more, or with half the batch and no repeats if it exhausted the memory."""
    if "repeat" in result:
        repeat = Repeat.model_validate(result["repeat"]).model_copy(update={"group": group_number})
        return row.model_copy(update={"repeats": (*row.repeats, repeat)})
    if "error" in result:
        what, where, remedy = result["error"]
        raise HarnessError(what, where=", ".join(filter(None, [row.label, where])), remedy=remedy)
    if "exhausted" not in result:
        trace = str(result["crash"]).strip()
        raise HarnessError(
            f"the measurement failed: {trace.rpartition(chr(10))[2]}",
            where=row.label,
            remedy="Build the network in Python (harness.build(...)) and check that it accepts images of this size.",
        )
    if row.batch == 1:
        raise HarnessError(
            f"a single image does not fit in memory: {result['exhausted']}",
            where=row.label,
            remedy="Use a smaller network, or smaller images (--input).",
        )
    notify(f"{row.label}: {row.batch} images do not fit in memory; trying {row.batch // 2}.")
    # Repeats with the larger batch cannot be averaged with those of the smaller one.
    return row.model_copy(update={"repeats": (), "fitted": row.batch // 2})
