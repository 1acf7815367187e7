"""The record: histories, the outbox to MLflow, and back into tables. No ray, no torch."""

from __future__ import annotations

from pathlib import Path

from harness.tracking.client import NO_STORE, tracking_uri
from harness.tracking.journals import Journals
from harness.tracking.store import Store

Record = Store | Journals


def open_record(option: str | None, home: Path, name: str, create: bool = True) -> Record:
    """The record of an experiment: in the MLflow store that ``option`` or the environment names, else in the home's.

    Raises:
        HarnessError: The store does not answer.
    """
    uri = tracking_uri(option, home)
    return Journals(home, name) if uri == NO_STORE else Store(uri, name, create, home)


__all__ = ["Record", "open_record"]
