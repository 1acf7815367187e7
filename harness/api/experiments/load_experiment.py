"""Load an experiment by its name or file, and check it against the catalogue and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.api.experiments.match_costs import ExperimentCosts
from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location
from harness.settings import Settings
from harness.specs import (
    Catalogue,
    DataInfo,
    DataSpec,
    ResolvedExperiment,
    find_experiment,
    load_experiment,
    require_no_code,
    resolve,
)
from harness.specs.adaptive.decide import first_seeds
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.interim_looks import MOST_SEEDS

MOST_DIGITS = 10
"""Digits of the largest seed."""
SECTIONS = ("data", "recipe", "resources", "contrasts", "seeds", "looks", "variants", "targets", "decide")
"""Parts of an experiment that an error can concern although its file does not contain them."""
VARIANT_FIELDS = ("factory", "args", "kind", "name")
"""Fields of an external network, which an experiment's file does not contain itself."""


def load_resolved_experiment(
    name: str,
    overrides: Sequence[str] = (),
    seeds: str | None = None,
    data_root: str | Path | None = None,
    download: bool = False,
    local: bool = False,
    no_code: bool = False,
    decide: tuple[int, int, int] | None = None,
    settings: Settings | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> ResolvedExperiment:
    """Load an experiment, resolve it against the catalogue and its data, and check that it can be trained.

    Args:
        name: The path of a YAML file, or the name of one in ``experiments/``.
        overrides: Assignments ``key=value`` that replace fields.
        seeds: Number of seeds (``12``) or the seeds themselves (``10,11,12`` or ``10-17``); None: the experiment's own.
        data_root: The place of the data; None: the experiment's own. Of a list of data sets it is the place of those
            that name no place themselves.
        download: Whether the data may be downloaded.
        local: Whether to check that this machine has the resources that a trial asks for.
        no_code: Whether to refuse an experiment that names Python code, before anything of it is imported.
        decide: First, most and step of the stages of an adaptive experiment; None: the experiment's own.
        settings: Where the record is, and what measures, for variants with ``match: {by: step_time}``; None: defaults.
        notify: Receives a message before such a measurement.

    Raises:
        HarnessError: Something in the file, the overrides or the data is wrong.
    """
    from harness.experiments.planning.feasibility import count_external_layers, require_trainable
    from harness.launchers.resources import require_local_resources

    with _naming_option(decide):
        experiment, document = _load(find_experiment(name), overrides, seeds, decide)
        catalogue = Catalogue.load()
        if no_code:
            require_no_code(experiment, document, catalogue)
        try:
            experiment, facts = _describe_data_sets(experiment, data_root, download)
            costs = ExperimentCosts(experiment.name, settings or Settings(), notify)
            study = count_external_layers(resolve(experiment, document, catalogue, facts, costs))
            require_trainable(study)
            if local:
                require_local_resources(study.experiment.resources, study.experiment.recipe.precision)
        except HarnessError as error:
            raise _add_position(error, document) from error
        return study


def _describe_data_sets(
    experiment: Experiment, data_root: str | Path | None, download: bool
) -> tuple[Experiment, list[DataInfo]]:
    """Return an experiment whose data sets have their place and fingerprint, and the facts about each of them.

    Args:
        data_root: The place of the only data set, or of those data sets of a list that name no place themselves.

    Raises:
        HarnessError: The data is missing, unreadable, or not what the experiment declares.
    """
    from harness.data.description import describe_data

    facts, specs, is_list = [], [], not isinstance(experiment.data, DataSpec)
    for index, spec in enumerate(experiment.data_sets):
        if data_root is not None and not (is_list and spec.root is not None):
            spec = spec.model_copy(update={"root": str(data_root)})
        try:
            info, located = describe_data(spec, download)
        except HarnessError as error:
            if not is_list:
                raise
            raise _number_data_set(error, index) from error
        facts.append(info)
        specs.append(located)
    data: DataSpec | tuple[DataSpec, ...] = tuple(specs) if is_list else specs[0]
    return experiment.model_copy(update={"data": data}), facts


def _number_data_set(error: HarnessError, index: int) -> HarnessError:
    """Return an error about a data set that names it by its number in the list: data.1.root instead of data.root."""
    *places, field = error.where.split(", ")
    if field != "data" and not field.startswith("data."):
        return error
    numbered = f"data.{index}{field.removeprefix('data')}"
    return HarnessError(error.what, where=", ".join([*places, numbered]), remedy=error.remedy)


def _load(
    path: Path, overrides: Sequence[str], seeds: str | None, decide: tuple[int, int, int] | None
) -> tuple[Experiment, Document]:
    """Read an experiment's file and apply the options that change it.

    Raises:
        HarnessError: The result is not a valid experiment, or the options exclude each other.
    """
    assignments = list(overrides)
    if decide is not None:
        first, most, step = decide
        assignments.append(f"decide={{first: {first}, most: {most}, step: {step}}}")
    if seeds is not None:
        own = load_experiment(path, assignments)[0] if _is_number(seeds) else None
        if own is not None and own.decide is not None:
            raise HarnessError(
                f"the contrasts decide how many seeds are trained, from {own.decide.first} to {own.decide.most}",
                where="--seeds",
                remedy=f"Use --decide {own.decide} for other numbers, or --seeds with a list of the first seeds. "
                "--set decide=null trains a fixed number.",
            )
        assignments.append(f"seeds={parse_seeds(seeds, own.seeds if own is not None else ())}")
    return load_experiment(path, assignments)


@contextmanager
def _naming_option(decide: tuple[int, int, int] | None) -> Iterator[None]:
    """Write an error about the field ``decide`` as one about the option ``--decide``, if that has set the field."""
    try:
        yield
    except HarnessError as error:
        if decide is None or "--set decide=" in error.remedy:
            raise
        first, most, step = decide
        option, texts = f"--decide {first}:{most}:{step}", [error.what, error.where, error.remedy]
        for part in ("first", "most", "step"):
            texts = [text.replace(f"--set decide.{part}", f"{option} (FIRST:MOST:STEP), {part}") for text in texts]
        texts = [text.replace("--set decide", option).replace("remove decide", "leave --decide out") for text in texts]
        raise HarnessError(texts[0], where=texts[1], remedy=texts[2]) from error


def _add_position(error: HarnessError, document: Any) -> HarnessError:
    """Return an error that names file and line, if so far it names only a field of the experiment."""
    if document.file in error.where or error.where.startswith("--set"):
        return error
    *others, last = error.where.split(", ")
    field: Location = tuple(
        int(part) if part.isdecimal() and len(part) <= MOST_DIGITS else part for part in last.split(".")
    )
    if field[0] in VARIANT_FIELDS:
        field = ("variants",)
    if field in document.lines or field[0] in SECTIONS:
        return HarnessError(error.what, where=", ".join([document.where(field), *others]), remedy=error.remedy)
    return error


def _is_number(text: str) -> bool:
    return text.strip().isdecimal() and len(text.strip()) <= MOST_DIGITS


def parse_seeds(text: str, own_seeds: Sequence[int] = ()) -> list[int]:
    """Return the seeds that a text names: ``10,11``, a range such as ``10-17``, both mixed, or a number of seeds.

    A number takes the first of the experiment's own seeds, then the integers after the largest of them. A larger number
    therefore only adds seeds. The seed 10 alone is written ``10,`` or ``10-10``.

    Raises:
        HarnessError: The text is none of these.
    """
    if _is_number(text):
        return _first_seeds(int(text), own_seeds)
    parts = text.split(",")
    if len(parts) == 2 and not parts[1].strip():
        parts = parts[:1]
    seeds: list[int] = []
    for part in parts:
        first, dash, last = part.strip().partition("-")
        # int() would refuse a number of thousands of digits with an error of its own.
        if any(not (end.isdecimal() and len(end) <= MOST_DIGITS) for end in ([first, last] if dash else [first])):
            raise HarnessError(
                f"'{part[:60]}' is not a seed",
                where="--seeds",
                remedy="Write 12 for twelve seeds; 10,11,12 or 10-17 for these seeds; 10, for one seed.",
            )
        span = range(int(first), int(last or first) + 1)
        if not span or len(seeds) + len(span) > MOST_SEEDS:
            raise HarnessError(
                f"'{part}' contains {len(span):,} seeds", where="--seeds", remedy=f"Give 1 to {MOST_SEEDS:,} in all."
            )
        seeds += span
    return seeds


def _first_seeds(number: int, own_seeds: Sequence[int]) -> list[int]:
    """Return so many seeds: first the experiment's own, then the integers after the largest of them."""
    if not 0 < number <= MOST_SEEDS:
        raise HarnessError(
            f"a run of {number:,} seeds is not possible",
            where="--seeds",
            remedy=f"Give 1 to {MOST_SEEDS:,}. The seed {number} alone is written `{number},`.",
        )
    return list(first_seeds(number, own_seeds))
