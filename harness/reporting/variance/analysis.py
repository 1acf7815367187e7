"""The variance components of each variant and error in the results of a crossed design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.reporting.statistics.seed_values import values_by_seed
from harness.reporting.statistics.variance_components import Component, VarianceComponents, estimate_components
from harness.specs.replication.orthogonal_array import orthogonal_array
from harness.specs.replication.sources import Source
from harness.specs.replication.variance_design import VarianceDesign
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR, TEST_ERROR
from harness.tracking.results_table import Results

ANALYSED_ERRORS = (TEST_ERROR, CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR)


@dataclass(frozen=True)
class VarianceRow:
    """One variant and one error.

    Attributes:
        components: Over the complete blocks of the design; None if no block is complete.
    """

    variant: str
    metric: str
    components: VarianceComponents | None


def analyse_variance(results: Results) -> list[VarianceRow]:
    """Return a row for each measured error and each variant; empty if the experiment has no crossed design."""
    design, final = results.study.experiment.variance, results.final
    if design is None:
        return []
    return [
        VarianceRow(variant.name, metric, analyse_variant(design, final, variant.name, metric))
        for metric in ANALYSED_ERRORS
        if final[metric].notna().any()
        for variant in results.study.variants
    ]


def analyse_variant(
    design: VarianceDesign, final: pd.DataFrame, variant: str, metric: str
) -> VarianceComponents | None:
    """Return the components of one error of a variant, over the complete blocks; None if no block is complete.

    Args:
        final: The last epoch of every trial, one row each.
        variant: The variant's name.
    """
    value_by_run = values_by_seed(final, variant, metric)
    # A run that is missing leaves its block unbalanced, for which these estimates do not hold.
    values = np.array([value_by_run.get(run, np.nan) for run in range(design.runs)]).reshape(design.repeats, -1)
    complete = values[np.isfinite(values).all(1)]
    if not len(complete):
        return None
    return estimate_components(complete, np.array(orthogonal_array(len(design.sources), design.levels)))


def largest_source(design: VarianceDesign, components: VarianceComponents) -> tuple[Source, Component] | None:
    """Return the source with the largest component, and that component; None where all are zero."""
    pairs = zip(design.sources, components.sources, strict=True)
    source, component = max(pairs, key=lambda pair: pair[1].sd)
    return (source, component) if component.sd > 0 else None


def is_established(components: VarianceComponents, largest: Component) -> bool:
    """Return whether the interval of the largest source lies above those of all other sources."""
    return all(largest.low > other.high for other in components.sources if other is not largest)
