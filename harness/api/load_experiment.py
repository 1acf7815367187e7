"""An experiment by its name or file, checked against the catalogue and its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.specs import Catalogue, ResolvedExperiment, find_experiment, load_experiment, resolve
from harness.specs.experiment.interim_looks import MOST_SEEDS

DIGITS = 10
"""Of the largest seed."""


def load_resolved_experiment(
    name: str,
    overrides: Sequence[str] = (),
    seeds: str | None = None,
    data_root: str | Path | None = None,
    download: bool = False,
    local: bool = False,
) -> ResolvedExperiment:
    """An experiment by name or path, resolved against the catalogue and its data, and checked.

    Args:
        name: A file, or the name of one on the shelves.
        overrides: ``key=value`` assignments.
        seeds: How many (``12``), or which (``10,11,12`` or ``10-17``), in place of the experiment's.
        data_root: Where the data is.
        download: Whether it may be fetched.
        local: Whether this machine has to have what a trial asks for.

    Raises:
        HarnessError: Something in the file, the overrides or the data is wrong.
    """
    from harness.data.description import describe_data
    from harness.experiments.planning.plan import count_external_layers, require_trainable
    from harness.launchers.resources import require_local

    path, assignments = find_experiment(name), list(overrides)
    if seeds is not None:
        own = load_experiment(path, overrides)[0].seeds if _is_number(seeds) else ()
        assignments.append(f"seeds={parse_seeds(seeds, own)}")
    experiment, document = load_experiment(path, assignments)
    catalogue = Catalogue.load()
    data = experiment.data
    if data_root is not None:
        data = data.model_copy(update={"root": str(data_root)})
    try:
        info, data = describe_data(data, download)
        experiment = experiment.model_copy(update={"data": data})
        study = count_external_layers(resolve(experiment, document, catalogue, info))
        require_trainable(study)
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
    if field[0] in ("factory", "args", "kind", "name"):
        field = ("variants",)
    if field in document.lines or field[0] in (
        "data",
        "recipe",
        "resources",
        "contrasts",
        "seeds",
        "looks",
        "variants",
    ):
        where = ", ".join([document.where(field), *places[:-1]])
        return HarnessError(error.what, where=where, remedy=error.remedy)
    return error


def _is_number(text: str) -> bool:
    return text.strip().isdecimal() and len(text.strip()) <= DIGITS


def parse_seeds(text: str, own: Sequence[int] = ()) -> list[int]:
    """Seeds by name: ``10,11`` and ranges such as ``10-17``, also mixed. Or so many of them: ``12``.

    A number alone takes the first of the experiment's ``own`` seeds, and beyond them the integers after the largest,
    so that a larger number only adds seeds. One seed by its name is ``10,`` or ``10-10``.

    Raises:
        HarnessError: It is none of these.
    """
    if _is_number(text):
        number = int(text)
        if not 0 < number <= MOST_SEEDS:
            raise HarnessError(
                f"{number:,} seeds are asked for",
                where="--seeds",
                remedy=f"Give 1 to {MOST_SEEDS:,}; the seed {number} alone is `{number},`.",
            )
        after = max(own, default=-1) + 1
        return [*own[:number], *range(after, after + number - len(own))]
    seeds: list[int] = []
    parts = text.split(",")
    for part in parts[:-1] if len(parts) == 2 and not parts[1].strip() else parts:
        first, dash, last = part.strip().partition("-")
        # Ten digits hold every seed; int() takes no thousands of them.
        if any(not (end.isdecimal() and len(end) <= DIGITS) for end in ([first, last] if dash else [first])):
            raise HarnessError(
                f"'{part[:60]}' is no seed",
                where="--seeds",
                remedy="Write 12 for so many seeds; 10,11,12 or 10-17 for these; 10, for one.",
            )
        span = range(int(first), int(last or first) + 1)
        if not span or len(seeds) + len(span) > MOST_SEEDS:
            raise HarnessError(
                f"'{part}' holds {len(span):,} seeds", where="--seeds", remedy=f"Give 1 to {MOST_SEEDS:,} in all."
            )
        seeds += span
    return seeds
