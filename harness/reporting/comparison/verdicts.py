"""The verdicts of a comparison: each experiment by itself, but the data sets of one experiment together."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.comparison.experiment_results import ExperimentResults
from harness.reporting.data_sets.verdicts import decide_together
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.identity import canonical


def decide_experiments(experiments: Sequence[ExperimentResults]) -> list[list[Verdict]]:
    """Return the verdicts of each experiment, as its own report has them.

    An experiment on several data sets stands in a comparison as one experiment for each of them. Their verdicts share
    the level, and a verdict that passes leaves its share to the others.
    """
    verdicts: dict[str, list[Verdict]] = {}
    for parts in group_data_sets(experiments):
        decided = decide_together([part.results for part in parts])
        verdicts |= {part.label: own for part, own in zip(parts, decided, strict=True)}
    return [verdicts[experiment.label] for experiment in experiments]


def group_data_sets(experiments: Sequence[ExperimentResults]) -> list[list[ExperimentResults]]:
    """Return the experiments, those on the data sets of one experiment in one group.

    They declare the same but for their name and data. The same data set a second time begins another experiment.
    """
    groups: list[list[ExperimentResults]] = []
    latest: dict[str, list[ExperimentResults]] = {}
    for experiment in experiments:
        study = experiment.results.study
        declared = canonical(study.experiment.model_dump(mode="json", exclude={"name", "data"}))
        title, group = study.data.title, latest.get(declared)
        if study.family_data_sets > 1 and group and all(title != other.results.study.data.title for other in group):
            group.append(experiment)
            continue
        groups.append([experiment])
        if study.family_data_sets > 1:
            latest[declared] = groups[-1]
    return groups
