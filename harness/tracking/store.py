"""The record in MLflow: an experiment, a run per variant, its trials nested under it, and a run for the report.

Design.md of the project says why: the UI folds nested runs away, so its table and charts compare variants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError, nearest
from harness.specs import Study, Trial, Variant
from harness.specs.identity import digest
from harness.text import escaped
from harness.tracking.client import answering, artifact_root, first_line, open_store, probe, without_password
from harness.tracking.history import FORMAT, MEMBER, History, NewerFormat, parse
from harness.tracking.means import mean_metrics
from harness.tracking.outbox import Publisher, flat_params

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KIND = "depthbench.kind"
FORMAT_TAG = "depthbench.format"
LOCK = "depthbench.lock"
STUDY_FILE = "study.json"
SUPERSEDED = "superseded"
REPORT = "report"
TRACEBACK = "traceback.txt"
READERS = 8


@dataclass(frozen=True)
class Recorded:
    """A trial's run in MLflow.

    Attributes:
        seconds: On its training and evaluation clocks.
        status: MLflow's, such as RUNNING.
        error: Why it failed or stopped; why it was superseded.
        name: Of the trial, for a person.
        outcome: ``finished``, ``diverged``; empty before its end.
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


class Store:
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
        self._runs: list[Run] | None = None
        if create or probe(uri):
            self.client = open_store(uri)
            self._find()

    @answering
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
        return without_password(self.uri)

    @property
    def experiment_is_new(self) -> bool:
        """Whether it never ran in this store."""
        return not self.runs(REPORT)

    def refresh(self) -> None:
        """Read the runs anew: others have written to them."""
        self._runs = None

    # --- reading -----------------------------------------------------------------------------------------------

    @answering
    def runs(self, kind: str) -> list[Run]:
        """This experiment's runs of a kind (trial, variant, report), oldest first."""
        if self.experiment_id is None:
            return []
        if self._runs is None:
            self._runs = self._search([self.experiment_id])
        return [run for run in self._runs if run.data.tags.get(KIND) == kind]

    def _search(self, experiments: Sequence[str]) -> list[Run]:
        """Every run of those experiments that is ours, oldest first."""
        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                list(experiments),
                f"tags.`{KIND}` LIKE '%'",
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs += [run for run in page if KIND in run.data.tags]
            token = page.token
            if not token:
                return runs

    @answering
    def trials(self) -> dict[str, Recorded]:
        """The newest run of each trial by its id, a finished one before any other."""
        found: dict[str, Recorded] = {}
        for run in self.runs("trial"):
            if SUPERSEDED in run.data.tags:
                continue
            entry = _recorded(run)
            known = found.get(run.data.tags["trial"])
            if known is None or entry.finished or not known.finished:
                found[run.data.tags["trial"]] = entry
        return found

    @answering
    def superseded(self) -> dict[str, list[Recorded]]:
        """The runs that were taken out of this experiment's record, by trial, oldest first."""
        found: dict[str, list[Recorded]] = {}
        for run in self.runs("trial"):
            if SUPERSEDED in run.data.tags:
                found.setdefault(run.data.tags["trial"], []).append(
                    replace(_recorded(run), error=run.data.tags[SUPERSEDED])
                )
        return found

    @answering
    def histories(self, trials: Iterable[str]) -> list[History]:
        """The histories of those trials that are recorded here."""
        recorded = self.trials()
        wanted = [recorded[trial].run_id for trial in trials if trial in recorded and recorded[trial].finished]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self._history, wanted))

    def _history(self, run_id: str) -> History:
        return parse(self._artifact(run_id, MEMBER), f"{MEMBER} of MLflow run {run_id}")

    def _artifact(self, run_id: str, name: str) -> bytes:
        location = urlsplit(f"{self.client.get_run(run_id).info.artifact_uri}/{name}")
        if location.scheme == "file" and Path(unquote(location.path)).is_file():
            return Path(unquote(location.path)).read_bytes()
        with TemporaryDirectory() as folder:
            try:
                return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()
            except Exception as error:
                raise HarnessError(
                    f"the artifact {name} cannot be read: {first_line(error)}",
                    where=f"MLflow run {run_id}",
                    remedy="Check that the store's artifacts are where they were; `harness run` records it anew.",
                ) from error

    @answering
    def elsewhere(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """Those of ``trials`` that another experiment of this store has recorded, with how to read them."""
        missing = set(trials)
        if not hasattr(self, "client"):
            return {}
        others = [e.experiment_id for e in self.client.search_experiments() if e.experiment_id != self.experiment_id]
        if not missing or not others:
            return {}
        found: dict[str, Callable[[], History]] = {}
        for run in self._search(others):
            trial = run.data.tags.get("trial")
            finished = run.info.status == "FINISHED" and "outcome" in run.data.tags
            if trial in missing and finished and SUPERSEDED not in run.data.tags:
                found[trial] = lambda run_id=run.info.run_id: self._history(run_id)  # type: ignore[misc]
        return found

    @answering
    def study(self) -> Study:
        """The experiment as it was last run.

        Raises:
            HarnessError: It never ran in this store.
        """
        reports = self.runs(REPORT)
        if not reports:
            ours = experiment_names(self.client) if hasattr(self, "client") else []
            raise HarnessError(
                f"no experiment '{self.name}' is recorded",
                where=self.place,
                remedy=nearest(self.name, ours) if ours else f"Run it first: harness run {self.name}",
            )
        return Study.model_validate_json(self._artifact(reports[-1].info.run_id, STUDY_FILE))

    # --- writing (the driver's part) ---------------------------------------------------------------------------

    @answering
    def create(self, study: Study) -> None:
        """Create the experiment where it is missing."""
        if self.experiment_id is not None:
            return
        artifacts = artifact_root(self.uri, self.home)
        location = None if artifacts is None else (artifacts / self.name).as_uri()
        note = f"**{escaped(study.experiment.question)}** No verdict yet."
        tags = {KIND: "experiment", FORMAT_TAG: str(FORMAT), "mlflow.note.content": note}
        found = self.client.get_experiment_by_name(self.name)
        self.experiment_id = found.experiment_id if found else self.client.create_experiment(self.name, location, tags)

    @answering
    def lease(self) -> str:
        """Who holds the experiment, as :mod:`harness.tracking.lock` wrote it."""
        assert self.experiment_id is not None
        return str(self.client.get_experiment(self.experiment_id).tags.get(LOCK, ""))

    @answering
    def write_lease(self, content: str) -> None:
        """Put another lease in its place."""
        assert self.experiment_id is not None
        self.client.set_experiment_tag(self.experiment_id, LOCK, content)

    @answering
    def prepare(self, study: Study) -> None:
        """Create what is missing of the experiment, its report run and a run per variant; keep the study."""
        self.create(study)
        self.refresh()
        reports = self.runs(REPORT)
        run_id = reports[-1].info.run_id if reports else self._create(REPORT, REPORT, {})
        self.client.log_text(run_id, study.record_json(), STUDY_FILE)
        known = self._variant_runs()
        for variant in study.variants:
            if _identity(study, variant) not in known:
                self._create_variant(study, variant)
        self.refresh()

    def _variant_runs(self) -> dict[str, Run]:
        """By the variant's identity; the newest where there are several."""
        return {run.data.tags["identity"]: run for run in self.runs("variant")}

    def _create_variant(self, study: Study, variant: Variant) -> str:
        from mlflow.entities import Param

        tags = _variant_tags(variant) | {
            "dataset": study.data.name,
            "identity": _identity(study, variant),
            "mlflow.runColor": _colour(study, variant),
        }
        run_id = self._create("variant", variant.name, tags)
        params = flat_params(variant) | flat_params(study.experiment.recipe, "recipe.")
        self.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
        return run_id

    @answering
    def create_trial(self, study: Study, trial: Trial) -> str:
        """A run for a trial, nested under its variant, waiting to be started."""
        parent = self._variant_runs()[_identity(study, trial.variant)].info.run_id
        tags = _variant_tags(trial.variant) | {
            "trial": trial.id,
            "seed": str(trial.seed),
            "dataset": trial.data.name,
            "mlflow.parentRunId": parent,
        }
        run_id = self._create("trial", trial.label, tags)
        self.client.update_run(run_id, status="SCHEDULED")
        return run_id

    def _create(self, kind: str, name: str, tags: dict[str, str]) -> str:
        assert self.experiment_id is not None
        run = self.client.create_run(
            self.experiment_id, int(time.time() * 1000), tags={KIND: kind, **tags}, run_name=name
        )
        if self._runs is not None:
            self._runs.append(run)
        return str(run.info.run_id)

    @answering
    def publish(self, run_id: str, history: History) -> None:
        """Record a history that its own trial could not record; one that is done ends the run."""
        publisher = Publisher(self.client, run_id, training=False)
        publisher.finish(history) if history.done else publisher.send(history)

    @answering
    def supersede(self, trials: Iterable[str], reason: str) -> None:
        """Take those trials' runs out of the record by a tag, in every experiment of the store; nothing is deleted."""
        wanted = set(trials)
        for run in self._search([experiment.experiment_id for experiment in self.client.search_experiments()]):
            if run.data.tags.get("trial") in wanted and SUPERSEDED not in run.data.tags:
                self.client.set_tag(run.info.run_id, SUPERSEDED, reason)
        self.refresh()

    @answering
    def fail(self, run_id: str, message: str, trace: str) -> None:
        """Mark a trial's run as failed, with the traceback as an artifact."""
        self.client.log_text(run_id, trace, TRACEBACK)
        self.client.set_tag(run_id, "error", message[:500])
        self.client.set_terminated(run_id, "FAILED")

    @answering
    def traceback(self, run_id: str) -> str:
        """Of a failed trial."""
        return self._artifact(run_id, TRACEBACK).decode(errors="replace")

    @answering
    def stop(self, run_id: str, reason: str) -> None:
        """Say of a trial's run that nobody trains it at present; the next ``harness run`` goes on with it."""
        self.client.set_tag(run_id, "stopped", reason)
        self.client.set_terminated(run_id, "KILLED")

    @answering
    def left_running(self) -> dict[str, Recorded]:
        """Trials whose runs say that they run or will: whoever holds the lock knows better."""
        self.refresh()
        return {trial: run for trial, run in self.trials().items() if run.status in ("RUNNING", "SCHEDULED")}

    @answering
    def note_end(self, reason: str) -> None:
        """Say on the run ``report`` how the last ``harness run`` came to its end."""
        self.client.set_tag(self.runs(REPORT)[-1].info.run_id, "ended", reason)

    @answering
    def summarise(self, study: Study, variant: Variant, histories: Sequence[History]) -> None:
        """Put the means over a variant's seeds on its run, which the UI compares.

        MLflow never forgets a metric, so where seeds were added a fresh run takes the place of the old one.
        """
        from mlflow.entities import Metric

        current = self._variant_runs()[_identity(study, variant)]
        content = digest(sorted(history.model_dump_json() for history in histories))
        if current.data.tags.get("trials") == content:
            return
        run_id = current.info.run_id
        if "trials" in current.data.tags:
            run_id = self._create_variant(study, variant)
            for trial in self.runs("trial"):
                if trial.data.tags.get("mlflow.parentRunId") == current.info.run_id:
                    self.client.set_tag(trial.info.run_id, "mlflow.parentRunId", run_id)
            self.client.delete_run(current.info.run_id)
        metrics = [Metric(key, value, at, step) for key, value, at, step in mean_metrics(histories)]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(run_id, metrics=metrics[start : start + 1000])
        self.client.set_tag(run_id, "trials", content)
        self.client.set_tag(run_id, "seeds", " ".join(str(history.trial.seed) for history in histories))
        complete = len(histories) == len(study.experiment.seeds)
        self.client.set_terminated(run_id, "FINISHED" if complete else "KILLED")

    @answering
    def attach_report(self, directory: Path, headline: str) -> None:
        """Put a report's files on the run ``report``, and its verdict on top of the experiment's page."""
        assert self.experiment_id is not None
        run_id = self.runs(REPORT)[-1].info.run_id
        self.client.log_artifacts(run_id, str(directory))
        self.client.set_terminated(run_id, "FINISHED")
        self.client.set_experiment_tag(self.experiment_id, "mlflow.note.content", headline)


def _recorded(run: Run) -> Recorded:
    tags, info = run.data.tags, run.info
    return Recorded(
        run_id=info.run_id,
        finished=info.status == "FINISHED" and "outcome" in tags,
        seconds=sum(run.data.metrics.get(f"time/{clock}_s", 0.0) for clock in ("train", "eval")),
        status=info.status,
        error=tags.get("error") or tags.get("stopped", ""),
        name=info.run_name,
        outcome=tags.get("outcome", ""),
        at=info.end_time or info.start_time or 0,
    )


@answering
def experiment_names(client: MlflowClient) -> list[str]:
    """Of the experiments in a store that are ours, oldest first."""
    found = client.search_experiments(order_by=["creation_time ASC"])
    return [experiment.name for experiment in found if KIND in experiment.tags]


def _identity(study: Study, variant: Variant) -> str:
    """A variant under one data set and recipe: what its seeds share."""
    trial = next(trial for trial in study.trials if trial.variant.name == variant.name)
    return digest({key: value for key, value in trial.identity().items() if key != "seed"})


def _colour(study: Study, variant: Variant) -> str:
    """A colour for the UI's charts: plain networks orange, residual ones blue, the darker the deeper.

    MLflow would draw one from the run's id, and give several variants the same.
    """
    group = sorted((v.depth, v.name) for v in study.variants if v.plain == variant.plain)
    place = (group.index((variant.depth, variant.name)) + 1) / len(group)
    light, dark = ((251, 196, 152), (166, 60, 0)) if variant.plain else ((158, 202, 233), (0, 66, 128))
    return "#" + "".join(f"{round(a + (b - a) * place):02x}" for a, b in zip(light, dark, strict=True))


def _variant_tags(variant: Variant) -> dict[str, str]:
    return {
        "variant": variant.name,
        "family": variant.family,
        "depth": str(variant.depth),
        "shortcut": variant.shortcut,
    }
