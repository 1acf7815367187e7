"""Free the space of checkpoints that no trial needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.api.trials.find import lock_experiments, open_index
from harness.errors import HarnessError, StoreUnavailable
from harness.settings import Settings
from harness.tracking.mlflow_record.store.patience import patience_with_warnings
from harness.tracking.record import open_checkpoint_folder

if TYPE_CHECKING:
    from harness.trials.cleanup import FolderCleanup
    from harness.trials.index import TrialIndex


@dataclass
class CleanupResult:
    """The result of a cleanup.

    Attributes:
        folders: What was done with each folder, by experiment; under an empty name those of no experiment.
        skipped: By experiment why it was skipped, for example because another process holds its lock.
    """

    folders: dict[str, list[FolderCleanup]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def freed(self) -> int:
        """Bytes that were freed in all folders."""
        return sum(cleanup.freed for folders in self.folders.values() for cleanup in folders)


def clean_up(names: Sequence[str], settings: Settings, dry_run: bool = False) -> CleanupResult:
    """Free the tensors of trials that are complete or archived. Their histories stay; unfinished trials are kept whole.

    Args:
        names: Names of experiments; empty for all, and for trials that no experiment holds any more.
        dry_run: Whether only to compute what would be freed.

    Raises:
        HarnessError: The store or the storage does not answer, or another process holds the lock of a named experiment.
    """
    from harness.trials.cleanup import strip_tensors

    if names:
        # A name that is not recorded is an error.
        open_index(names, settings, patience_with_warnings())
    index, unreadable = open_index((), settings, patience_with_warnings())
    storage = open_checkpoint_folder(settings)
    result = CleanupResult(skipped={} if names else unreadable)
    cleaned: set[str] = set()
    for name in dict.fromkeys(names) or index.records:
        ids = [identity for identity in index.list_ids_with_archived(name) if identity not in cleaned]
        with ExitStack() as locks:
            if not dry_run:
                try:
                    locks.enter_context(lock_experiments(_sharing(name, ids, index), settings, f"harness gc {name}"))
                except StoreUnavailable:
                    raise
                except HarnessError as error:
                    if names:
                        raise
                    result.skipped[name] = f"{error.what}. {error.remedy}"
                    continue
            cleaned.update(ids)
            result.folders[name] = strip_tensors(storage, ids, storage.list_names(), dry_run)
    if not names:
        # These trials belong to older settings or to another store. A complete trial is complete for all experiments.
        skipped = {i for name in result.skipped if name in index.records for i in index.list_ids_with_archived(name)}
        rest = [identity for identity in index.list_ids_with_folder() if identity not in cleaned | skipped]
        result.folders[""] = strip_tensors(storage, rest, storage.list_names(), dry_run)
    return result


def _sharing(name: str, ids: Sequence[str], index: TrialIndex) -> list[str]:
    """Return an experiment and all others that share one of its trials: a run of one could move the same folders."""
    return list({name, *(other for identity in ids for other in index.experiments_of(identity))})
