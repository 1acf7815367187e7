import pytest
from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.summaries import format_headline, format_summary_lines


@pytest.fixture
def verdicts():
    study = make_study(seeds=list(range(10)))
    errors = make_clean_errors(study, plain32=20.0)
    return decide_contrasts(make_results(study, errors, missing=[("cifar-plain32-w8", 4)]))


def test_format_headline_quotes_the_conclusion_with_its_notes(verdicts):
    headline = format_headline(verdicts)
    assert headline.startswith("> **Supported within this budget (10 epochs):** from depth 8")
    assert headline.splitlines()[1:3] == [">", "> 1 trial is not recorded: cifar-plain32-w8 seed 4."]


def test_format_summary_lines_indents_the_notes(verdicts):
    (verdict,) = verdicts
    assert format_summary_lines(verdicts) == [verdict.conclusion, *(f"  {note}" for note in verdict.notes)]


def test_without_contrasts_all_results_are_exploratory():
    assert "exploratory" in format_headline([])
    assert format_summary_lines([]) == [format_headline([])]
