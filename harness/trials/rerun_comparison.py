"""The comparison of a rerun with the earlier training of the same trial, bit for bit."""

from __future__ import annotations

from harness.tracking.history import History
from harness.tracking.metrics import TIME_PREFIX

UNCOMPARED_PROVENANCE = ("attempts", "started", "shared", "memory")
"""Provenance that may differ between two equal trainings."""


def first_difference(before: History, after: History) -> str:
    """Return the first epoch and metric in which two histories differ; empty if all are equal bit for bit.

    Times are not compared. JSON keeps every bit of a float, so it does not matter where a history was read from.
    """
    epochs_before, epochs_after = ({e.epoch: e.metrics for e in history.epochs} for history in (before, after))
    for epoch in sorted(epochs_before.keys() | epochs_after.keys()):
        if epoch not in epochs_before or epoch not in epochs_after:
            return f"only the {'rerun' if epoch in epochs_after else 'earlier training'} measured epoch {epoch}"
        old, new = epochs_before[epoch], epochs_after[epoch]
        for key in dict.fromkeys([*old, *new]):
            if key.startswith(TIME_PREFIX):
                continue
            if key not in old or key not in new:
                return f"epoch {epoch}: only the {'rerun' if key in new else 'earlier training'} measured {key}"
            if old[key] != new[key]:
                return f"epoch {epoch}: {key} was {old[key]!r}, is {new[key]!r}"
    if before.outcome != after.outcome:
        return f"the earlier training ended as {before.outcome}, the rerun as {after.outcome}"
    return ""


def differing_settings(before: History, after: History) -> list[str]:
    """Return what may explain a difference: software, device, threads and revision that are not the same."""
    keys = [key for key in dict.fromkeys([*before.provenance, *after.provenance]) if key not in UNCOMPARED_PROVENANCE]
    return [
        f"{key}: {before.provenance.get(key)} -> {after.provenance.get(key)}"
        for key in keys
        if before.provenance.get(key) != after.provenance.get(key)
    ]
