"""The record in MLflow, read: an experiment, a run per variant, its trials nested under it, a run for the report."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError, suggest_nearest
from harness.specs import ResolvedExperiment
from harness.specs.measured_cost import MeasuredCost
from harness.tracking.cost_metrics import parse_cost
from harness.tracking.history import FORMAT, HISTORY_FILE, MEMORY, History, NewerFormat, parse_history
from harness.tracking.mlflow_record.client import choose_artifact_root, open_store, probe_store, redact_message, redact_passwords, wrap_store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

KIND = "depthbench.kind"
FORMAT_TAG = "depthbench.format"
LOCK = "depthbench.lock"
STORAGE = "depthbench.storage"
STUDY_FILE = "study.json"
SUPERSEDED = "superseded"
REPORT = "report"
TRIAL = "trial"
SEARCH = "search"
"""Kind of a trial's run where it chooses a recipe, and is no part of a comparison."""
COST = "cost"
COST_FILE = "cost.json"
TRACEBACK = "traceback.txt"
MODEL_TAG = "model"
"""Of a trial's run: the address of its model, where one was logged."""
PAGE = 1000
"""Experiments that a store is asked for at once."""
READERS = 8
UNENDED = ("RUNNING", "SCHEDULED")


@dataclass(frozen=True)
class RecordedTrial:
    """A trial's run in MLflow.

    Attributes:
        seconds: On its training and evaluation clocks.
        status: MLflow's, such as RUNNING.
        error: Why it failed or stopped; why it was superseded.
        name: Of the trial, for a person.
        outcome: ``finished``, ``diverged``; empty before its end.
        memory: Bytes that it took at most, and that its device has; 0 where that is not known.
        at: When it ended, else when it was created: milliseconds since 1970, 0 where that is not known.
    """

    run_id: str
    finished: bool
    seconds: float = 0.0
    status: str = ""
    error: str = ""
    name: str = ""
    outcome: str = ""
    at: int = 0
    memory: tuple[int, int] = (0, 0)

    @property
    def begun(self) -> bool:
        """Whether somebody trained it, to whatever end."""
        return self.status not in ("", "SCHEDULED")


class MlflowReader:
    """One experiment in one MLflow store.

    Args:
        uri: The tracking store.
        name: The experiment's name.
        create: Whether to create a store in a database that has none; without, it reads as an empty one.
        home: Holds the artifacts, where neither a server nor a SQLite file says where they lie.

    Raises:
        HarnessError: The store does not answer, or the experiment was deleted in it.
    """

    def __init__(self, uri: str, name: str, create: bool = True, home: Path = Path(".depthbench")) -> None:
        self.uri, self.name, self.home = uri, name, home
        self.experiment_id: str | None = None
        self._runs: dict[str, Run] | None = None
        self._kinds: dict[str, list[Run]] = {}
        self._trials: dict[str, RecordedTrial] | None = None
        if create or probe_store(uri):
            self.client = open_store(uri)
            self._find()

    @wrap_store_errors
    def _find(self) -> None:
        """Look for the experiment."""
        found = self.client.get_experiment_by_name(self.name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise HarnessError(
                f"the experiment '{self.name}' was deleted in this store",
                where=self.place,
                remedy=f"Restore it (mlflow experiments restore -x {found.experiment_id}), or choose another name.",
            )
        if found is not None:
            number = found.tags.get(FORMAT_TAG, "1")
            if number.isdigit() and int(number) > FORMAT:
                raise NewerFormat(
                    f"the experiment '{self.name}' is recorded in format {number}; this version reads up to {FORMAT}",
                    where=self.place,
                    remedy="Upgrade depthbench, or use another --home; nothing was changed.",
                )
            self.experiment_id = found.experiment_id

    @property
    def place(self) -> str:
        """The store's address as it may be shown."""
        return redact_passwords(self.uri)

    @property
    def experiment_is_new(self) -> bool:
        """Whether it never ran in this store; a run that ended before it could keep its study did not."""
        reports = self.runs(REPORT)
        return not reports or (not self.runs("variant") and not self._has_study(reports[-1].info.run_id))

    @wrap_store_errors
    def _has_study(self, run_id: str) -> bool:
        return any(found.path == STUDY_FILE for found in self.client.list_artifacts(run_id))

    @property
    @wrap_store_errors
    def storage(self) -> str:
        """Where the checkpoints of its last run are; empty where that is not known."""
        if self.experiment_id is None:
            return ""
        return str(self.client.get_experiment(self.experiment_id).tags.get(STORAGE, ""))

    @wrap_store_errors
    def refresh(self, variant: str | None = None) -> None:
        """Read the runs anew: others have written to them.

        Args:
            variant: Only those of the variant of this name; all of a large experiment take long.
        """
        if variant is None or self._runs is None:
            self._runs = None
            return
        for parent in (run for run in self.runs("variant") if run.data.tags["variant"] == variant):
            for run in self._search([str(self.experiment_id)], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"):
                self._runs[run.info.run_id] = run
        self._sort(self._runs)

    @wrap_store_errors
    def runs(self, kind: str) -> Sequence[Run]:
        """This experiment's runs of a kind (trial, variant, report), oldest first."""
        if self.experiment_id is None:
            return ()
        if self._runs is None:
            self._runs = {run.info.run_id: run for run in self._search([self.experiment_id])}
            self._sort(self._runs)
        return self._kinds.get(kind, ())

    def _sort(self, runs: Mapping[str, Run]) -> None:
        """By kind, once: of a large experiment every look at all runs counts."""
        self._trials, self._kinds = None, {}
        for run in runs.values():
            self._kinds.setdefault(run.data.tags[KIND], []).append(run)

    def _search(self, experiments: Sequence[str], which: str = f"tags.`{KIND}` LIKE '%'") -> list[Run]:
        """Every run of those experiments that is ours, oldest first."""
        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                list(experiments),
                which,
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs += [run for run in page if KIND in run.data.tags]
            token = page.token
            if not token:
                return runs

    def _trial_runs(self) -> list[Run]:
        return [*self.runs(TRIAL), *self.runs(SEARCH)]

    @wrap_store_errors
    def trials(self) -> dict[str, RecordedTrial]:
        """The newest run of each trial by its id, a finished one before any other."""
        runs = self._trial_runs()
        if self._trials is not None:
            return self._trials
        found: dict[str, RecordedTrial] = {}
        for run in runs:
            if SUPERSEDED in run.data.tags:
                continue
            entry = _recorded(run)
            known = found.get(run.data.tags["trial"])
            if known is None or entry.finished or not known.finished:
                found[run.data.tags["trial"]] = entry
        self._trials = found
        return found

    @wrap_store_errors
    def superseded(self) -> dict[str, list[RecordedTrial]]:
        """The runs that were taken out of this experiment's record, by trial, oldest first."""
        found: dict[str, list[RecordedTrial]] = {}
        for run in self._trial_runs():
            if SUPERSEDED in run.data.tags:
                found.setdefault(run.data.tags["trial"], []).append(
                    replace(_recorded(run), error=run.data.tags[SUPERSEDED])
                )
        return found

    @wrap_store_errors
    def histories(self, trials: Iterable[str]) -> list[History]:
        """The histories of those trials that are recorded here."""
        recorded = self.trials()
        wanted = [recorded[trial].run_id for trial in trials if trial in recorded and recorded[trial].finished]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self._history, wanted))

    @wrap_store_errors
    def costs(self) -> list[MeasuredCost]:
        """The measured costs that are recorded here, oldest first."""
        runs = [run.info.run_id for run in self.runs(COST) if run.info.status == "FINISHED"]
        with ThreadPoolExecutor(READERS) as pool:
            return [cost for cost in pool.map(self._cost, runs) if cost is not None]

    def _cost(self, run_id: str) -> MeasuredCost | None:
        try:
            return parse_cost(self._artifact(run_id, COST_FILE), f"{COST_FILE} of MLflow run {run_id}")
        except HarnessError as error:
            # The report of an experiment does without it.
            warnings.warn(str(error), stacklevel=2)
            return None

    def _history(self, run_id: str) -> History:
        return parse_history(self._artifact(run_id, HISTORY_FILE), f"{HISTORY_FILE} of MLflow run {run_id}")

    def _artifact(self, run_id: str, name: str) -> bytes:
        location = urlsplit(f"{self.client.get_run(run_id).info.artifact_uri}/{name}")
        if location.scheme == "file":
            path, root = Path(unquote(location.path)), choose_artifact_root(self.uri, self.home)
            places = [path]
            if root is not None:
                # MLflow keeps the whole path; the store may have been moved since, its artifacts with it.
                places.append(root.joinpath(*path.parts[-3 - len(Path(name).parts) :]))
            for place in places:
                if place.is_file():
                    return place.read_bytes()
        with TemporaryDirectory() as folder:
            try:
                return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()
            except Exception as error:
                raise HarnessError(
                    f"the artifact {name} cannot be read: {redact_message(error)}",
                    where=f"MLflow run {run_id}",
                    remedy="Check that the store's artifacts are where they were, beside it or on its server.",
                ) from error

    @wrap_store_errors
    def elsewhere(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """Those of ``trials`` that another experiment of this store has recorded, with how to read them."""
        missing = set(trials)
        if not hasattr(self, "client"):
            return {}
        others = [e.experiment_id for e in list_experiments(self.client) if e.experiment_id != self.experiment_id]
        if not missing or not others:
            return {}
        found: dict[str, Callable[[], History]] = {}
        for run in self._search(others):
            trial = run.data.tags.get("trial")
            finished = run.info.status == "FINISHED" and "outcome" in run.data.tags
            if trial in missing and finished and SUPERSEDED not in run.data.tags:
                found[trial] = lambda run_id=run.info.run_id: self._history(run_id)  # type: ignore[misc]
        return found

    def _experiments(self) -> list[str]:
        return list_experiment_names(self.client) if hasattr(self, "client") else []

    @wrap_store_errors
    def study(self) -> ResolvedExperiment:
        """The experiment as it was last run.

        Raises:
            HarnessError: It never ran in this store.
        """
        reports = self.runs(REPORT)
        if not reports:
            # One that was created, and stopped before it began, has nothing recorded either.
            ours = [name for name in self._experiments() if name != self.name]
            raise HarnessError(
                f"no experiment '{self.name}' is recorded",
                where=self.place,
                remedy=suggest_nearest(self.name, ours) if ours else f"Run it first: harness run {self.name}",
            )
        return ResolvedExperiment.model_validate_json(self._artifact(reports[-1].info.run_id, STUDY_FILE))

    @wrap_store_errors
    def lease(self) -> str:
        """Who holds the experiment, as :mod:`harness.tracking.lock` wrote it."""
        assert self.experiment_id is not None
        return str(self.client.get_experiment(self.experiment_id).tags.get(LOCK, ""))

    @wrap_store_errors
    def traceback(self, run_id: str) -> str:
        """Of a failed trial."""
        return self._artifact(run_id, TRACEBACK).decode(errors="replace")

    @wrap_store_errors
    def left_running(self) -> dict[str, RecordedTrial]:
        """Trials whose runs say that they run or will: whoever holds the lock knows better."""
        self.refresh()
        return {trial: run for trial, run in self.trials().items() if run.status in UNENDED}


def _recorded(run: Run) -> RecordedTrial:
    tags, info = run.data.tags, run.info
    return RecordedTrial(
        run_id=info.run_id,
        finished=info.status == "FINISHED" and "outcome" in tags,
        seconds=sum(run.data.metrics.get(f"time/{clock}_s", 0.0) for clock in ("train", "eval")),
        status=info.status,
        error=tags.get("error") or tags.get("stopped", ""),
        name=info.run_name,
        outcome=tags.get("outcome", ""),
        at=info.end_time or info.start_time or 0,
        memory=_memory(tags.get(MEMORY, "")),
    )


def _memory(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,18}) of (\d{1,18})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@wrap_store_errors
def list_experiment_names(client: MlflowClient) -> list[str]:
    """Of the experiments in a store that are ours, oldest first."""
    found = [experiment for experiment in list_experiments(client) if experiment.tags.get(KIND) == "experiment"]
    return [experiment.name for experiment in sorted(found, key=lambda experiment: experiment.creation_time or 0)]


def list_experiments(client: MlflowClient) -> Iterator[Experiment]:
    """Of a store, ours or not, newest first."""
    token = None
    while True:
        page = client.search_experiments(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
