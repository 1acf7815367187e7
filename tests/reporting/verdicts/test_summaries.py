import pytest
from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.summaries import format_headline, format_summary_lines


@pytest.fixture
def verdicts():
    study = make_study(seeds=list(range(10)))
    errors = make_clean_errors(study, plain32=20.0)
    return decide_contrasts(make_results(study, errors, missing=[("cifar-plain32-w8", 4)]))


def test_format_headline_has_two_bold_lines_with_answer_and_certainty(verdicts):
    first, gap, second = format_headline(verdicts).splitlines()
    assert (gap, verdicts[0].answer[:4]) == (">", "Yes:")
    assert first == f"> **{verdicts[0].answer}**"
    assert second.startswith("> **Supported within this budget (10 epochs) on digits: 9 paired seeds")


def test_format_headline_says_equal_certainties_once(verdicts):
    assert format_headline(verdicts * 2).count("Supported within") == 1
    assert format_headline(verdicts * 2).count("Yes:") == 2


def test_format_summary_lines_indents_the_conclusion_and_the_notes(verdicts):
    (verdict,) = verdicts
    notes = [f"  {note}" for note in verdict.notes]
    assert format_summary_lines(verdicts) == [verdict.answer, f"  {verdict.conclusion}", *notes]


def test_without_contrasts_all_results_are_exploratory():
    assert "exploratory" in format_headline([])
    assert format_summary_lines([]) == [format_headline([])]
