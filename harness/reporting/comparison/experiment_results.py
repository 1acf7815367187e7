"""The experiments of a comparison report, and which of their networks are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.reporting.comparability import describe_data
from harness.reporting.formatting import join_words
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.results_table import Results


@dataclass(frozen=True)
class ExperimentResults:
    """The results of one experiment in a comparison.

    Attributes:
        label: Name of the experiment, with a number if two experiments have the same name.
        final: The last epoch of every trial.
    """

    label: str
    results: Results
    final: pd.DataFrame

    def select_trials(self, variant: AnyVariant) -> pd.DataFrame:
        """Return the last epochs of one variant's trials."""
        return self.final[self.final["variant"] == variant.name]


@dataclass(frozen=True)
class NetworkRow:
    """One network, with the experiments that have it.

    Attributes:
        name: Name of the variant. If unequal networks have the same name, their experiments are added.
    """

    name: str
    variant: AnyVariant
    experiments: tuple[ExperimentResults, ...]


def label_experiments(several: Sequence[Results]) -> list[ExperimentResults]:
    """Give each experiment a label that no other one has."""
    names = [results.study.experiment.name for results in several]
    totals, numbers = Counter(names), Counter[str]()
    experiments = []
    for name, results in zip(names, several, strict=True):
        numbers[name] += 1
        label = f"{name} ({numbers[name]})" if totals[name] > 1 else name
        experiments.append(ExperimentResults(label, results, results.final))
    return experiments


def group_by_data(experiments: Sequence[ExperimentResults]) -> list[list[ExperimentResults]]:
    """Return the experiments in groups of equal data; errors are comparable only within a group."""
    groups: dict[str, list[ExperimentResults]] = {}
    for experiment in experiments:
        groups.setdefault(canonical(describe_data(experiment.results.study)), []).append(experiment)
    return list(groups.values())


def match_networks(experiments: Sequence[ExperimentResults]) -> list[NetworkRow]:
    """Return every network of some experiments once, with the experiments that have it.

    Two networks are the same if their names and their identities are equal.
    """
    networks: dict[tuple[str, str], tuple[AnyVariant, list[ExperimentResults]]] = {}
    for experiment in experiments:
        for variant in experiment.results.study.variants:
            key = variant.name, canonical(variant.identity())
            networks.setdefault(key, (variant, []))[1].append(experiment)
    counts = Counter(name for name, _ in networks)
    return [
        NetworkRow(
            name if counts[name] == 1 else f"{name} ({join_words(owner.label for owner in owners)})",
            variant,
            tuple(owners),
        )
        for (name, _), (variant, owners) in networks.items()
    ]
