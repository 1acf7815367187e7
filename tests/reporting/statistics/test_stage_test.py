import itertools
import math

import numpy as np
import pytest

from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.stage_test import first_rejection, run_stage_tests, spent_level, spent_levels

STAGES = (3, 5, 7)
SPENT = (0.25, 0.4, 0.6)


def brute_force_rejection(x, side, stages, spent):
    """Return the stage that rejects, by listing all assignments of signs in whole numbers, so that ties are exact."""
    sign = {"less": -1, "greater": 1, "two-sided": 1}[side]
    x = [sign * value for value in x]
    assignments = list(itertools.product((1, -1), repeat=len(x)))
    rejected = set()
    for n, level in zip(stages, spent, strict=True):
        statistics = {signs: sum(s * abs(v) for s, v in zip(signs[:n], x[:n], strict=True)) for signs in assignments}
        if side == "two-sided":
            statistics = {signs: abs(value) for signs, value in statistics.items()}
        for value in sorted({statistics[s] for s in assignments if s not in rejected}, reverse=True):
            more = {s for s in assignments if s not in rejected and statistics[s] == value}
            if len(rejected) + len(more) > level * len(assignments):
                break
            rejected |= more
        if tuple(1 if v >= 0 else -1 for v in x) in rejected:
            return n
    return None


@pytest.mark.parametrize("side", ["less", "greater", "two-sided"])
def test_first_rejection_equals_a_list_of_all_assignments(side):
    rows = np.random.default_rng(1).integers(-3, 6, (60, 7))
    found = [first_rejection(row * 0.1 + 0.5, side, 0.5, STAGES, SPENT) for row in rows]
    assert found == [brute_force_rejection(row.tolist(), side, STAGES, SPENT) for row in rows]
    assert {None, *STAGES} == set(found)


@pytest.mark.parametrize("side", ["less", "greater", "two-sided"])
@pytest.mark.parametrize("n", [8, 24])
def test_one_stage_is_the_fixed_sign_flip_test(side, n):
    rows = np.random.default_rng(2).normal(0.3, 1, (5, n))
    results = run_stage_tests(rows, side, 0.1, [n], [0.05])
    p = [sign_flip_p_value(row, side, 0.1) for row in rows]
    assert results.p == pytest.approx(p, abs=0 if n == 8 else 0.006)
    assert results.stage.tolist() == [n if share <= 0.05 else 0 for share in results.p]


def test_p_is_at_most_the_spent_level_exactly_where_a_stage_rejects():
    rows = np.random.default_rng(3).normal(0.5, 1, (100, 16))
    stages = (8, 12, 16)
    spent = spent_levels(0.05, stages)
    results = run_stage_tests(rows, "greater", 0.0, stages, spent)
    level = [spent[stages.index(stage)] if stage else spent[-1] for stage in results.stage.tolist()]
    assert ((results.p <= level) == (results.stage > 0)).all()
    assert {0, *stages} == set(results.stage.tolist())


@pytest.mark.parametrize("exact_pairs", [8, 20])
def test_a_decision_is_final_when_more_pairs_arrive(exact_pairs):
    rows = np.random.default_rng(4).normal(0.6, 1, (100, 16))
    stages = (8, 12, 16)
    spent = spent_levels(0.05, stages)
    ends = {n: run_stage_tests(rows[:, :n], "greater", 0.0, stages, spent, exact_pairs, 999).stage for n in stages}
    for earlier, later in itertools.pairwise(stages):
        decided = ends[earlier] > 0
        assert decided.any()
        assert (ends[later][decided] == ends[earlier][decided]).all()
        assert (ends[later][~decided] != earlier).all()


@pytest.mark.parametrize("exact_pairs", [8, 20])
def test_a_lost_pair_counts_as_if_it_had_not_been_asked_for(exact_pairs):
    row = np.random.default_rng(5).normal(0.7, 1, 16)
    with_lost = np.insert(row, 5, np.nan)
    for shift in (0.0, 0.3):
        lost = run_stage_tests(with_lost, "greater", shift, [17], [0.05], exact_pairs, 99_999).p
        assert lost == pytest.approx(sign_flip_p_value(row, "greater", shift), abs=0 if exact_pairs == 20 else 0.003)


def test_sampled_stages_agree_with_exact_ones():
    rows = np.random.default_rng(6).normal(0.5, 1, (100, 12))
    stages = (8, 10, 12)
    spent = spent_levels(0.05, stages)
    exact = run_stage_tests(rows, "greater", 0.0, stages, spent).stage
    sampled = run_stage_tests(rows, "greater", 0.0, stages, spent, exact_pairs=8, flips=20_000).stage
    assert (exact == sampled).mean() >= 0.95
    assert (exact[exact == 8] == sampled[exact == 8]).all()


def test_all_of_the_level_is_spent_at_the_most_and_a_part_before():
    assert spent_level(0.05, 32, 32) == pytest.approx(0.05)
    assert spent_level(0.05, 8, 32) == pytest.approx(0.05 * math.log(1 + (math.e - 1) / 4))
    assert spent_levels(0.05, (8, 16)) == (spent_level(0.05, 8, 16), spent_level(0.05, 16, 16))


def test_no_level_rejects_nothing_and_the_whole_level_rejects_everything():
    assert first_rejection([1.0] * 8, "greater", 0.0, [8], [0.0]) is None
    assert first_rejection([-1.0] * 8, "greater", 0.0, [8], [1.0]) == 8


def test_a_stage_that_is_not_reached_is_not_tested():
    assert first_rejection([1.0] * 7, "greater", 0.0, [8], [0.05]) is None


@pytest.mark.parametrize(("stages", "spent"), [((8, 8), (0.1, 0.1)), ((8, 12), (0.1,)), ((8, 12), (0.2, 0.1))])
def test_stages_that_do_not_rise_are_refused(stages, spent):
    with pytest.raises(ValueError, match="stages must rise"):
        first_rejection([1.0] * 16, "greater", 0.0, stages, spent)
