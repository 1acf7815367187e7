"""Interim looks: which verdicts the record gave before, and whether a verdict is exploratory because of them.

A look at fewer seeds, and then more seeds, spends level: each look is one more chance of a false positive.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.reporting.formatting import format_quantity, join_words
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.experiment.interim_looks import InterimLook
from harness.tracking.results_table import Results


def build_look(study: ResolvedExperiment, index: int, final: pd.DataFrame) -> InterimLook:
    """Return the interim look of a verdict: what it compares, and all seeds of the compared variants.

    Args:
        index: Index of the contrast among those that are declared.
        final: The last epoch of every trial, one row each.
    """
    rows = final[final["variant"].isin(list(study.contrast_variants[index].values()))]
    seeds = tuple(sorted(set(rows["seed"].tolist())))
    return InterimLook(cells=study.contrast_keys[index], seeds=seeds, declared=study.experiment.looks)


def explain_exploratory(study: ResolvedExperiment, look: InterimLook) -> str:
    """Return a sentence that says why the verdict of ``look`` is exploratory; empty where it is not.

    There are two reasons. Looks are declared, but not at this number of seeds. Or the record gave the same verdict
    before with some of these seeds, and the two looks were not declared together.
    """
    if look.declared and len(look.seeds) not in look.declared:
        declared = join_words(look.declared)
        return f"Exploratory: interim looks are declared at {declared} seeds, but this one has {len(look.seeds)}."
    undeclared = [earlier for earlier in _list_earlier_looks(study.looks, look) if not _is_declared_step(earlier, look)]
    if not undeclared:
        return ""
    descriptions = dict.fromkeys(
        f"{format_quantity(len(earlier.seeds), 'seed')} (declared then: {join_words(earlier.declared) or 'no looks'})"
        for earlier in undeclared
    )
    return (
        f"Exploratory: this verdict was already computed with {join_words(descriptions)}. "
        "Every undeclared look raises the chance of a false positive above the level."
    )


def _list_earlier_looks(looks: Sequence[InterimLook], look: InterimLook) -> list[InterimLook]:
    """Return the recorded looks at the same comparison with a common seed, up to the first with the same seeds."""
    earlier = []
    for recorded in looks:
        if recorded.cells == look.cells and set(recorded.seeds) & set(look.seeds):
            earlier.append(recorded)
            if recorded.seeds == look.seeds:
                break
    return earlier


def _is_declared_step(earlier: InterimLook, look: InterimLook) -> bool:
    """Return whether ``earlier`` has the seeds of ``look``, or was declared together with it as an earlier step."""
    if earlier.declared != look.declared:
        return False
    is_step = len(earlier.seeds) in look.declared and set(earlier.seeds) < set(look.seeds)
    return earlier.seeds == look.seeds or is_step


def add_looks(results: Results, verdicts: Sequence[Verdict]) -> tuple[ResolvedExperiment, ResolvedExperiment]:
    """Add a look for every verdict that was tested, and return the experiment for the record and for this report.

    The experiment for the record has all looks. The one for the report ends with its own looks, so that a report on
    fewer seeds stays the same when it is written again after later looks.
    """
    study, looks, indices = results.study, list(results.study.looks), []
    readings = [results] if results.tuned is None else [results, results.tuned]
    for number, verdict in enumerate(verdicts):
        if verdict.p is None:
            continue
        reading = readings[number // len(study.contrast_variants)]
        look = build_look(reading.study, number % len(study.contrast_variants), reading.final)
        same = [i for i, recorded in enumerate(looks) if (recorded.cells, recorded.seeds) == (look.cells, look.seeds)]
        if not same:
            looks.append(look)
        indices.append(same[0] if same else len(looks) - 1)
    return study.replace(looks=tuple(looks)), study.replace(looks=tuple(looks[: max(indices, default=-1) + 1]))
