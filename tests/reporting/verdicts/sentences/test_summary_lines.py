from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.sentences.summary_lines import NO_VERDICT, format_summary_lines


def test_format_summary_lines_indents_the_conclusion_and_the_remarks():
    study = make_study(seeds=list(range(10)))
    errors = make_clean_errors(study, plain32=20.0)
    verdicts = decide_contrasts(make_results(study, errors, missing=[("cifar-plain32-w8", 4)]))
    (verdict,) = verdicts
    assert len(verdict.remarks) == 2, "the margin without a reason, and the missing trial"
    remarks = [f"  {remark}" for remark in verdict.remarks]
    assert format_summary_lines(verdicts) == [verdict.answer, f"  {verdict.conclusion}", *remarks]


def test_without_contrasts_all_results_are_exploratory():
    assert format_summary_lines([]) == [NO_VERDICT]
