"""The options with which a run changes its experiment, and the options that a cluster receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.settings.option import declare_option, options_of
from harness.settings.shared_options import Settings
from harness.settings.stages import parse_stages


@dataclass(frozen=True)
class RunOptions:
    """Which trials of an experiment a run takes, and what it changes of the experiment's file.

    Attributes:
        overrides: Assignments of the form ``key=value`` that change fields of the experiment.
        seeds: Seeds in place of the experiment's: a number of seeds, or a list of them, as text.
        decide: Stages of an adaptive run, as first, most and step; None: the experiment's own.
        download: Whether the data set may be downloaded.
        force: Whether trials that are recorded are trained again.
        price: The price of a GPU-hour, in the user's currency; None: unknown.
    """

    overrides: tuple[str, ...] = declare_option(
        (),
        "--set",
        "Change a field of the experiment: recipe.lr=0.1, seeds=[1,2,3]. Repeat it for more fields.",
        metavar="KEY=VALUE",
        typed_as=list[str],
        parse=tuple,
        is_sent=True,
    )
    seeds: str | None = declare_option(
        None,
        "--seeds",
        "A number of seeds: 12 takes the experiment's own seeds, then the next integers. Or a list: 10,11 or 10-17. "
        "Write `10,` for the one seed 10.",
        metavar="N|LIST",
        is_sent=True,
    )
    decide: tuple[int, int, int] | None = declare_option(
        None,
        "--decide",
        "Add seeds in stages until every contrast is decided. 8:32:4 begins with 8 seeds, ends with at most 32, and "
        "adds 4 at each stage. Changes the experiment's field `decide`.",
        metavar="FIRST:MOST:STEP",
        typed_as=str,
        parse=parse_stages,
        is_sent=True,
    )
    download: bool = declare_option(False, "--download", "Download the data set if it is not on this machine.")
    force: bool = declare_option(
        False, "--force", "Train recorded trials again. Their earlier results are kept.", is_sent=True
    )
    price: float | None = declare_option(
        None,
        "--price",
        "The price of a GPU-hour. The command prints what the rest of the experiment costs.",
        minimum=0,
        is_sent=True,
    )


def words_to_send(typed: Mapping[str, Any]) -> list[str]:
    """Return the options of a run that a cluster receives, as words of a command line.

    Args:
        typed: The values that the user typed, by field name, before they were parsed.
    """
    words = []
    for name, option in {**options_of(RunOptions), **options_of(Settings)}.items():
        if not option.is_sent or name not in typed:
            continue
        values = typed[name] if isinstance(typed[name], list | tuple) else [typed[name]]
        for value in values:
            words += [option.flag] if value is True else [option.flag, str(value)]
    return words
