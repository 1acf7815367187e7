"""The number of seeds that would decide a verdict as a whole, as a range over what the spread may be."""

from __future__ import annotations

from harness.reporting.verdicts.verdict import SeedsNeeded, Verdict


def count_seeds_needed(verdict: Verdict, level: float) -> SeedsNeeded | None:
    return None
