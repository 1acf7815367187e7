"""How often verdicts are wrong, and how often they find an effect: simulated records through the whole pipeline.

Effects of a degradation are in units of its margin. tests/reporting/statistics simulates the tests themselves with many
more experiments, and under skew.
"""

import numpy as np
import pytest
from record_simulations import CELLS, DEEP_PLAIN, DEEP_RESIDUAL, DEGRADATION, DIFFERENCE, RESIDUAL, SimulatedRecord

from harness.reporting.verdicts import decision

RECORDS = 2_000
LEVEL = 0.05
STAGES = {"first": 8, "step": 2, "most": 12}
IMAGE = 100 / 359
"""The test error of one image, in percent."""
DECIDED = ("supported", "contradicted")


@pytest.fixture(autouse=True)
def skip_planning(monkeypatch):
    """Leave out the number of seeds that would decide: it changes no state, and takes most of the time."""
    monkeypatch.setattr(decision, "count_seeds_needed", lambda components, level: None)


def draw_equal(generator, shape, sd=0.5**0.5):
    """Return errors of equal variants; a difference of two has the standard deviation 1."""
    return 30 + generator.normal(0, sd, shape)


def draw_degradation(generator, n, plain, residual, sd=0.5):
    """Return errors whose mean changes with depth are given; a change has the standard deviation ``sd`` over seeds."""
    return draw_equal(generator, (4, n), sd / 2**0.5) + np.array([[0], [plain], [0], [residual]])


def draw_pairs(generator, n, correlation, effect=0.0):
    """Return errors of two variants with this correlation, of which the second is higher by ``effect``.

    A difference has the standard deviation 1.
    """
    covariance = np.array([[1, correlation], [correlation, 1]]) / (2 - 2 * correlation)
    return 30 + generator.multivariate_normal([0.0, effect], covariance, n).T


def count_states(record, draw, records=RECORDS, seed=1):
    """Return the share of each state over simulated records: that of a single contrast, or of the first decided one.

    Args:
        draw: Return the errors of one record, or these and further arguments of :meth:`SimulatedRecord.with_errors`.
    """
    generator, states = np.random.default_rng(seed), []
    for _ in range(records):
        drawn = draw(generator)
        errors, problems = drawn if isinstance(drawn, tuple) else (drawn, {})
        decided = [state for state in record.decide(errors, **problems) if state in DECIDED]
        states.append(decided[0] if decided else "undecided")
    return {state: states.count(state) / records for state in (*DECIDED, "undecided")}


def draw_ties(generator, shape):
    """Return whole numbers of images that are few images apart, so that many pairs tie."""
    return np.round(draw_equal(generator, shape, 1.5 * IMAGE) / IMAGE) * IMAGE


def diverge(generator, shape):
    """Return errors of equal variants, of which each trial diverges in 5 %."""
    return draw_equal(generator, shape), {"diverged": generator.random(shape) < 0.05}


def lose(generator, shape):
    """Return errors of equal variants with a correlation of -0.7 over seeds, of which each trial is lost in 5 %."""
    return draw_pairs(generator, shape[1], -0.7), {"lost": generator.random(shape) < 0.05}


FAMILY = [{**DIFFERENCE, "a": name} for name in (RESIDUAL, DEEP_PLAIN, DEEP_RESIDUAL)]
"""Three contrasts with a common baseline."""
NULLS = {
    # The contrasts, what draws a record without a true effect beyond the bound, and the states that are wrong there.
    "zero": ([DIFFERENCE], draw_equal, DECIDED),
    "ties": ([DIFFERENCE], draw_ties, DECIDED),
    "diverged seeds": ([DIFFERENCE], diverge, DECIDED),
    "lost pairs": ([DIFFERENCE], lose, DECIDED),
    "three contrasts": (FAMILY, draw_equal, DECIDED),
    "plain networks rise by the margin": (
        [DEGRADATION],
        lambda generator, shape: draw_degradation(generator, shape[1], 1.0, -5.0),
        ("supported",),
    ),
    "residual networks rise by the margin": (
        [DEGRADATION],
        lambda generator, shape: draw_degradation(generator, shape[1], 9.0, 1.0),
        ("supported",),
    ),
}


def simulate_null(name, decide):
    """Return the share of records of :data:`NULLS` with a wrong verdict."""
    contrasts, draw, wrong = NULLS[name]
    record = SimulatedRecord(contrasts, 10 if name == "lost pairs" else 8, decide=decide)
    shares = count_states(record, lambda generator: draw(generator, (len(record.variants), record.seeds)))
    return sum(shares[state] for state in wrong)


@pytest.mark.slow
@pytest.mark.parametrize("decide", [None, STAGES], ids=["fixed", "in stages"])
@pytest.mark.parametrize("name", NULLS)
def test_verdicts_without_an_effect_are_wrong_at_most_as_often_as_the_level(name, decide):
    # Two standard errors of the simulation above the level.
    assert simulate_null(name, decide) <= LEVEL + 2 * (LEVEL * (1 - LEVEL) / RECORDS) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("rise", "right"), [(0.1, "contradicted"), (0.75, "contradicted"), (1.5, "supported")])
def test_power_never_falls_with_n(rise, right):
    """The plain networks rise by 0.1, 0.75 and 1.5 margins, with a standard deviation of half a margin.

    0.1 is negligible and 1.5 is a rise. 0.75 is negligible as well, and takes many seeds to show.
    """
    few, many = (
        count_states(SimulatedRecord([DEGRADATION], n), lambda g, n=n: draw_degradation(g, n, rise, 0.0), 500)
        for n in (8, 12)
    )
    assert many[right] >= few[right] or many[right] > 0.95
    wrong = "supported" if right == "contradicted" else "contradicted"
    assert max(few[wrong], many[wrong]) <= 0.01
    assert many[right] >= {0.1: 0.95, 0.75: 0.15, 1.5: 0.7}[rise]


def test_a_clear_degradation_is_supported_and_a_negligible_one_contradicted():
    record = SimulatedRecord([DEGRADATION])
    assert count_states(record, lambda g: draw_degradation(g, 8, 5.0, 0.0, 0.3), 10)["supported"] == 1
    assert count_states(record, lambda g: draw_degradation(g, 8, 0.0, 0.0, 0.1), 10)["contradicted"] == 1


@pytest.mark.parametrize(("effect", "state"), [(-4.0, "supported"), (4.0, "contradicted")])
def test_a_large_difference_is_found_with_a_lost_pair_at_any_correlation(effect, state):
    """Nine seeds, of which one has lost a trial: the verdict rests on the eight pairs that are left."""
    record, generator = SimulatedRecord([DIFFERENCE], 9), np.random.default_rng(3)
    lost = np.zeros((2, 9), dtype=bool)
    lost[record.variants.index(RESIDUAL), 3] = True
    for _ in range(5):
        errors = draw_pairs(generator, 9, 0.95, effect)
        (verdict,) = decision.decide_contrasts(record.with_errors(errors, lost=lost))
        assert (verdict.state, verdict.n) == (state, 8)


@pytest.mark.parametrize("count", [1, 8])
def test_diverged_trials_alone_never_make_a_degradation(count):
    """The networks are equal; some seeds of the deep plain network diverge, and count at chance error."""
    diverged = np.array([[name == DEEP_PLAIN and seed < count for seed in range(8)] for name in CELLS])
    draw = lambda g: (draw_degradation(g, 8, 0.0, 0.0, 0.1), {"diverged": diverged})  # noqa: E731
    assert count_states(SimulatedRecord([DEGRADATION]), draw, 5)["supported"] == 0
