"""The stages that the record of an adaptive experiment says were analysed."""

from __future__ import annotations

from harness.specs.declarations.declare import declare
from harness.specs.experiment.resolved_experiment import ResolvedExperiment


def last_analysed_stage(study: ResolvedExperiment) -> int:
    """Return the number of seeds of the last stage that was analysed as the experiment is declared now; 0 for none."""
    declaration = declare(study).digest
    return max((a.stage or 0 for a in study.analyses if a.declaration == declaration), default=0)
