"""Limits of a report's results: the few caveats that matter most, and all limitations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.reporting.formatting import format_interval, format_number, format_quantity, join_words
from harness.reporting.page.tables import count_fewest_seeds
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS, select_error_interval
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.variance.replication import describe_replication, describe_test_images
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Degradation, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_markdown
from harness.tracking.metrics import TEST_ERROR

MAX_TITLES = 2
"""Most contrasts that a caveat of several of them names."""
MAX_CAVEATS = 3
"""Most caveats that stand beside the verdict; the others are in the section "Limitations"."""


def list_caveats(study: ResolvedExperiment, final: pd.DataFrame, verdicts: Sequence[Verdict]) -> tuple[list[str], bool]:
    """Return the two or three caveats that matter most as Markdown, and whether more stand under Limitations.

    Those of the verdicts come first, the most important one of each verdict before the second ones. General ones fill
    up to two.
    """
    of_verdicts = _list_verdict_caveats(verdicts)
    general = [next(_limits_of_recipe(study)), next(_limits_of_data(study, final))]
    shown = of_verdicts[:MAX_CAVEATS]
    return shown + general[: max(0, MAX_CAVEATS - 1 - len(shown))], len(of_verdicts) > len(shown)


def _list_verdict_caveats(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the caveats of all verdicts once each as Markdown.

    A caveat names its verdicts, unless all verdicts of their kind have it. Contrasts of other kinds may have no margin.
    """
    ranked = sorted(
        ((rank, number, caveat) for number, v in enumerate(verdicts) for rank, caveat in enumerate(v.caveats)),
        key=lambda entry: entry[:2],
    )
    owners: dict[str, list[int]] = {}
    for _, number, caveat in ranked:
        owners.setdefault(caveat, []).append(number)
    lines = []
    for caveat, numbers in owners.items():
        alike = [verdict for verdict in verdicts if verdict.kind in {verdicts[n].kind for n in numbers}]
        is_common = len(set(numbers)) == len(alike) and (len(alike) > 1 or len(verdicts) == 1)
        titles = list(dict.fromkeys(verdicts[n].title for n in numbers))
        named = join_words(titles) if len(titles) <= MAX_TITLES else f"{len(titles)} contrasts"
        title = "" if is_common else f"{named}: "
        lines.append(escape_markdown(title + caveat))
    return lines


def list_limitations(study: ResolvedExperiment, final: pd.DataFrame, verdicts: Sequence[Verdict]) -> list[str]:
    """Return one Markdown paragraph per limitation, without the caveats that stand beside the verdict.

    Args:
        final: The last epoch of every trial.
    """
    shown, _ = list_caveats(study, final, verdicts)
    limitations = [
        *_list_verdict_caveats(verdicts),
        *_limits_of_recipe(study),
        _limits_of_seeds(study, final),
        *_limits_of_data(study, final),
        *_limits_of_trials(final, verdicts),
    ]
    return [line for line in limitations if line not in shown]


def _limits_of_recipe(study: ResolvedExperiment) -> Iterator[str]:
    """Yield the paragraphs on the budget and the recipes."""
    tune = study.experiment.tune
    epochs = format_quantity(study.experiment.recipe.epochs, "epoch")
    if tune is None:
        yield (
            f"All variants have one budget of {epochs} and one recipe. A variant with a higher error may only converge "
            "more slowly, or need another recipe. A longer budget would show it."
        )
        return
    yield (
        f"All variants have one budget of {epochs}. A variant with a higher error may only converge more slowly. "
        "A longer budget would show it."
    )
    yield (
        f"The search tried {format_quantity(tune.samples, 'recipe')} per variant and chose by {study.data.val:,} "
        f"validation images at {format_quantity(len(tune.seeds), 'seed')}. A larger search, or a search over other "
        "fields, may choose other recipes. The search is not repeated, so the intervals leave out how much its choice "
        "varies."
    )


def _limits_of_seeds(study: ResolvedExperiment, final: pd.DataFrame) -> str:
    """Return the paragraph on the number of seeds."""
    n = count_fewest_seeds(study, final)
    if n < SEEDS_FOR_CLAIMS:
        return f"{format_quantity(n, 'seed')}: too few for any claim; {SEEDS_FOR_CLAIMS} are needed."
    if not study.experiment.contrasts:
        return describe_replication(study)
    return (
        f"{describe_replication(study)} Analyses that this record holds are listed in this report. Those that were "
        "made outside of this record are not in it."
    )


def _limits_of_data(study: ResolvedExperiment, final: pd.DataFrame) -> Iterator[str]:
    """Yield the paragraphs on the data, and on the precision of a test error."""
    data = study.data
    yield (
        f"There is one data set: {escape_markdown(data.name)}, with {data.train:,} training images of "
        f"{data.size[0]} × {data.size[1]} pixels. Results on other data, image sizes and widths may differ."
    )
    rows = final[final[TEST_ERROR].notna() & (final["outcome"] != TrialStatus.DIVERGED)]
    if data.test and len(rows):
        lowest = float(rows.groupby("variant", sort=False)[TEST_ERROR].mean().min())
        # Equal values have no spread over seeds, which selects the exact interval over images.
        interval = select_error_interval(estimate_mean([lowest] * SEEDS_FOR_INTERVALS), TEST_ERROR, data)
        assert interval is not None
        yield (
            f"There are {data.test:,} test images, so one image is {format_number(100 / data.test)} points. The lowest "
            f"mean test error, {format_number(lowest)} %, has an exact interval over images from "
            f"{format_interval(interval.low, interval.high)} %. {describe_test_images(study)}"
        )


def describe_margins(study: ResolvedExperiment) -> list[str]:
    """Return a sentence for each declared margin of a degradation: the number of images that it is.

    The caveats of a verdict say why it is declared.
    """
    lines = []
    contrasts = [contrast for contrast in study.experiment.contrasts if isinstance(contrast, Degradation)]
    for margin in sorted({contrast.margin for contrast in contrasts}):
        images = format_number(margin * study.data.train / 100, 1)
        lines.append(f"The margin of {margin:g} {'point' if margin == 1 else 'points'} is {images} training images.")
    return lines


def _limits_of_trials(final: pd.DataFrame, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the paragraphs on trials that shared a device or diverged."""
    if len(final) and final["shared"].any():
        yield "Trials shared their device, so their times must not be used to compare variants."
    if any(verdict.diverged for verdict in verdicts) or (final["outcome"] == TrialStatus.DIVERGED).any():
        yield "Diverged trials count at chance error, which is a convention. The verdict is also given without them."
