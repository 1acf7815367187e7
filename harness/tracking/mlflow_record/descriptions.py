"""The descriptions, in Markdown, that MLflow shows on the pages of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.specs import ExternalNetwork, Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.text import code_span, escape_markdown
from harness.tracking.history import History
from harness.tracking.metrics import (
    CLEAN_TRAINING_ERROR,
    METRICS,
    ONLINE_TRAINING_ERROR,
    TEST_ERROR,
    TRAINING_SECONDS,
)

DESCRIBED_ERRORS = (TEST_ERROR, CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR)


@dataclass(frozen=True)
class VariantDescription:
    """A report's description of one variant for the variant's run.

    Attributes:
        text: Markdown.
        metrics: Numbers by which MLflow's UI can chart and sort the variants.
    """

    text: str
    metrics: Mapping[str, float] = field(default_factory=dict)


def describe_variant(variant: AnyVariant) -> str:
    """Return one line of Markdown: the variant's name, kind, depth and family."""
    name = f"**{escape_markdown(variant.name)}**"
    if isinstance(variant, ExternalNetwork):
        return f"{name}: {escape_markdown(variant.factory)} of {escape_markdown(variant.kind)}"
    kind = "plain network" if variant.is_plain else f"residual network ({escape_markdown(variant.shortcut)} shortcuts)"
    family = f", family {escape_markdown(variant.family)}" if variant.family else ""
    return f"{name}: {kind} of depth {variant.depth}{family}"


def describe_variant_run(variant: AnyVariant, data: str) -> str:
    """Return the description of a variant's run before a report describes the variant.

    Args:
        data: The data set's name.
    """
    return (
        f"{describe_variant(variant)}, on {escape_markdown(data)}. "
        "This run holds the means over the variant's seeds; the runs of its trials are nested under it."
    )


def describe_trial_run(trial: Trial, history: History | None = None) -> str:
    """Return the description of a trial's run, with its last errors where its history is complete."""
    data = escape_markdown(trial.data.name)
    text = f"{describe_variant(trial.variant)}, on {data}, seed {trial.describe_seeds()}; trial {code_span(trial.id)}."
    return f"{text}\n\n{_describe_end(history)}" if history is not None and history.is_complete else text


def _describe_end(history: History) -> str:
    epochs = f"{history.last_epoch} epoch{'s' * (history.last_epoch != 1)}"
    if history.outcome is TrialStatus.DIVERGED:
        return (
            f"**Diverged** after {epochs}: its loss was not finite. This is a result: the trial counts with the error "
            "of guessing."
        )
    last = history.epochs[-1].metrics if history.epochs else {}
    errors = [
        f"{METRICS[key].label.lower()} {value:.2f} {METRICS[key].unit}"
        for key in DESCRIBED_ERRORS
        if (value := last.get(key)) is not None
    ]
    text = f"Errors after {epochs}: {'; '.join(errors) or 'not measured'}."
    seconds = last.get(TRAINING_SECONDS)
    if seconds is None:
        return text
    shared = " on a shared device" if history.provenance.get("shared") else ""
    return f"{text} Training took {seconds:,.1f} s{shared}."


def describe_report_run(name: str, headline: str) -> str:
    """Return the description of an experiment's run ``report``.

    Args:
        name: The experiment's name.
        headline: The report's verdict, as Markdown.
    """
    return (
        f"{headline}\n\nThe report is `README.md` under Artifacts, with its figures, `results.csv` and the experiment "
        f"as it ran. `harness report {name}` writes the report again from this record."
    )
