"""The stages of an adaptive experiment: in a plan, as JSON, and at the end of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from harness.reporting.formatting import format_quantity, join_words

if TYPE_CHECKING:
    from harness.experiments.planning.plan import Plan
    from harness.experiments.planning.stage_forecast import Amount


def stages_as_json(plan: Plan) -> dict[str, Any] | None:
    """Return the stages of a plan and their forecast as values for JSON; None without stages."""
    forecast = plan.forecast
    if forecast is None or plan.stage is None:
        return None
    return {
        "declared": forecast.stages,
        "next": None if forecast.end else plan.stage.seeds,
        "end": forecast.end,
        **{
            name: {"trials": round(amount.trials, 1), "seconds": amount.seconds}
            for name, amount in (("least", forecast.least), ("expected", forecast.expected), ("most", forecast.most))
        },
        "assumption": forecast.assumption,
        "ends": [round(chance, 4) for chance in forecast.ends],
        "contrasts": [
            {"title": c.title, "state": c.state, "n": c.n, "needed": c.needed, "futile": c.futile}
            for c in (forecast.decision.contrasts if forecast.decision is not None else ())
        ],
    }


def describe_stages(plan: Plan) -> list[str]:
    """Return lines on the stages of a plan and what they may cost; empty without stages."""
    forecast = plan.forecast
    if forecast is None or plan.stage is None:
        return []
    lines = [f"It is analysed at {join_words(forecast.stages)} seeds, and ends once every contrast is decided."]
    if forecast.decision is not None:
        lines += [f"  After {forecast.decision.stage} seeds: {contrast}" for contrast in forecast.decision.contrasts]
    if forecast.end:
        return [*lines, f"No further stage follows. {forecast.end}"]
    lines.append(f"The trials above are those of {plan.stage}. Left to train until the end:")
    for name, amount in (("least", forecast.least), ("expected", forecast.expected), ("most", forecast.most)):
        lines.append(f"  {name:<8} {_describe_amount(amount)}")
    likely = next((n for n, chance in zip(forecast.stages, forecast.ends, strict=True) if chance >= 0.5), None)
    ends = f" Half of all such experiments end by {likely} seeds." if likely is not None else ""
    lines.append(f"The expected number {forecast.assumption}.{ends}")
    without = _list_without_contrast(plan)
    if without:
        verb = "has" if len(without) == 1 else "have"
        lines.append(f"{join_words(without)} {verb} no contrast, so only the seeds of the first stage.")
    return lines


def _describe_amount(amount: Amount) -> str:
    return f"{format_quantity(round(amount.trials), 'trial')}, about {timedelta(seconds=round(amount.seconds))}"


def _list_without_contrast(plan: Plan) -> list[str]:
    """Return the names of the variants that no contrast compares."""
    compared = {name for names in plan.study.contrast_variants for name in names.values()}
    return [variant.name for variant in plan.study.variants if variant.name not in compared]
