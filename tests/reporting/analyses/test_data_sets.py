"""Declarations of an experiment on several data sets: each data set has its own analyses."""

from data_sets_helpers import DEGRADED, make_data_sets_results, make_data_sets_study
from reporting_helpers import QUICKSTART

from harness.reporting.analyses.recording import build_log, trim_analyses
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.declarations.declare import add_logs
from harness.specs.declarations.exploratory import warn_exploratory


def analyse(study):
    """Return the verdict on each data set, and the experiment with all analyses."""
    views = make_data_sets_results(DEGRADED, DEGRADED, study=study).views
    verdicts = [decide_contrasts(view)[0] for view in views]
    logs = [
        build_log(view, [verdict], "2026-11-01T12:00:00+00:00") for view, verdict in zip(views, verdicts, strict=True)
    ]
    own = [analysis for log in logs for analysis in log.analyses]
    return verdicts, trim_analyses(add_logs(study, logs), own)


def test_a_changed_margin_is_flagged_on_each_data_set():
    verdicts, recorded = analyse(make_data_sets_study())
    assert [verdict.exploratory for verdict in verdicts] == ["", ""]
    assert len({analysis.cells for analysis in recorded.analyses}) == 2
    changed = make_data_sets_study(contrasts=[{**QUICKSTART["contrasts"][0], "margin": 5.0}]).with_looks_of(recorded)
    assert "margin 0.5 → 5" in warn_exploratory(changed)
    again, _ = analyse(changed)
    assert ["margin 0.5 → 5" in verdict.exploratory for verdict in again] == [True, True]
    assert [verdict.first.state for verdict in again] == [verdict.state for verdict in verdicts]
