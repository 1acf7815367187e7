"""One experiment in an MLflow store: its id, its tags and its runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.tracking.history import FORMAT, NewerFormat
from harness.tracking.mlflow_record.run_creation import NewRun, find_or_create_run, origin_tags
from harness.tracking.mlflow_record.store.addresses import (
    choose_artifact_root,
    find_sqlite_file,
    format_for_shell,
    redact_passwords,
)
from harness.tracking.mlflow_record.store.client import has_store, open_store
from harness.tracking.mlflow_record.store.moved_store import (
    adopt_store,
    is_read_only,
    rebase_storage,
    require_writable_store,
)
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.mlflow_record.store.store_errors import wrap_store_errors
from harness.tracking.mlflow_record.tags import (
    COST,
    EXPERIMENT,
    FORMAT_TAG,
    KIND_TAG,
    LEASE_TAG,
    NOTE_TAG,
    PARENT_TAG,
    STORAGE_TAG,
    VARIANT,
    VARIANT_TAG,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

EXPERIMENTS_PER_PAGE = 1000
RUNS_PER_PAGE = 1000


class MlflowExperiment:
    """One experiment in one MLflow store. It caches the experiment's runs until :meth:`refresh_runs`.

    Args:
        uri: The tracking store.
        name: The experiment's name.
        create: Whether to create a store in a database that has none. Without it such a database reads as an empty
            store.
        home: Holds the artifacts where neither a server nor a SQLite file determines their place.
        patience: How long to wait for a store that does not answer, now and in every call; None: not at all.

    Raises:
        HarnessError: The store does not answer, or the experiment was deleted in it.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        create: bool = True,
        home: Path = Path(".depthbench"),
        patience: Patience | None = None,
    ) -> None:
        self.uri, self.name, self.home = uri, name, home
        self.patience = patience or Patience()
        self.experiment_id: str | None = None
        self._runs: dict[str, Run] | None = None
        self._runs_by_kind: dict[str, list[Run]] = {}
        self._has_store = create or self.patience.retry(lambda: has_store(uri), self.address)
        self._is_writable = False
        if self._has_store:
            self.client = open_store(uri, self.patience)
            self._find_experiment()

    def prepare_to_write(self) -> None:
        """Check that the store can be changed, and take over a store that was moved or copied. Do it once.

        Raises:
            HarnessError: The store may only be read.
        """
        if not self._is_writable:
            require_writable_store(self.uri)
            adopt_store(self.uri)
            self._is_writable = True

    @property
    def address(self) -> str:
        """The store's address without its password."""
        return redact_passwords(self.uri)

    @wrap_store_errors
    def _find_experiment(self) -> None:
        """Set the experiment's id, where it exists."""
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is None:
            return
        if experiment.lifecycle_stage == "deleted":
            raise HarnessError(
                f"the experiment '{self.name}' was deleted in this store",
                where=self.address,
                remedy=f"Restore it: `MLFLOW_TRACKING_URI={format_for_shell(self.address)} mlflow experiments restore "
                f"-x {experiment.experiment_id}`. Or choose another name.",
            )
        number = experiment.tags.get(FORMAT_TAG, "1")
        if number.isdigit() and int(number) > FORMAT:
            raise NewerFormat(
                f"the experiment '{self.name}' is recorded in format {number}; this version reads up to {FORMAT}",
                where=self.address,
                remedy="Upgrade depthbench, or use another --home; nothing was changed.",
            )
        self.experiment_id = experiment.experiment_id

    def ensure_experiment(self, kind: str, note: str) -> None:
        """Create the experiment where it is missing.

        Args:
            kind: The value of its tag :data:`~harness.tracking.mlflow_record.tags.KIND_TAG`.
            note: The description that MLflow shows, as Markdown.
        """
        self.prepare_to_write()
        if self.experiment_id is not None:
            return
        artifacts = choose_artifact_root(self.uri, self.home)
        location = None if artifacts is None else (artifacts / self.name).as_uri()
        tags = {
            KIND_TAG: kind,
            FORMAT_TAG: str(FORMAT),
            NOTE_TAG: note,
            # Without it MLflow shows the pages that it has for the traces of language models.
            "mlflow.experimentKind": "custom_model_development",
        }

        def find_or_create() -> str:
            # Another process, or a try whose answer was lost, may have created it meanwhile.
            existing = self.client.get_experiment_by_name(self.name)
            return existing.experiment_id if existing else self.client.create_experiment(self.name, location, tags)

        self.experiment_id = self.patience.retry(find_or_create, self.address)

    def other_experiment_ids(self) -> list[str]:
        """Return the ids of the store's other experiments; none where there is no store."""
        if not self._has_store:
            return []
        ids = [experiment.experiment_id for experiment in list_experiments(self.client)]
        return [identity for identity in ids if identity != self.experiment_id]

    def list_other_names(self) -> list[str]:
        """Return the names of this project's other experiments in the store, oldest first."""
        names = list_experiment_names(self.client) if self._has_store else []
        return [name for name in names if name != self.name]

    @property
    def lease_place(self) -> Path | None:
        """The file that holds the lease; None where a server holds it."""
        return find_sqlite_file(self.uri)

    @property
    def is_read_only(self) -> bool:
        """Whether the store may only be read."""
        return is_read_only(self.uri)

    @wrap_store_errors
    def read_lease(self) -> str:
        """Return the lease of the process that holds the experiment; empty where no process does."""
        return self._read_tag(LEASE_TAG)

    @wrap_store_errors
    def write_lease(self, content: str) -> None:
        """Replace the lease; an empty one frees the experiment."""
        self._write_tag(LEASE_TAG, content)

    @wrap_store_errors
    def read_storage(self) -> str:
        """Return where the checkpoints of the experiment's last run are; empty where that is not known."""
        if self.experiment_id is None:
            return ""
        experiment = self.client.get_experiment(self.experiment_id)
        storage = str(experiment.tags.get(STORAGE_TAG, ""))
        root = choose_artifact_root(self.uri, self.home)
        if storage and root is not None and find_sqlite_file(self.uri) is not None:
            return rebase_storage(storage, experiment.artifact_location, root)
        return storage

    def _read_tag(self, tag: str) -> str:
        assert self.experiment_id is not None
        return str(self.client.get_experiment(self.experiment_id).tags.get(tag, ""))

    def _write_tag(self, tag: str, value: str) -> None:
        assert self.experiment_id is not None
        self.prepare_to_write()
        self.client.set_experiment_tag(self.experiment_id, tag, value)

    @wrap_store_errors
    def list_runs(self, kind: str) -> Sequence[Run]:
        """Return this experiment's runs of one kind, oldest first, from the cache where it is filled."""
        if self.experiment_id is None:
            return ()
        if self._runs is None:
            self._runs = {run.info.run_id: run for run in self.search_runs([self.experiment_id])}
            self._sort_runs(self._runs)
        return self._runs_by_kind.get(kind, ())

    def search_runs(self, experiment_ids: Sequence[str], which: str = f"tags.`{KIND_TAG}` LIKE '%'") -> list[Run]:
        """Return this project's runs in some experiments of the store, oldest first.

        Args:
            which: MLflow's filter.
        """
        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                list(experiment_ids),
                which,
                max_results=RUNS_PER_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs += [run for run in page if KIND_TAG in run.data.tags]
            token = page.token
            if not token:
                return runs

    @wrap_store_errors
    def refresh_runs(self, variant: str | None = None) -> None:
        """Forget the cached runs, because other processes have written to them.

        Args:
            variant: Read only the runs of the variant of this name again: reading a large experiment takes long.
        """
        if variant is None or self._runs is None:
            self._runs = None
            return
        for parent in (run for run in self.list_runs(VARIANT) if run.data.tags[VARIANT_TAG] == variant):
            self._runs |= {run.info.run_id: run for run in self.read_children(parent.info.run_id)}
        self._sort_runs(self._runs)

    def read_children(self, parent: str) -> list[Run]:
        """Return the runs that are nested under the run of this id now, oldest first."""
        return self.search_runs([str(self.experiment_id)], f"tags.`{PARENT_TAG}` = '{parent}'")

    def _sort_runs(self, runs: Mapping[str, Run]) -> None:
        """Sort the cached runs by kind, once: a large experiment has many, and they are listed often."""
        self._runs_by_kind = {}
        for run in runs.values():
            self._runs_by_kind.setdefault(run.data.tags[KIND_TAG], []).append(run)
        self.on_runs_changed()

    def on_runs_changed(self) -> None:
        """Is called when the cached runs changed; a subclass drops here what it derived from them."""

    def new_run(self, kind: str, name: str, tags: Mapping[str, str]) -> NewRun:
        """Return what a new run of this experiment holds."""
        assert self.experiment_id is not None
        command = f"harness bench {self.name}" if kind == COST else f"harness run {self.name}"
        return NewRun(self.experiment_id, name, {KIND_TAG: kind, **origin_tags(command), **tags})

    def create_run(self, new: NewRun, start: int = 0, other_than: str = "") -> str:
        """Create a run of this experiment, unless an earlier try has created it; return its id.

        Args:
            start: When what it records began, in milliseconds since 1970; 0 for now.
            other_than: Id of a run that is not the one to find.
        """
        start = start or int(time.time() * 1000)
        run = self.patience.retry(lambda: find_or_create_run(self.client, new, start, other_than), self.address)
        if self._runs is not None and run.info.run_id not in self._runs:
            self._runs[run.info.run_id] = run
            self._runs_by_kind.setdefault(new.tags[KIND_TAG], []).append(run)
            self.on_runs_changed()
        return str(run.info.run_id)

    def delete_run(self, run_id: str) -> None:
        """Move a run of this experiment into MLflow's trash, and forget it."""
        self.client.delete_run(run_id)
        if self._runs is not None and self._runs.pop(run_id, None) is not None:
            self._sort_runs(self._runs)


@wrap_store_errors
def list_experiment_names(client: MlflowClient) -> list[str]:
    """Return the names of this project's experiments in a store, oldest first."""
    ours = [experiment for experiment in list_experiments(client) if experiment.tags.get(KIND_TAG) == EXPERIMENT]
    return [experiment.name for experiment in sorted(ours, key=lambda experiment: experiment.creation_time or 0)]


def list_experiments(client: MlflowClient) -> Iterator[Experiment]:
    """Yield all experiments of a store, also those of other projects, newest first."""
    token = None
    while True:
        page = client.search_experiments(max_results=EXPERIMENTS_PER_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
