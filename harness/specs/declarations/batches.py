"""Fresh batches of seeds for a comparison that was analysed before: each further batch has a smaller level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.specs.declarations.changes import format_seeds
from harness.specs.declarations.declare import list_recipe_views
from harness.specs.declarations.earlier_analyses import EarlierAnalyses, find_earlier
from harness.specs.experiment.resolved_experiment import ResolvedExperiment


@dataclass
class Batch:
    """Analyses of one comparison whose seeds overlap, such as the stages of one run.

    Attributes:
        seeds: All their seeds.
        result: Date and state of the last analysis; empty for a look of an earlier version.
    """

    seeds: set[int] = field(default_factory=set)
    result: str = ""

    def __str__(self) -> str:
        """Return seeds and result, such as ``seeds 0 to 7, 2026-11-27: undecided``."""
        return f"seeds {format_seeds(sorted(self.seeds))}{f', {self.result}' if self.result else ''}"


def list_earlier_batches(study: ResolvedExperiment, index: int, seeds: Iterable[int]) -> list[Batch]:
    """Return the batches of other seeds with which a contrast's comparison was analysed before, oldest first.

    Batches that were only previewed count if these seeds were previewed too, see :class:`EarlierAnalyses`.

    Args:
        study: An experiment on one data set, or the view of one.
        index: Index of the contrast.
        seeds: The seeds with a recorded trial of a compared variant.
    """
    earlier = find_earlier(study, index, seeds)
    batches: list[Batch] = []
    for batch_seeds, result in _list_tested(earlier):
        overlapping = [batch for batch in batches if batch.seeds & batch_seeds]
        merged = overlapping[0] if overlapping else Batch()
        for other in overlapping[1:]:
            batches.remove(other)
            merged.seeds |= other.seeds
        merged.seeds |= batch_seeds
        merged.result = result or merged.result
        if not overlapping:
            batches.append(merged)
    return batches


def level_share(earlier_batches: int) -> float:
    """Return the share of the level that a batch has: all of it, then a quarter, an eighth and so on.

    The shares add up to less than 1.5. So over all batches, however many, the chance of a claim that is wrong is at
    most one and a half times the level.
    """
    return 1.0 if earlier_batches == 0 else 0.5 ** (earlier_batches + 1)


def _list_tested(earlier: EarlierAnalyses) -> list[tuple[set[int], str]]:
    """Return seeds and result of each earlier test of the same comparison on other seeds."""
    own = set(earlier.seeds)
    tested = [(set(a.seeds), f"{a.date}: {a.state}" if set(a.cells) == earlier.cells else "") for a in earlier.batches]
    for look in earlier.looks:
        if set(look.seeds) == own:
            break
        if not set(look.seeds) & own and all(set(look.seeds) != seeds for seeds, _ in tested):
            tested.append((set(look.seeds), ""))
    return tested


def longest_batches(study: ResolvedExperiment) -> list[Batch]:
    """Return the earlier batches of the contrast that has most, if the declared seeds are a further one."""
    if not study.analyses and not study.looks:
        return []
    batches = [
        list_earlier_batches(view, index, view.experiment.seeds)
        for view in list_recipe_views(study)
        for index in range(len(view.experiment.contrasts))
    ]
    return max(batches, key=len, default=[])


def warn_batches(study: ResolvedExperiment) -> str:
    """Return a warning if the declared seeds are a further batch of a comparison, which has a smaller level.

    `harness plan` and `harness run` print it before anything is trained.
    """
    most = longest_batches(study)
    if not most:
        return ""
    return (
        f"The same comparison was analysed before with other seeds ({'; '.join(map(str, most))}): verdicts on the "
        f"declared seeds have 1/{round(1 / level_share(len(most)))} of the level."
    )
