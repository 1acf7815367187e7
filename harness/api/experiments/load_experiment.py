"""Load an experiment by its name or file, and check it against the catalogue and its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.specs import Catalogue, ResolvedExperiment, find_experiment, load_experiment, require_no_code, resolve
from harness.specs.experiment.interim_looks import MOST_SEEDS

MOST_DIGITS = 10
"""Digits of the largest seed."""
SECTIONS = ("data", "recipe", "resources", "contrasts", "seeds", "looks", "variants")
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
) -> ResolvedExperiment:
    """Load an experiment, resolve it against the catalogue and its data, and check that it can be trained.

    Args:
        name: The path of a YAML file, or the name of one in ``experiments/``.
        overrides: Assignments ``key=value`` that replace fields.
        seeds: Number of seeds (``12``) or the seeds themselves (``10,11,12`` or ``10-17``); None: the experiment's own.
        data_root: The place of the data; None: the experiment's own.
        download: Whether the data may be downloaded.
        local: Whether to check that this machine has the resources that a trial asks for.
        no_code: Whether to refuse an experiment that names Python code, before anything of it is imported.

    Raises:
        HarnessError: Something in the file, the overrides or the data is wrong.
    """
    from harness.data.description import describe_data
    from harness.experiments.planning.feasibility import count_external_layers, require_trainable
    from harness.launchers.resources import require_local_resources

    path, assignments = find_experiment(name), list(overrides)
    if seeds is not None:
        own_seeds = load_experiment(path, overrides)[0].seeds if _is_number(seeds) else ()
        assignments.append(f"seeds={parse_seeds(seeds, own_seeds)}")
    experiment, document = load_experiment(path, assignments)
    catalogue = Catalogue.load()
    if no_code:
        require_no_code(experiment, document, catalogue)
    data = experiment.data
    if data_root is not None:
        data = data.model_copy(update={"root": str(data_root)})
    try:
        info, data = describe_data(data, download)
        experiment = experiment.model_copy(update={"data": data})
        study = count_external_layers(resolve(experiment, document, catalogue, info))
        require_trainable(study)
        if local:
            require_local_resources(study.experiment.resources, study.experiment.recipe.precision)
    except HarnessError as error:
        raise _add_position(error, document) from error
    return study


def _add_position(error: HarnessError, document: Any) -> HarnessError:
    """Return an error that names file and line, if so far it names only a field of the experiment."""
    if document.file in error.where or error.where.startswith("--set"):
        return error
    *others, last = error.where.split(", ")
    field = tuple(last.split("."))
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
    next_seed = max(own_seeds, default=-1) + 1
    return [*own_seeds[:number], *range(next_seed, next_seed + number - len(own_seeds))]
