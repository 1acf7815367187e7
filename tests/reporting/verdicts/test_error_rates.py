"""Thousands of planted records from history to verdict: how often a verdict is wrong, and how often it finds."""

import numpy as np
import pytest

from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.history import Epoch, History
from harness.tracking.results_table import build_results_table

RECORDS = 2_000
FEWER = 1_000
"""Where there are several cells, which take as much longer."""
A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
TWO = {
    "variants": [
        {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [8, 16, 32]}}
    ],
    "recipe": {"epochs": 1, "batch": 128, "lr": 0.05},
    "seeds": list(range(8)),
}


def record(study, errors):
    """Histories of one epoch that end at ``errors[variant]``, one per seed in percent, and the table of them."""
    costs, histories = {"cost/params": 1, "cost/macs": 1, "cost/flops": 2, "cost/activations": 1}, []
    for trial in study.trials:
        error = float(errors[trial.variant.name][study.experiment.seeds.index(trial.seed)])
        metrics = dict.fromkeys(("train/error", "train/error_clean", "test/error"), error)
        # Validated by its neighbours; thousands of them are made here.
        epochs = (Epoch.model_construct(epoch=1, at=1763700000000, metrics=metrics),)
        histories.append(
            History.model_construct(
                id=trial.id,
                trial=trial,
                outcome="finished",
                costs={**costs, "counter": "planted"},
                provenance={"threads": 1, "shared": True},
                epochs=epochs,
            )
        )
    return build_results_table(study, histories)


def near(share, nominal):
    """Whether a share of the records is ``nominal`` within four standard errors of the simulation."""
    return abs(share - nominal) <= 4 * (nominal * (1 - nominal) / RECORDS) ** 0.5


def states(study, draw, seed, records=RECORDS):
    """The verdicts' states over the planted records: (records, contrasts)."""
    generator = np.random.default_rng(seed)
    return np.array([[v.state for v in decide_contrasts(record(study, draw(generator)))] for _ in range(records)])


def draws(effect, names=(A, B), images=0):
    """Paired errors of each variant: seeds in common, noise of its own (sd of a difference 1), the first shifted."""

    def draw(generator):
        shared = 30 + generator.normal(0, 1, 8)
        made = {name: shared + generator.normal(0, 0.5**0.5, 8) for name in names}
        made[names[0]] = made[names[0]] + effect
        return {k: np.round(v * images / 100) * 100 / images for k, v in made.items()} if images else made

    return draw


@pytest.mark.slow
@pytest.mark.parametrize("side", ["less", "two-sided"])
def test_two_equal_variants_are_rarely_called_different(study, side):
    """Supported and contradicted together: where there is no difference, both are wrong."""
    s = study(**TWO, contrasts=[{"kind": "difference", "a": A, "b": B, "side": side}])
    found = states(s, draws(0.0), seed=1)
    assert np.mean(found != "undecided") <= 0.06
    # What 256 assignments of signs can attain: three quarters of 0.05 and a quarter, or both sides at once.
    claimed, opposite = {"less": (9 / 256, 3 / 256), "two-sided": (12 / 256, 0)}[side]
    assert near(np.mean(found == "supported"), claimed)
    assert near(np.mean(found == "contradicted"), opposite)


@pytest.mark.slow
def test_a_family_of_equal_variants_is_rarely_called_different(study):
    """Three contrasts against one baseline, errors counted in images: a wrong verdict in any of them counts."""
    names = ("cifar-resnet8-w8", "cifar-resnet14-w8", "cifar-resnet20-w8", "cifar-plain8-w8")
    variants = [
        {"family": "cifar-resnet", "depth": [8, 14, 20], "shortcut": "identity", "set": {"widths": [8, 16, 32]}}
    ]
    s = study(
        **{**TWO, "variants": [*variants, {"name": "cifar-plain8", "set": {"widths": [8, 16, 32]}}]},
        contrasts=[{"kind": "difference", "a": name, "b": B} for name in names[:3]],
    )
    wrong = np.mean((states(s, draws(0.0, names, images=359), seed=2, records=FEWER) != "undecided").any(axis=1))
    assert 0 < wrong <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "state"), [(-2.0, "supported"), (2.0, "contradicted")])
def test_an_effect_of_two_standard_deviations_is_found(study, effect, state):
    """One declared contrast and eight seeds; on the side that was not declared, which has less level, more rarely."""
    s = study(**TWO, contrasts=[{"kind": "difference", "a": A, "b": B, "side": "less"}])
    found = states(s, draws(effect), seed=3)
    assert np.mean(found == state) >= (0.95 if state == "supported" else 0.9)
    assert np.mean((found != state) & (found != "undecided")) == 0


@pytest.mark.slow
@pytest.mark.parametrize("case", ["nothing rises", "the residual nets rise by the margin"])
def test_degradation_is_rarely_supported_where_it_is_not_so(study, case):
    """At both edges of the claim. That the plain nets do not rise is no wrong verdict where they do not."""
    s = study(**{**TWO, "variants": [{**TWO["variants"][0], "depth": [8, 32]}]}, contrasts=[DEGRADATION])
    plain, residual = (0.0, -5.0) if case == "nothing rises" else (20.0, 1.0)
    found = states(s, degraded(plain, residual), seed=4, records=FEWER)
    assert np.mean(found == "supported") <= 0.06
    if case != "nothing rises":
        assert np.mean(found != "undecided") <= 0.06


@pytest.mark.slow
def test_degradation_of_two_standard_deviations_is_found(study):
    """Plain nets rise by two standard deviations of a difference, residual ones stay as far below the margin."""
    s = study(**{**TWO, "variants": [{**TWO["variants"][0], "depth": [8, 32]}]}, contrasts=[DEGRADATION])
    found = states(s, degraded(3.0, -2.0), seed=5, records=FEWER)
    assert np.mean(found == "supported") >= 0.95


DEGRADATION = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 1.0}


def degraded(plain, residual):
    """Four cells; the deep ones differ by so much on average. The sd of one seed's difference is 1."""

    def draw(generator):
        cells = 30 + generator.normal(0, 0.5**0.5, (4, 8))
        names = ("cifar-plain8-w8", "cifar-plain32-w8", "cifar-resnet8-w8", "cifar-resnet32-w8")
        return dict(zip(names, cells + np.array([[0], [plain], [0], [residual]]), strict=True))

    return draw


def test_all_three_verdicts_occur(study):
    s = study(**TWO, contrasts=[{"kind": "difference", "a": A, "b": B, "side": "less"}])
    generator = np.random.default_rng(6)
    found = {decide_contrasts(record(s, draws(effect)(generator)))[0].state for effect in (-4.0, 4.0, 0.0, 0.0, 0.0)}
    assert found == {"supported", "contradicted", "undecided"}
    s = study(**{**TWO, "variants": [{**TWO["variants"][0], "depth": [8, 32]}]}, contrasts=[DEGRADATION])
    cases = [degraded(20, 0), degraded(20, 10), degraded(0, 0), degraded(1, 0)]
    assert [decide_contrasts(record(s, case(generator)))[0].state for case in cases[:2]] == [
        "supported",
        "contradicted",
    ]
    assert "undecided" in {
        decide_contrasts(record(s, case(generator)))[0].state for case in cases[2:] for _ in range(5)
    }
