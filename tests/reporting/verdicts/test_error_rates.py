"""How often verdicts are wrong, and how often they find an effect, over thousands of simulated experiments."""

import numpy as np
import pytest
from reporting_helpers import TWO_VARIANTS, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch, History
from harness.tracking.results_table import build_results_table

EXPERIMENTS = 2_000
EXPERIMENTS_WITH_FOUR_CELLS = 1_000
"""Fewer, because each takes longer."""
A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
TWO_CELLS = {**TWO_VARIANTS, "seeds": list(range(8))}
FOUR_CELLS = {
    **TWO_CELLS,
    "variants": [{**TWO_VARIANTS["variants"][0], "depth": [8, 32]}],
    "contrasts": [{"kind": "degradation", "shallow": 8, "deep": 32, "margin": 1.0}],
}


def make_difference_study(side):
    return make_study(**{**TWO_CELLS, "contrasts": [{"kind": "difference", "a": A, "b": B, "side": side}]})


def make_one_epoch_results(study, errors):
    """Return results of one epoch in which all errors are ``errors[variant]``, in percent and one per seed."""
    costs, histories = {"cost/params": 1, "cost/macs": 1, "cost/flops": 2, "cost/activations": 1}, []
    for trial in study.trials:
        error = float(errors[trial.variant.name][study.experiment.seeds.index(trial.seed)])
        metrics = dict.fromkeys(("train/error", "train/error_clean", "test/error"), error)
        # Built without validation, which would take most of the time.
        epochs = (Epoch.model_construct(epoch=1, at=1763700000000, metrics=metrics),)
        histories.append(
            History.model_construct(
                id=trial.id,
                trial=trial,
                outcome=TrialStatus.FINISHED,
                costs={**costs, "counter": "planted"},
                provenance={"threads": 1, "shared": True},
                epochs=epochs,
            )
        )
    return build_results_table(study, histories)


def is_near(share, nominal):
    """Return whether a share of the experiments is nominal within four standard errors of the simulation."""
    return abs(share - nominal) <= 4 * (nominal * (1 - nominal) / EXPERIMENTS) ** 0.5


def decide_states(study, draw, seed, experiments=EXPERIMENTS):
    """Return the states (experiments, contrasts) of the verdicts on drawn errors."""
    generator = np.random.default_rng(seed)
    return np.array(
        [
            [verdict.state for verdict in decide_contrasts(make_one_epoch_results(study, draw(generator)))]
            for _ in range(experiments)
        ]
    )


def draw_difference(effect, names=(A, B), images=0):
    """Return a function that draws the errors of paired variants; the first one's are shifted by ``effect``.

    The standard deviation of a difference is 1. With ``images``, errors are whole numbers of images.
    """

    def draw(generator):
        shared = 30 + generator.normal(0, 1, 8)
        errors = {name: shared + generator.normal(0, 0.5**0.5, 8) for name in names}
        errors[names[0]] = errors[names[0]] + effect
        return {k: np.round(v * images / 100) * 100 / images for k, v in errors.items()} if images else errors

    return draw


def draw_degradation(plain, residual):
    """Return a function that draws the errors of four variants, whose mean changes with depth are given.

    The standard deviation of one seed's difference is 1.
    """

    def draw(generator):
        cells = 30 + generator.normal(0, 0.5**0.5, (4, 8))
        names = ("cifar-plain8-w8", "cifar-plain32-w8", "cifar-resnet8-w8", "cifar-resnet32-w8")
        return dict(zip(names, cells + np.array([[0], [plain], [0], [residual]]), strict=True))

    return draw


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "supported", "contradicted"),
    [
        # p is a multiple of 1/256: 9/256 is the largest up to 3/4 of 0.05, and 3/256 the largest up to 1/4 of it.
        pytest.param("less", 9 / 256, 3 / 256, id="less"),
        pytest.param("two-sided", 12 / 256, 0, id="two-sided"),
    ],
)
def test_equal_variants_are_called_different_at_most_at_the_level(side, supported, contradicted):
    states = decide_states(make_difference_study(side), draw_difference(0.0), seed=1)
    assert np.mean(states != "undecided") <= 0.06
    assert is_near(np.mean(states == "supported"), supported)
    assert is_near(np.mean(states == "contradicted"), contradicted)


@pytest.mark.slow
def test_any_of_three_equal_variants_is_called_different_at_most_at_the_level():
    """All three are compared with one baseline, and errors are whole numbers of images."""
    names = ("cifar-resnet8-w8", "cifar-resnet14-w8", "cifar-resnet20-w8", "cifar-plain8-w8")
    widths = {"widths": [8, 16, 32]}
    variants = [
        {"family": "cifar-resnet", "depth": [8, 14, 20], "shortcut": "identity", "set": widths},
        {"name": "cifar-plain8", "set": widths},
    ]
    contrasts = [{"kind": "difference", "a": name, "b": B} for name in names[:3]]
    study = make_study(**{**TWO_CELLS, "variants": variants, "contrasts": contrasts})
    states = decide_states(study, draw_difference(0.0, names, images=359), 2, EXPERIMENTS_WITH_FOUR_CELLS)
    assert 0 < np.mean((states != "undecided").any(axis=1)) <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "state", "power"), [(-2.0, "supported", 0.95), (2.0, "contradicted", 0.9)])
def test_an_effect_of_two_standard_deviations_is_found(effect, state, power):
    """The side that was not declared has less of the level, so its power is lower."""
    states = decide_states(make_difference_study("less"), draw_difference(effect), seed=3)
    assert np.mean(states == state) >= power
    assert np.mean((states != state) & (states != "undecided")) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plain", "residual", "most_decided"),
    [
        # "Contradicted" is right where plain networks do not rise, so only "supported" is limited there.
        pytest.param(0.0, -5.0, 1.0, id="plain networks do not rise"),
        pytest.param(20.0, 1.0, 0.06, id="residual networks rise by the margin"),
    ],
)
def test_degradation_at_the_edge_of_its_claim_is_supported_at_most_at_the_level(plain, residual, most_decided):
    states = decide_states(make_study(**FOUR_CELLS), draw_degradation(plain, residual), 4, EXPERIMENTS_WITH_FOUR_CELLS)
    assert np.mean(states == "supported") <= 0.06
    assert np.mean(states != "undecided") <= most_decided


@pytest.mark.slow
def test_degradation_of_two_standard_deviations_is_found():
    states = decide_states(make_study(**FOUR_CELLS), draw_degradation(3.0, -2.0), 5, EXPERIMENTS_WITH_FOUR_CELLS)
    assert np.mean(states == "supported") >= 0.95


@pytest.mark.parametrize(("effect", "state"), [(-4.0, "supported"), (4.0, "contradicted"), (0.0, "undecided")])
def test_each_state_of_a_difference_occurs(effect, state):
    states = decide_states(make_difference_study("less"), draw_difference(effect), seed=6, experiments=5)
    assert state in states


@pytest.mark.parametrize(
    ("plain", "residual", "state"), [(20, 0, "supported"), (20, 10, "contradicted"), (1, 0, "undecided")]
)
def test_each_state_of_a_degradation_occurs(plain, residual, state):
    states = decide_states(make_study(**FOUR_CELLS), draw_degradation(plain, residual), seed=6, experiments=5)
    assert state in states
