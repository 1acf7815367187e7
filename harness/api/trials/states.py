"""The states of trials, as a user names them to filter a list."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import HarnessError, suggest_nearest
from harness.specs.experiment.trial_status import TrialStatus

ARCHIVED = frozenset({TrialStatus.DISCARDED, TrialStatus.SUPERSEDED})
"""States of trials that are listed on request only."""
EARLIER_NAMES = {
    "recorded": TrialStatus.FINISHED,
    "died": TrialStatus.INTERRUPTED,
    "stopped": TrialStatus.INTERRUPTED,
}
"""Names that earlier versions used; scripts may still contain them."""


def parse_states(names: Iterable[str]) -> set[TrialStatus]:
    """Return the states with these names.

    Raises:
        HarnessError: There is no such state.
    """
    states = {status.value: status for status in TrialStatus}
    for name in names:
        if name not in states and name not in EARLIER_NAMES:
            raise HarnessError(
                f"'{name}' is not a state of a trial", where="--state", remedy=suggest_nearest(name, states)
            )
    return {(states | EARLIER_NAMES)[name] for name in names}
