"""What a report does not show, written from its own numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.reporting.formatting import format_quantity, format_interval, format_number
from harness.reporting.statistics.estimates import estimate_mean
from harness.reporting.verdicts.components import SEEDS_FOR_INTERVALS, select_error_interval
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Degradation, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_markdown


def list_limitations(study: ResolvedExperiment, final: pd.DataFrame, found: Sequence[Verdict]) -> list[str]:
    """What the report does not show, from its own numbers; Markdown."""
    data, experiment = study.data, study.experiment
    budget = f"One budget of {format_quantity(experiment.recipe.epochs, 'epoch')}"
    lines = [
        f"{budget} and one recipe for all variants. A variant that is behind here may only converge more slowly, or "
        "want another recipe; a longer budget would tell."
    ]
    tune = experiment.tune
    if tune is not None:
        lines = [
            f"{budget}. A variant that is behind here may only converge more slowly; a longer budget would tell.",
            f"A search of {format_quantity(tune.samples, 'recipe')} per variant, judged by {data.val:,} validation images at "
            f"{format_quantity(len(tune.seeds), 'seed')}: a larger search, or one over other fields, may choose otherwise. The "
            "search is not repeated, so intervals leave out how much its choice varies.",
        ]
    n = count_fewest_seeds(study, final)
    if n < SEEDS_FOR_CLAIMS:
        lines.append(f"{format_quantity(n, 'seed')}: too few for any claim; {SEEDS_FOR_CLAIMS} are needed.")
    else:
        lines.append(
            f"{n} seeds vary initialisation and the order of the data, not the split, the machine or the "
            "recipe. A verdict that was looked at with fewer seeds in this record, undeclared, is called exploratory; "
            "what was seen elsewhere the record can not tell."
        )
    lines.append(
        f"One data set: {escape_markdown(data.name)}, {data.train:,} training images of {data.size[0]} × {data.size[1]} "
        "pixels. Other data, image sizes and widths may behave otherwise."
    )
    rows = final[final["test/error"].notna() & (final["outcome"] != TrialStatus.DIVERGED)]
    if data.test and len(rows):
        means = rows.groupby("variant", sort=False)["test/error"].mean()
        best = float(means.min())
        bounds = select_error_interval(estimate_mean([best] * SEEDS_FOR_INTERVALS), "test/error", data)
        assert bounds is not None
        lines.append(
            f"{data.test:,} test images: one image is {format_number(100 / data.test)} points, and the lowest mean, "
            f"{format_number(best)} %, has an exact interval over images from {format_interval(bounds.low, bounds.high)} %. "
            "Intervals over seeds are conditional on this split and leave that uncertainty out."
        )
    margins = {c.margin for c in experiment.contrasts if isinstance(c, Degradation)}
    for margin in sorted(margins):
        lines.append(
            f"The margin of {margin:g} points is {format_number(margin * data.train / 100, 1)} training images: a declared "
            "choice, not a finding."
        )
    if len(final) and final["shared"].any():
        lines.append("Trials shared their device, so their times are no measurement to compare variants by.")
    if any(v.diverged for v in found) or (final["outcome"] == TrialStatus.DIVERGED).any():
        lines.append("Diverged trials stand at chance error, which is a convention; see the verdict without them.")
    return lines


def count_fewest_seeds(study: ResolvedExperiment, final: pd.DataFrame) -> int:
    """Recorded seeds of the variant that has fewest."""
    counted = final.groupby("variant").size()
    return min(int(counted.get(variant.name, 0)) for variant in study.variants)
