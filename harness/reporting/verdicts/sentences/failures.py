"""What a verdict says of trials that diverged, did not train, or are lost."""

from __future__ import annotations

from harness.reporting.formatting import join_words
from harness.reporting.verdicts.verdict import Verdict


def describe_disagreement(verdict: Verdict) -> str:
    """Return why a verdict is undecided because of failed trials; empty where it is not."""
    without = verdict.without_failures
    if without is None or verdict.with_failures_state is None:
        return ""
    if without.n == 0:
        reason = f"with {_name_failures(verdict)} it would be {verdict.with_failures_state}, and without them"
        return f"{reason} there is no comparison."
    return (
        f"the verdict is {verdict.with_failures_state} with {_name_failures(verdict)} (n = {verdict.n}) and "
        f"{without.state} without them (n = {without.n})."
    )


def describe_failures(verdict: Verdict) -> str:
    """Return the verdict with and without failed trials; empty where no trial failed."""
    without = verdict.without_failures
    if without is None or not (verdict.diverged or verdict.untrained or verdict.untrained_trials):
        return ""
    text = ""
    if verdict.untrained:
        verb = "is" if len(verdict.untrained) == 1 else "are"
        text = (
            f"{join_words(verdict.untrained)} {verb} untrainable under this recipe: the training loss stays at that "
            "of guessing, and the error at chance. That is not degradation. "
        )
    state = verdict.with_failures_state or verdict.state
    if without.n == 0:
        return f"{text}With {_name_failures(verdict)} the verdict is {state}; without them there is no comparison."
    return (
        f"{text}With {_name_failures(verdict)} the verdict is {state} (n = {verdict.n}); "
        f"without them it is {without.state} (n = {without.n})."
    )


def _name_failures(verdict: Verdict) -> str:
    """Return what failed, as ``the diverged trials and the untrained variant``."""
    parts = []
    if verdict.untrained:
        parts.append(f"the untrained variant{'s' * (len(verdict.untrained) > 1)} {join_words(verdict.untrained)}")
    elif verdict.untrained_trials:
        parts.append(f"the {len(verdict.untrained_trials)} untrained trials")
    if verdict.diverged:
        parts.append("the diverged trials at chance error")
    return join_words(parts) or "the failed trials of other contrasts"
