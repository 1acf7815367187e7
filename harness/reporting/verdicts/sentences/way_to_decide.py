"""Sentences on a way to decide an undecided verdict: a declared plan with so many seeds, or more images."""

from __future__ import annotations

from harness.reporting.formatting import format_percent
from harness.reporting.verdicts.sentences.phrases import format_size
from harness.reporting.verdicts.verdict import SeedsNeeded, Verdict
from harness.specs import ResolvedExperiment
from harness.specs.declarations.batches import level_share
from harness.specs.experiment.interim_looks import MOST_SEEDS

FIRST_STAGE = 12
"""Seeds of the first stage of an advised plan: with a part of the level, fewer could hardly decide anything."""


def describe_way_to_decide(verdict: Verdict, study: ResolvedExperiment) -> str:
    """Return a sentence on what would decide the verdict; empty where it is decided or that is not known."""
    if verdict.state != "undecided":
        return ""
    if verdict.untrained:
        return "More seeds would not decide it: choose a recipe under which all variants train."
    if any(c.is_limited_by_images for c in verdict.components if c.reached_outcome is None):
        return "All seeds have the same test error there, so more images are needed, not more seeds."
    stage = verdict.stage
    if stage is not None and stage.analysed and stage.analysed[-1] < stage.most:
        following = min(n for n in stage.stages if n > stage.analysed[-1])
        return f"The next declared stage is at {following} of at most {stage.most} seeds."
    needed = verdict.seeds_to_decide
    if needed is None or verdict.diverged:
        return ""
    if needed.likely >= MOST_SEEDS:
        return f"Even {MOST_SEEDS:,} seeds would hardly decide it, as far as the spread is known."
    return f"{_describe_range(needed)} {_describe_plan(verdict, needed, study)}"


def _describe_range(needed: SeedsNeeded) -> str:
    seeds = f"{needed.likely:,} seeds"
    if needed.low < needed.high:
        seeds = f"{needed.low:,} to {needed.high:,} seeds, likely {needed.likely:,},"
    return (
        f"If the effects lie {format_size(needed.effect)} beyond what must be excluded, {seeds} would decide it with a "
        f"power of {format_percent(needed.power)}, as far as the spread is known."
    )


def _describe_plan(verdict: Verdict, needed: SeedsNeeded, study: ResolvedExperiment) -> str:
    """Return how to declare so many seeds: as an adaptive experiment, where it may be one."""
    if needed.high <= verdict.n:
        return "So many are recorded, so the effects are probably smaller."
    most = max(needed.high, FIRST_STAGE + 4)
    plan = f"`decide: {{first: {FIRST_STAGE}, step: {max(4, (most - FIRST_STAGE) // 6)}, most: {most}}}` with"
    if study.experiment.tune is not None or study.family_data_sets > 1:
        plan = f"{most:,}"
    return (
        f"Declare {plan} seeds that are not used here. That is a new batch: it is no exploratory verdict, and has "
        f"1/{round(1 / level_share(verdict.batches + 1))} of the level, for which these numbers are made. "
        "More seeds of this batch would make its verdict exploratory."
    )
