"""Values of the template ``stages.md.j2``: the decisions of the stages, and the trials that they saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reporting.formatting import ABSENT, format_interval, format_points, format_quantity, join_words
from harness.reporting.stages.futility import explain_futility
from harness.reporting.stages.looks import ComponentLooks, list_looks
from harness.reporting.stages.savings import Design, fixed_design, recorded_design, seeds_of_equal_power
from harness.reporting.statistics.stage_estimate import StageEstimate
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.adaptive.decide import StageSpec
from harness.specs.declarations.batches import level_share
from harness.text import escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results


def build_stages_section(results: Results, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the content of the section on stages: ``stages`` is None unless the experiment is adaptive.

    Args:
        verdicts: One per declared contrast.
    """
    study = results.study
    decide = study.experiment.decide
    if decide is None:
        return {"stages": None}
    looks = list_looks(study, verdicts)
    decided = sum(verdict.state != "undecided" for verdict in verdicts)
    futile = [explain_futility(verdict, study, decided) for verdict in verdicts]
    rows = [
        [escape_markdown(verdict.title), *_describe_state(verdict, reason)]
        for verdict, reason in zip(verdicts, futile, strict=True)
    ]
    return {
        "stages": {
            "declared": join_words(decide.stages),
            "rows": rows,
            "futile": [
                f"{verdict.title}: {reason}" for verdict, reason in zip(verdicts, futile, strict=True) if reason
            ],
            "costs": _describe_costs(results, verdicts, decide, futile),
            "estimates": [row for each in looks for row in _estimate_rows(each)],
            "is_corrected": any(each.at_stop is not None and each.at_stop.is_corrected for each in looks),
        }
    }


def _describe_state(verdict: Verdict, futile: str) -> tuple[str, str]:
    """Return the state of a contrast, and the stage that it rests on."""
    stage = verdict.stage
    if stage is None or not stage.analysed:
        return "not analysed yet", ABSENT
    if stage.decided_at is not None:
        return verdict.state, f"{stage.decided_at} of at most {stage.most} seeds"
    return f"undecided{', no further stage' if futile else ''}", f"{stage.analysed[-1]} of at most {stage.most} seeds"


def _describe_costs(
    results: Results, verdicts: Sequence[Verdict], decide: StageSpec, futile: Sequence[str]
) -> list[str]:
    """Return sentences on what was saved, or on what is missing while the experiment is not at its end."""
    study, final = results.study, results.final
    used = recorded_design(final)
    analysed = [max(v.stage.analysed, default=0) if v.stage is not None else 0 for v in verdicts]
    open_verdicts = [
        index
        for index, verdict in enumerate(verdicts)
        if verdict.state == "undecided" and not futile[index] and analysed[index] < decide.most
    ]
    if open_verdicts:
        reached = min(analysed[index] for index in open_verdicts)
        following = next(stage for stage in decide.stages if stage > reached)
        count = len(open_verdicts)
        return [
            f"The experiment is not at its end: {format_quantity(count, 'contrast')} {'is' if count == 1 else 'are'} "
            f"open, and the next stage is at {following} seeds. So far it has trained {_describe(used)}; nothing is "
            "saved yet."
        ]
    fixed = fixed_design(study, final, decide.most)
    less, is_decided = 100 * (1 - used.trials / fixed.trials), all(v.state != "undecided" for v in verdicts)
    saved = "saved" if is_decided else "not trained"
    batches = max(verdict.batches for verdict in verdicts)
    level = level_share(batches) * study.experiment.level / study.verdict_count
    share = min(contrast.smallest_share for contrast in study.experiment.contrasts)
    seeds, effect = seeds_of_equal_power(decide, level * share)
    equal = fixed_design(study, final, seeds)
    return [
        f"It trained {_describe(used)}. A fixed design with {decide.most} seeds of every variant takes "
        f"{_describe(fixed)}{f', so {less:.0f} % of the trials were {saved}' if less >= 1 else ''}.",
        f"A fixed design of equal power takes {seeds} seeds of every variant, {_describe(equal)}: with a chance of "
        f"80 %, both find an effect of {effect:.2f} standard deviations (one one-sided test at level "
        f"{level * share:.3g}, planned for normal differences).",
    ]


def _describe(design: Design) -> str:
    if design.hours is None:
        return format_quantity(design.trials, "trial")
    time = f"{design.hours:.2g} hours" if design.hours >= 1 else f"{60 * design.hours:.2g} minutes"
    return f"{format_quantity(design.trials, 'trial')} ({time} of training)"


def _estimate_rows(each: ComponentLooks) -> list[list[str]]:
    """Return the rows of a component: one for each stage, and one for the corrected estimate."""
    name = [escape_markdown(each.label), METRICS[each.metric].label]
    rows = [[*name, *_format_estimate(estimate, "naive")] for estimate in each.naive]
    if each.at_stop is not None and each.at_stop.is_corrected:
        rows.append([*name, *_format_estimate(each.at_stop, "corrected")])
    return rows


def _format_estimate(estimate: StageEstimate, kind: str) -> list[str]:
    interval = format_interval(estimate.low, estimate.high, sign=True)
    return [str(estimate.stage), str(estimate.n), format_points(estimate.effect), interval, kind]
