"""The results on each of several data sets as experiments of their own, for pages and diffs over experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.reporting.diff.change import Change
from harness.reporting.diff.results_diff import DEFAULT_METRICS, Diff, compare_results
from harness.reporting.formatting import join_words
from harness.specs.experiment.resolved.variant_suffixes import DATA_SUFFIX
from harness.tracking.results_table import Results

LONGEST_NAME = 64
"""Letters of an experiment's name."""


def separate_data_sets(results: Results) -> list[Results]:
    """Return the results on each data set that has recorded trials, under a name that ends with the data set.

    The verdicts on each keep their share of the level of the whole experiment.
    """
    if len(results.study.data_sets) == 1:
        return [results]
    separate = []
    for view in results.views:
        experiment, title = view.study.experiment, view.study.data.title
        name = f"{experiment.name[: LONGEST_NAME - len(title) - 1]}-{title}".rstrip(".")
        study = view.study.replace(experiment=experiment.model_copy(update={"name": name}))
        if len(view.epochs):
            separate.append(Results(study, view.epochs))
    return separate


def compare_data_sets(
    old: Results,
    new: Results,
    level: float,
    smallest: float,
    smallest_time: float,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> Diff:
    """Compare NEW with OLD on each of their data sets, which share the level equally.

    Raises:
        HarnessError: The two have other data sets, or those of one name cannot be compared.
    """
    if len(old.study.data_sets) == len(new.study.data_sets) == 1:
        return compare_results(old, new, level, smallest, smallest_time, metrics)
    titles = [[info.title for info in results.study.data_sets] for results in (old, new)]
    if sorted(titles[0]) != sorted(titles[1]):
        raise HarnessError(
            f"OLD is on {join_words(titles[0])}, and NEW is on {join_words(titles[1])}",
            where="harness diff",
            remedy="Run both on the same data sets.",
        )
    new_views = {view.study.data.title: view for view in new.views}
    diffs = {
        view.study.data.title: compare_results(
            view, new_views[view.study.data.title], level / len(titles[0]), smallest, smallest_time, metrics
        )
        for view in old.views
    }
    note = f"Each of the {len(diffs)} data sets is tested at {level / len(diffs):.3g}."
    return Diff(
        level=level,
        smallest=smallest,
        smallest_time=smallest_time,
        errors=tuple(_name_change(change, title) for title, diff in diffs.items() for change in diff.errors),
        times=tuple(_name_change(change, title) for title, diff in diffs.items() for change in diff.times),
        only_old=tuple(f"{name}{DATA_SUFFIX}{title}" for title, diff in diffs.items() for name in diff.only_old),
        only_new=tuple(f"{name}{DATA_SUFFIX}{title}" for title, diff in diffs.items() for name in diff.only_new),
        notes=(note, *(f"{title}: {text}" for title, diff in diffs.items() for text in diff.notes)),
        not_compared=tuple(f"{title}: {text}" for title, diff in diffs.items() for text in diff.not_compared),
    )


def _name_change(change: Change, title: str) -> Change:
    return replace(change, variant=f"{change.variant}{DATA_SUFFIX}{title}")
