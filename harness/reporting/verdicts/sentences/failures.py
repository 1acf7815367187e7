"""Sentences on trials that diverged or did not train."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.formatting import join_words
from harness.reporting.verdicts.verdict import Verdict


def describe_untrainable(names: Sequence[str]) -> str:
    """Return that variants are untrainable, as a clause."""
    return f"{join_words(names)} {'is' if len(names) == 1 else 'are'} untrainable under this recipe"


def describe_with_and_without(verdict: Verdict) -> str:
    """Return the verdict with and without failed trials, in two or three sentences; empty where no trial failed."""
    without = verdict.without_failures
    if without is None:
        return ""
    failures, them = _name_failures(verdict)
    with_state = f"With {failures} the tests say {verdict.with_failures_state or verdict.state} (n = {verdict.n})"
    if without.n == 0:
        found = f"{with_state}; without {them} there is no comparison."
    else:
        found = f"{with_state}; without {them} they say {without.state} (n = {without.n})."
    if not verdict.untrained:
        return found
    its = "its" if len(verdict.untrained) == 1 else "their"
    meaning = "which is not degradation" if verdict.kind == "degradation" else "which says nothing about a difference"
    return (
        f"{describe_untrainable(verdict.untrained)} ({its} training loss and errors stay at those of guessing), "
        f"{meaning}. {found}"
    )


def _name_failures(verdict: Verdict) -> tuple[str, str]:
    """Return what failed, and the pronoun for it."""
    parts, count = [], 0
    if verdict.untrained:
        parts, count = [join_words(verdict.untrained)], len(verdict.untrained)
    elif verdict.untrained_trials:
        count = len(verdict.untrained_trials)
        parts = [f"{count} untrained trial{'s' * (count > 1)}"]
    if verdict.diverged:
        diverged = len(verdict.diverged)
        parts.append(f"{diverged} diverged trial{'s' * (diverged > 1)} at chance error")
        count += diverged
    if not parts:
        return "the failed trials of other contrasts", "them"
    return join_words(parts), "it" if count == 1 else "them"
