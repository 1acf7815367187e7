"""The lines of a plan on declared sources of randomness, targets and matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.reporting.formatting import format_quantity, join_words
from harness.specs.experiment.targets import TimeToTarget
from harness.specs.matching.questions import describe_matches
from harness.specs.replication.assign_streams import varied_sources
from harness.specs.replication.replicate import Replication
from harness.specs.replication.sources import SOURCES

if TYPE_CHECKING:
    from harness.specs import ResolvedExperiment
    from harness.specs.experiment.experiment import Experiment


def describe_declared(study: ResolvedExperiment) -> list[str]:
    """Return a line for each of ``match``, ``replicate``, ``variance`` and ``targets`` that an experiment declares."""
    experiment = study.experiment
    lines = describe_matches(experiment.variants)
    if experiment.replicate != Replication():
        lines.append(f"The seeds vary {_describe_sources(experiment)}.")
    if experiment.variance is not None:
        lines.append(_describe_design(study))
    if experiment.targets:
        lines.append(_describe_targets(experiment))
    return lines


def _describe_sources(experiment: Experiment) -> str:
    """Return which sources the seeds vary, and the seed of the others."""
    varied, hold_at = varied_sources(experiment), experiment.replicate.hold_at
    if experiment.variance is not None:
        hold_at = experiment.variance.hold_at
    parts = [join_words(varied)]
    if held := [source for source in SOURCES if source not in (*varied, "split")]:
        parts.append(f"{join_words(held)} {'has' if len(held) == 1 else 'have'} seed {hold_at} in all trials")
    if "split" not in varied:
        parts.append("the split is that of data.split_seed")
    return "; ".join(parts)


def _describe_design(study: ResolvedExperiment) -> str:
    """Return the size of a crossed design."""
    experiment, variants = study.experiment, len(study.variants)
    design = experiment.variance
    assert design is not None
    blocks = f" x {format_quantity(design.repeats, 'block')}" if design.repeats > 1 else ""
    return (
        f"The crossed design varies {_describe_sources(experiment)}. It has {design.levels} levels of each source: "
        f"{design.levels}²{blocks} = {format_quantity(design.runs, 'trial')} of each variant, {variants * design.runs} "
        f"in all; {design.freedom} degrees of freedom for each source, {design.residual_freedom} for the residual."
    )


def _describe_targets(experiment: Experiment) -> str:
    """Return the targets, each with the units in which contrasts compare the time to it."""
    parts = []
    for target in experiment.targets:
        contrasts = [c for c in experiment.contrasts if isinstance(c, TimeToTarget) and c.declared_target == target]
        units = join_words(sorted({contrast.unit for contrast in contrasts}))
        compared = f" ({format_quantity(len(contrasts), 'contrast')}, in {units})" if contrasts else ""
        parts.append(f"{target.metric} of {target.value:g} % or less{compared}")
    return f"Reports show the time to {join_words(parts)}."


def declared_as_json(study: ResolvedExperiment) -> dict[str, Any]:
    """Return the same as values for JSON; None and empty lists where nothing is declared."""
    experiment = study.experiment
    design = experiment.variance
    return {
        "matches": [
            found.model_dump(mode="json")
            for selection in experiment.variants
            if selection.match is not None
            for found in selection.match.found
        ],
        "vary": varied_sources(experiment),
        "variance": None if design is None else {**design.model_dump(mode="json"), "trials_per_variant": design.runs},
        "targets": [target.model_dump(mode="json") for target in experiment.targets],
    }
