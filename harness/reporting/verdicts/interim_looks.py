"""Looking and then adding seeds spends level: which verdicts of the record were looked at before, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from harness.reporting.formatting import format_quantity, join_words
from harness.specs import ResolvedExperiment
from harness.specs.experiment.interim_looks import InterimLook
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict


def build_look(study: ResolvedExperiment, place: int, final: pd.DataFrame) -> InterimLook:
    """What the verdict on a contrast sees in the last epochs ``final``: every seed that one of its cells holds.

    Args:
        place: Of the contrast among those that are declared.
    """
    rows = final[final["variant"].isin(list(study.cells[place].values()))]
    seeds = tuple(sorted(set(rows["seed"].tolist())))
    return InterimLook(cells=study.contrast_keys[place], seeds=seeds, declared=study.experiment.looks)


def explain_exploratory(study: ResolvedExperiment, now: InterimLook) -> str:
    """Why the verdict of the look ``now`` is exploratory, in a sentence; empty where it is not.

    It is where the record gave the same verdict before, with some of the same seeds, and that look and this one are
    not both declared; or where looks are declared, but not at so many seeds.
    """
    if now.declared and len(now.seeds) not in now.declared:
        declared = join_words(now.declared)
        return f"Exploratory: looks are declared at {declared} seeds, and this one is at {len(now.seeds)}."
    spent = [look for look in _before(study.looks, now) if not _declared(look, now)]
    if not spent:
        return ""
    taken = [
        f"{format_quantity(len(look.seeds), 'seed')} (declared then: {join_words(look.declared) or 'no looks'})"
        for look in spent
    ]
    return (
        f"Exploratory: this verdict was looked at before with {join_words(dict.fromkeys(taken))}. "
        "Seeds that are added after a look spend level that nobody set aside for it."
    )


def _before(looks: Sequence[InterimLook], now: InterimLook) -> list[InterimLook]:
    """Looks at the same cells and some of the same seeds, up to the first with exactly these seeds."""
    found = []
    for look in looks:
        if look.cells == now.cells and set(look.seeds) & set(now.seeds):
            found.append(look)
            if look.seeds == now.seeds:
                break
    return found


def _declared(look: InterimLook, now: InterimLook) -> bool:
    """Whether ``look`` is ``now`` itself, or one that was declared on the way to it."""
    if look.declared != now.declared:
        return False
    return look.seeds == now.seeds or (len(look.seeds) in now.declared and set(look.seeds) < set(now.seeds))


def add_looks(results: Results, found: Sequence[Verdict]) -> tuple[ResolvedExperiment, ResolvedExperiment]:
    """The study with the looks that its verdicts ``found`` are, for the record; and the same for this report.

    A report knows of no later looks, so that an earlier one comes out as it was.
    """
    study, known, places = results.study, list(results.study.looks), []
    readings = [results] if results.tuned is None else [results, results.tuned]
    for number, verdict in enumerate(found):
        if verdict.p is None:
            continue
        reading = readings[number // len(study.cells)]
        look = build_look(reading.study, number % len(study.cells), reading.final)
        same = [i for i, old in enumerate(known) if (old.cells, old.seeds) == (look.cells, look.seeds)]
        if not same:
            known.append(look)
        places.append(same[0] if same else len(known) - 1)
    return study.with_looks(tuple(known)), study.with_looks(tuple(known[: max(places, default=-1) + 1]))
