"""What the commands do: plan, run, collect, report. Each reads what the one before wrote.

The command line and notebooks call these; they join the two wings of the house, launching and reporting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.files import require_writable
from harness.specs import Catalogue, Study, find_experiment, load_experiment, resolve
from harness.specs.experiment import MOST_SEEDS

if TYPE_CHECKING:
    from rich.console import Console

    from harness.launching.driver import Launcher, Outcome
    from harness.launching.plan import Plan
    from harness.reporting.verdicts import Verdict
    from harness.tracking import Record
    from harness.tracking.table import Results

REPORTS = Path("reports")


@dataclass(frozen=True)
class Settings:
    """Options that have one name everywhere.

    Attributes:
        home: Store, artifacts and checkpoints.
        tracking_uri: The MLflow store (None: MLFLOW_TRACKING_URI, else SQLite in the home; ``none``: no MLflow).
        launcher: ``ray`` or ``inline``.
        address: A Ray cluster; None starts a local one.
        reports: Where reports go, each into a directory named after its experiment.
    """

    home: Path = Path(".depthbench")
    tracking_uri: str | None = None
    launcher: str = "ray"
    address: str | None = None
    reports: Path = REPORTS


def load_study(
    name: str,
    overrides: Sequence[str] = (),
    seeds: str | None = None,
    data_root: Path | None = None,
    download: bool = False,
    local: bool = False,
) -> Study:
    """An experiment by name or path, resolved against the catalogue and its data, and checked.

    Args:
        name: A file, or the name of one on the shelves.
        overrides: ``key=value`` assignments.
        seeds: ``10,11,12`` or ``10-17`` in place of the experiment's.
        data_root: Where the data is.
        download: Whether it may be fetched.
        local: Whether this machine has to have what a trial asks for.

    Raises:
        HarnessError: Something in the file, the overrides or the data is wrong.
    """
    from harness.data.info import describe
    from harness.launching.plan import check
    from harness.launching.resources import require_local

    assignments = list(overrides)
    if seeds is not None:
        assignments.append(f"seeds={parse_seeds(seeds)}")
    experiment, document = load_experiment(find_experiment(name), assignments)
    catalogue = Catalogue.load()
    data = experiment.data
    if data_root is not None:
        data = data.model_copy(update={"root": str(data_root)})
    try:
        info, data = describe(data, download)
        experiment = experiment.model_copy(update={"data": data})
        study = resolve(experiment, document, catalogue, info)
        check(study)
        if local:
            require_local(study.experiment.resources, study.experiment.recipe.precision)
    except HarnessError as error:
        raise _located(error, document) from error
    return study


def _located(error: HarnessError, document: Any) -> HarnessError:
    """Name the file and line where an error so far names only a field of the experiment."""
    if document.file in error.where or error.where.startswith("--set"):
        return error
    places = error.where.split(", ")
    field = tuple(places[-1].split("."))
    if field in document.lines or field[0] in ("data", "recipe", "resources", "contrasts", "seeds"):
        where = ", ".join([document.where(field), *places[:-1]])
        return HarnessError(error.what, where=where, remedy=error.remedy)
    return error


def parse_seeds(text: str) -> list[int]:
    """``10,11`` and ranges such as ``10-17``, also mixed.

    Raises:
        HarnessError: It is neither.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        # Ten digits hold every seed; int() takes no thousands of them.
        if any(not (end.isdecimal() and len(end) <= 10) for end in ([first, last] if dash else [first])):
            raise HarnessError(f"'{part[:60]}' is no seed", where="--seeds", remedy="Write 10,11,12 or 10-17.")
        span = range(int(first), int(last or first) + 1)
        if not span or len(seeds) + len(span) > MOST_SEEDS:
            raise HarnessError(
                f"'{part}' holds {len(span):,} seeds", where="--seeds", remedy=f"Give 1 to {MOST_SEEDS:,} in all."
            )
        seeds += span
    return seeds


def plan(study: Study, settings: Settings) -> Plan:
    """Look every trial of a study up in the record; writes nothing."""
    from harness.launching.plan import make_plan
    from harness.tracking import open_record

    record = open_record(settings.tracking_uri, settings.home, study.experiment.name, create=False)
    return make_plan(study, record, settings.home, local_concurrency(study, settings))


def local_concurrency(study: Study, settings: Settings) -> int:
    """How many trials this machine runs at once."""
    from harness.launching.resources import cores

    if settings.launcher == "inline":
        return 1
    resources = study.experiment.resources
    fits = max(cores() // resources.cpus, 1)
    if resources.gpus:
        fits = min(fits, int(1 / resources.gpus))
    return min(fits, resources.max_concurrent or fits)


def run(
    study: Study,
    settings: Settings,
    console: Console,
    force: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> Outcome:
    """Bring every trial of a study into the record.

    Raises:
        HarnessError: Something is in the way; then nothing was written.
    """
    from harness.launching.plan import make_plan
    from harness.launching.resources import require_local
    from harness.tracking import open_record

    experiment = study.experiment
    require_writable(settings.home)
    require_writable(settings.reports / experiment.name)
    if settings.address is None:
        require_local(experiment.resources, experiment.recipe.precision)
    record = open_record(settings.tracking_uri, settings.home, experiment.name)
    planned = make_plan(study, record, settings.home, local_concurrency(study, settings), force)
    announce(planned)
    before = None if record.experiment_is_new else record.study()
    if before is not None and before.without_seeds() != study.without_seeds():
        console.print(
            f"The record's last {experiment.name} had other settings: its trials stay, its report is replaced. "
            "To keep both reports, give this one a name: --set name=...",
            soft_wrap=True,
        )
    if settings.launcher == "inline" or not planned.to_run:
        from harness.launching.inline import launch

        return _execute(planned, record, settings, launch, console, force)

    from harness.launching.ray_tune import RayLauncher

    with console.status("Starting Ray ..."):
        launcher = RayLauncher(experiment.resources, settings.address)
    try:
        planned = replace(planned, concurrency=launcher.concurrency)
        return _execute(planned, record, settings, launcher, console, force)
    finally:
        launcher.close()


def _execute(
    planned: Plan, record: Record, settings: Settings, launcher: Launcher, console: Console, force: bool
) -> Outcome:
    """Only once the launcher stands is anything put aside or created."""
    from harness.launching.display import Display
    from harness.launching.driver import execute, put_aside

    if force:
        put_aside(planned, record, settings.home)
    with Display(planned, console) as display:
        return execute(planned, record, settings.home, launcher, display)


def collect(name: str, settings: Settings) -> tuple[Results, Record]:
    """The results table of an experiment as it was last run, from the record alone.

    Raises:
        HarnessError: It never ran in this store.
    """
    from harness.tracking import open_record
    from harness.tracking.table import tidy

    record = open_record(settings.tracking_uri, settings.home, name, create=False)
    study = record.study()
    return tidy(study, record.histories([trial.id for trial in study.trials])), record


def report(name: str, settings: Settings) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment from the record, or from a results.csv; trains nothing.

    Returns:
        Its verdicts, and the path of its README.md.

    Raises:
        HarnessError: There is no such record, or the directory cannot be written to.
    """
    from harness.reporting.render import write_report
    from harness.reporting.verdicts import headline
    from harness.reporting.wording import escaped
    from harness.tracking.table import read_csv

    if name.endswith(".csv"):
        results, record = read_csv(Path(name)), None
    else:
        name = Path(name).stem if name.endswith((".yaml", ".yml")) else name
        results, record = collect(name, settings)
    directory = settings.reports / results.study.experiment.name
    verdicts = write_report(results, directory)
    if record is not None:
        question = escaped(results.study.experiment.question)
        # The UI folds the note to its first paragraph, which therefore holds the answer too.
        record.attach_report(directory, f"**{question}** {headline(verdicts).removeprefix('> ')}")
    return verdicts, directory / "README.md"
