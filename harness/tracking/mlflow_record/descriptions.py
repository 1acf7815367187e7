"""What a person reads on the page of a run in MLflow: its description, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.specs import ExternalNetwork, Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.text import code_span, escape_markdown
from harness.tracking.history import History

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a description."""


@dataclass(frozen=True)
class VariantDescription:
    """What a report says of one variant: the description of its run, and numbers to chart and to sort by."""

    text: str
    metrics: Mapping[str, float] = field(default_factory=dict)


def describe_variant(variant: AnyVariant) -> str:
    """What a variant is, in a line of Markdown that begins with its name."""
    if isinstance(variant, ExternalNetwork):
        return f"**{escape_markdown(variant.name)}**: {escape_markdown(variant.factory)} of {escape_markdown(variant.kind)}"
    kind = "plain network" if variant.is_plain else f"residual network ({escape_markdown(variant.shortcut)} shortcuts)"
    family = f", family {escape_markdown(variant.family)}" if variant.family else ""
    return f"**{escape_markdown(variant.name)}**: {kind} of depth {variant.depth}{family}"


def describe_variant_run(variant: AnyVariant, data: str) -> str:
    """Of a variant that no report has looked at yet."""
    return (
        f"{describe_variant(variant)}, on {escape_markdown(data)}. Means over its seeds; its trials are nested under it."
    )


def describe_trial_run(trial: Trial, history: History | None = None) -> str:
    """Of one trial; with its history how it came to its end."""
    what = f"{describe_variant(trial.variant)}, on {escape_markdown(trial.data.name)}, seed {trial.seed}; trial {code_span(trial.id)}."
    return what if history is None or not history.done else f"{what}\n\n{_end(history)}"


def _end(history: History) -> str:
    epochs = f"{history.last_epoch} epoch{'s' * (history.last_epoch != 1)}"
    last = history.epochs[-1].metrics if history.epochs else {}
    if history.outcome is TrialStatus.DIVERGED:
        return f"**Diverged** after {epochs}: its loss was not finite. It is a result, and counts at chance error."
    keys = {"test/error": "in testing", "train/error_clean": "clean in training", "train/error": "online in training"}
    errors = [f"{value:.2f} % {words}" for key, words in keys.items() if (value := last.get(key)) is not None]
    seconds = last.get("time/train_s")
    spent = "" if seconds is None else f" {seconds:,.1f} s of training"
    shared = " on a shared device" if spent and history.provenance.get("shared") else ""
    return f"Error after {epochs}: {', '.join(errors) or 'not measured'}.{spent}{shared}{'.' * bool(spent)}"


def describe_report_run(name: str, headline: str) -> str:
    """Of the run ``report``, with its verdict on top."""
    return (
        f"{headline}\n\nThe report is `README.md` under Artifacts, with its figures, `results.csv` and the experiment "
        f"as it ran. `harness report {name}` writes it again from this record."
    )
