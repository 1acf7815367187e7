"""What would decide an undecided verdict: a declared plan with so many seeds, or more images."""

from __future__ import annotations

from harness.reporting.formatting import format_percent
from harness.reporting.verdicts.verdict import SeedsNeeded, Verdict
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS


def describe_way_to_decide(verdict: Verdict) -> str:
    """Return a sentence on what would decide the verdict; empty where it is decided or that is not known."""
    if verdict.state != "undecided":
        return ""
    if any(c.is_limited_by_images for c in verdict.components if c.reached_outcome is None):
        return "All seeds have the same test error there, so more images are needed, not more seeds."
    stage = verdict.stage
    if stage is not None and stage.analysed and stage.analysed[-1] < stage.most:
        following = min(n for n in stage.stages if n > stage.analysed[-1])
        return f"The next declared stage is at {following} of at most {stage.most} seeds."
    needed = verdict.seeds_to_decide
    if needed is None:
        return ""
    return f"{_describe_range(needed)} {_describe_plan(verdict, needed)}"


def _describe_range(needed: SeedsNeeded) -> str:
    seeds = f"{needed.likely:,}" if needed.low == needed.high else f"{needed.low:,} to {needed.high:,}"
    likely = "" if needed.low == needed.high else f", likely {needed.likely:,},"
    return (
        f"If the effects are {needed.effect:g} points beyond what must be excluded, {seeds} seeds{likely} would decide "
        f"it with a power of {format_percent(needed.power)}, as far as the spread is known."
    )


def _describe_plan(verdict: Verdict, needed: SeedsNeeded) -> str:
    if needed.high <= verdict.n:
        return "So many are recorded: the effects are probably smaller."
    most = max(needed.high, SEEDS_FOR_CLAIMS + 1)
    step = max(4, (most - SEEDS_FOR_CLAIMS) // 6)
    return (
        f"Declare them before they are trained, with seeds that are not used here: "
        f"`decide: {{first: {SEEDS_FOR_CLAIMS}, step: {step}, most: {most}}}`. More seeds without a declared plan make "
        "the verdict exploratory."
    )
