"""Results on several data sets in pages over experiments and in diffs."""

import pytest
from data_sets_helpers import DEGRADED, FLAT, make_data_sets_results, make_data_sets_study
from reporting_helpers import make_results, make_study

from harness.errors import HarnessError
from harness.reporting.comparison.comparison import read_comparison, write_comparison
from harness.reporting.data_sets.separate import compare_data_sets, separate_data_sets
from harness.reporting.verdicts.decision import decide_contrasts

LIMITS = (0.05, 0.5, 5.0, ("test/error",))


def test_data_sets_stand_beside_each_other_in_a_comparison(differing, tmp_path):
    write_comparison(separate_data_sets(differing), tmp_path / "both")
    page = (tmp_path / "both" / "README.md").read_text()
    assert "quickstart-digits" in page
    assert "quickstart-fashion-mnist" in page
    again = read_comparison(tmp_path / "both")
    for part, own in zip(again, differing.views, strict=True):
        # The share of the level is kept in the file.
        assert part.study.verdict_count == 2
        assert [v.p_adjusted for v in decide_contrasts(part)] == [v.p_adjusted for v in decide_contrasts(own)]


def test_data_set_without_trials_is_left_out():
    (part,) = separate_data_sets(make_data_sets_results(DEGRADED, None))
    assert part.study.experiment.name == "quickstart-digits"


def test_long_name_stays_a_valid_name_of_an_experiment():
    study = make_data_sets_study(name="a" * 64)
    names = [part.study.experiment.name for part in separate_data_sets(make_data_sets_results({}, {}, study=study))]
    assert names == [f"{'a' * 57}-digits", f"{'a' * 50}-fashion-mnist"]


def test_single_data_set_is_kept_as_it_is():
    results = make_results(make_study())
    assert separate_data_sets(results) == [results]


def test_diff_names_the_data_set_of_each_change():
    old, new = make_data_sets_results(FLAT, FLAT), make_data_sets_results(FLAT, FLAT)
    diff = compare_data_sets(old, new, *LIMITS)
    assert [change.variant for change in diff.errors][::6] == [
        "cifar-plain8-w8 on digits",
        "cifar-plain8-w8 on fashion-mnist",
    ]
    assert diff.notes[0] == "Each of the 2 data sets is tested at 0.025."
    assert not diff.regression


def test_diff_of_other_data_sets_is_refused():
    with pytest.raises(HarnessError, match="OLD is on digits and fashion-mnist, and NEW is on digits"):
        compare_data_sets(make_data_sets_results(FLAT, FLAT), make_results(make_study()), *LIMITS)
