"""How often verdicts are wrong, and how often they find an effect: simulated records through the whole pipeline.

Effects of a degradation are in units of its margin. tests/reporting/statistics simulates the tests themselves with many
more experiments.
"""

import numpy as np
import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.verdicts import decision
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import TRAINING_ERRORS
from harness.tracking.results_table import Results

EXPERIMENTS = 100
A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
CELLS = ("cifar-plain8-w8", "cifar-plain32-w8", "cifar-resnet8-w8", "cifar-resnet32-w8")
DEGRADATION = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 1.0}


@pytest.fixture(autouse=True)
def skip_planning(monkeypatch):
    """Leave out the number of seeds that would decide: it changes no state, and takes most of the time."""
    monkeypatch.setattr(decision, "count_seeds_needed", lambda components, level: None)


def make_experiment(n=8, **changes):
    """Return the results of an experiment with four cells and one epoch; its errors are replaced later."""
    variants = [{**TWO_VARIANTS["variants"][0], "depth": [8, 32]}]
    fields = {**TWO_VARIANTS, "variants": variants, "seeds": list(range(n)), "contrasts": [DEGRADATION], **changes}
    return make_results(make_study(**fields), gradients=False)


def with_errors(results, errors, lost=(), diverged=()):
    """Return the results with other errors.

    Args:
        errors: By variant, one per seed.
        lost: (variant, seed) of trials that are not recorded.
        diverged: (variant, seed) of trials that diverged.
    """
    frame = results.epochs.copy()
    keys = list(zip(frame["variant"], frame["seed"], strict=True))
    for metric in (*TRAINING_ERRORS, "test/error"):
        frame[metric] = [errors[name][seed] for name, seed in keys]
    frame.loc[[key in set(diverged) for key in keys], "outcome"] = TrialStatus.DIVERGED.value
    return Results(results.study, frame[[key not in set(lost) for key in keys]].reset_index(drop=True))


def draw_degradation(generator, n, plain, residual, sd=0.5):
    """Return errors whose mean changes with depth are given; a change has the standard deviation ``sd`` over seeds."""
    cells = 30 + generator.normal(0, sd / 2**0.5, (4, n))
    return dict(zip(CELLS, cells + np.array([[0], [plain], [0], [residual]]), strict=True))


def count_states(results, draw, experiments=EXPERIMENTS, seed=1, **problems):
    """Return the share of each state over simulated experiments."""
    generator = np.random.default_rng(seed)
    states = [
        decision.decide_contrasts(with_errors(results, draw(generator), **problems))[0].state
        for _ in range(experiments)
    ]
    return {state: states.count(state) / experiments for state in ("supported", "contradicted", "undecided")}


@pytest.mark.slow
def test_power_never_falls_with_n():
    """The plain networks rise by 0.1, 0.75 and 1.5 margins, with a standard deviation of half a margin.

    0.1 is negligible and 1.5 is a rise. 0.75 is negligible as well, and takes many seeds to show.
    """
    right = {0.1: "contradicted", 0.75: "contradicted", 1.5: "supported"}
    for rise, state in right.items():
        shares = []
        for n in (8, 16):
            results = make_experiment(n)
            draw = lambda generator, n=n, rise=rise: draw_degradation(generator, n, rise, 0.0)  # noqa: E731
            shares.append(count_states(results, draw, 40))
        assert shares[1][state] >= shares[0][state] - 0.05, (rise, shares)
        wrong = {"supported": "contradicted", "contradicted": "supported"}[state]
        assert max(share[wrong] for share in shares) <= 0.05, (rise, shares)
    assert shares[1]["supported"] >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plain", "residual"),
    [
        pytest.param(1.0, -5.0, id="plain networks rise by the margin"),
        pytest.param(9.0, 1.0, id="residual networks rise by the margin"),
    ],
)
def test_degradation_at_a_margin_is_supported_at_most_at_the_level(plain, residual):
    shares = count_states(make_experiment(), lambda g: draw_degradation(g, 8, plain, residual))
    # Three standard errors of the simulation above the level of 0.05.
    assert shares["supported"] <= 0.05 + 3 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5


def test_a_clear_degradation_is_supported_and_a_negligible_one_contradicted():
    results = make_experiment()
    assert count_states(results, lambda g: draw_degradation(g, 8, 5.0, 0.0, 0.3), 10)["supported"] == 1
    assert count_states(results, lambda g: draw_degradation(g, 8, 0.0, 0.0, 0.1), 10)["contradicted"] == 1


def make_difference():
    contrast = {"kind": "difference", "a": A, "b": B}
    return make_results(make_study(**{**TWO_VARIANTS, "seeds": list(range(8)), "contrasts": [contrast]}))


def draw_difference(generator, effect, correlation=0.0):
    """Return errors of pairs with this correlation; a difference has the standard deviation 1."""
    cov = np.array([[1, correlation], [correlation, 1]]) / (2 - 2 * correlation)
    a, b = 30 + generator.multivariate_normal([effect, 0.0], cov, 8).T
    return {A: a, B: b}


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [-0.7, 0.0, 0.95])
def test_equal_variants_are_called_different_at_most_at_the_level_with_a_lost_pair(correlation):
    results = make_difference()
    results = make_results(results.study.replace(experiment=with_ten_seeds(results.study)))
    draw = lambda g: {k: np.append(v, [30.0 + g.normal()]) for k, v in draw_difference(g, 0.0, correlation).items()}  # noqa: E731
    shares = count_states(results, draw, lost=[(A, 3)])
    assert 1 - shares["undecided"] <= 0.05 + 3 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5


def with_ten_seeds(study):
    return study.experiment.model_copy(update={"seeds": tuple(range(9))})


@pytest.mark.parametrize(("effect", "state"), [(-4.0, "supported"), (4.0, "contradicted")])
def test_a_large_difference_is_found_with_a_lost_pair_at_any_correlation(effect, state):
    results = make_results(make_difference().study.replace(experiment=with_ten_seeds(make_difference().study)))
    generator = np.random.default_rng(3)
    for _ in range(5):
        errors = {k: np.append(v, v[0]) for k, v in draw_difference(generator, effect, 0.95).items()}
        (verdict,) = decision.decide_contrasts(with_errors(results, errors, lost=[(A, 3)]))
        assert (verdict.state, verdict.n) == (state, 8)


@pytest.mark.slow
def test_an_adaptive_experiment_without_a_difference_keeps_its_level():
    decide = {"first": 8, "step": 4, "most": 16}
    contrast = {"kind": "difference", "a": A, "b": B}
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(8)), "contrasts": [contrast], "decide": decide})
    results = make_results(study, test_errors={A: [1.0] * 16, B: [1.0] * 16}, gradients=False)
    draw = lambda g: dict(zip((A, B), 30 + g.normal(0, 0.5**0.5, (2, 16)), strict=True))  # noqa: E731
    shares = count_states(results, draw)
    assert 1 - shares["undecided"] <= 0.05 + 3 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5
    assert shares["supported"] < 0.08 > shares["contradicted"]


@pytest.mark.parametrize("count", [1, 8])
def test_diverged_trials_alone_never_make_a_degradation(count):
    """The networks are equal; some seeds of the deep plain network diverge, and count at chance error."""
    diverged = [(CELLS[1], seed) for seed in range(count)]
    draw = lambda g: draw_degradation(g, 8, 0.0, 0.0, 0.1)  # noqa: E731
    assert count_states(make_experiment(), draw, 5, diverged=diverged)["supported"] == 0
