"""Decisions over declared stages: which of them a record has reached, and which one decides a contrast, for good."""

import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.stage_levels import StagePlan, plan_stages

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
CLEAR = [-1.0, -1.2, -0.8, -1.1, -0.9, -1.3, -0.7, -1.0]
"""Differences of eight seeds that are decided at the first stage."""
UNCLEAR = [-1.0, 1.2, -0.8, 1.1, -0.9, 1.3, -0.7, 0.6]
"""Differences of eight seeds that decide nothing."""
DECIDE = {"first": 8, "step": 4, "most": 16}


def decide(differences, stage=None, missing=(), **changes):
    """Return the verdicts of an experiment whose pairs have these differences, as far as it has seeds."""
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(len(differences))), "decide": DECIDE, **changes})
    count = len(study.experiment.seeds)
    differences = [*differences, *[0.0] * (count - len(differences))]
    errors = {v.name: [10.0] * count for v in study.variants} | {A: [10.0 + d for d in differences]}
    results = make_results(study, test_errors=errors, missing=missing, gradients=False)
    return decide_contrasts(results, stage)


def unrecorded(*seeds, names=(A, B)):
    return [(name, seed) for name in names for seed in seeds]


def test_a_fixed_design_has_one_stage():
    study = make_study()
    assert plan_stages(study) == StagePlan("fixed", (8,))
    assert plan_stages(study).levels(0.05) == (0.05,)


def test_looks_share_the_level_equally_and_stages_spend_it():
    looks = plan_stages(make_study(looks=[8, 12, 16, 20, 24]))
    assert looks.levels(0.05) == pytest.approx([0.01] * 5)
    spent = plan_stages(make_study(decide=DECIDE)).levels(0.05)
    assert list(spent) == sorted(spent)
    assert spent[-1] == pytest.approx(0.05)


def test_a_contrast_is_decided_at_the_first_stage_that_suffices():
    (verdict,) = decide([*CLEAR, *[-1.0] * 8])
    assert (verdict.state, verdict.n, verdict.stage.decided_at) == ("supported", 8, 8)
    assert verdict.stage.analysed == (8, 12, 16)


def test_later_seeds_of_a_decided_contrast_change_nothing_but_the_estimate():
    (verdict,) = decide([*CLEAR, *[30.0] * 8])
    assert (verdict.state, verdict.n, verdict.p) == ("supported", 8, 1 / 256)
    assert verdict.components[0].tests[0].effect > 10


def test_a_later_stage_decides_what_an_earlier_one_left_open():
    (verdict,) = decide([-1.0, -1.2, -0.8, -1.1, -0.9, 0.8, -0.7, 0.5, *CLEAR])
    assert (verdict.state, verdict.stage.decided_at) == ("supported", 12)
    assert verdict.p_adjusted is None


def test_the_seeds_after_a_stage_are_not_seen_by_its_analysis():
    differences = [*CLEAR[:7], 0.9, *[-5.0] * 8]
    (early,), (late,) = decide(differences, stage=8), decide(differences)
    assert (early.state, early.n, early.stage.analysed) == ("undecided", 8, (8,))
    assert late.state == "supported"


def test_stages_follow_the_declared_order_of_seeds():
    seeds = [*range(8, 16), *range(8)]
    study = make_study(**TWO_VARIANTS | {"seeds": seeds, "decide": DECIDE})
    errors = {A: [10.0 + d for d in [*CLEAR, *[3.0] * 8]], B: [10.0] * 16}
    (verdict,) = decide_contrasts(make_results(study, test_errors=errors, gradients=False))
    assert (verdict.state, verdict.stage.decided_at) == ("supported", 8)


def test_a_stage_counts_once_all_its_trials_are_recorded():
    (verdict,) = decide([*CLEAR, *CLEAR], missing=unrecorded(*range(7, 16)))
    assert (verdict.state, verdict.stage.analysed) == ("undecided", ())
    (verdict,) = decide([*CLEAR, *CLEAR], missing=unrecorded(*range(8, 16)))
    assert (verdict.state, verdict.stage.analysed) == ("supported", (8,))


def test_a_stage_with_a_lost_trial_counts_once_it_is_over():
    lost = [(A, 3)]
    (verdict,) = decide([*CLEAR, *CLEAR], missing=[*lost, *unrecorded(*range(8, 16))])
    assert (verdict.stage.analysed, verdict.n) == ((), 7)
    (verdict,) = decide([*CLEAR, *CLEAR], missing=[*lost, *unrecorded(*range(12, 16))])
    assert (verdict.stage.analysed, verdict.n) == ((8,), 7)
    (verdict,) = decide([*CLEAR, *CLEAR], stage=12, missing=[*lost, *unrecorded(*range(12, 16))])
    assert (verdict.state, verdict.n, verdict.stage.decided_at) == ("supported", 11, 12)


def test_a_variant_that_is_no_longer_trained_reaches_no_further_stage():
    (verdict,) = decide([*UNCLEAR, *UNCLEAR], missing=unrecorded(*range(8, 16), names=[A]))
    assert (verdict.state, verdict.stage.analysed) == ("undecided", (8,))


def test_no_stage_below_eight_pairs_decides():
    (verdict,) = decide([*CLEAR, *UNCLEAR], stage=8, missing=[(A, 0)])
    assert (verdict.state, verdict.p) == ("undecided", None)


def test_a_look_that_decides_is_final():
    (verdict,) = decide([*CLEAR, *[30.0] * 8], decide=None, looks=[8, 16])
    assert (verdict.state, verdict.n, verdict.stage.decided_at) == ("supported", 8, 8)


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        pytest.param([], "supported", id="2/256 is below the level of 0.0375"),
        pytest.param([8, 16, 24, 32, 40], "undecided", id="2/256 is above a fifth of it"),
    ],
)
def test_a_look_has_its_share_of_the_level(looks, state):
    differences = [-1.0, -1.0, -1.0, -1.0, -1.0, -0.5, -1.5, 0.1]
    (verdict,) = decide(differences, decide=None, looks=looks)
    assert (verdict.p, verdict.state) == (2 / 256, state)
    assert verdict.level == pytest.approx(0.0375 / max(len(looks), 1))


def test_a_decided_contrast_leaves_its_level_to_the_others():
    """Alone at the whole level the second contrast passes; at half of it, only after the first one is decided."""
    names = [A, B, "cifar-plain20-w8"]
    variants = [
        {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [8, 16, 32]}}
    ]
    variants += [{"name": "cifar-plain20", "set": {"widths": [8, 16, 32]}}]
    contrasts = [{"kind": "difference", "a": names[0], "b": b} for b in names[1:]]
    study = make_study(variants=variants, contrasts=contrasts, seeds=list(range(8)), level=0.0105)
    ps = {}
    for first in (10.0, 12.0):
        errors = {A: [10.0 + 0.1 * (i % 3) for i in range(8)], B: [first] * 8, names[2]: [20.0] * 8}
        verdicts = decide_contrasts(make_results(study, test_errors=errors, gradients=False))
        ps[first] = [(verdict.p, verdict.state) for verdict in verdicts]
    # p = 1/256 needs a level of 1/256 * 4/3 = 0.0052: half of the level is 0.00525.
    assert ps[12.0] == [(1 / 256, "supported")] * 2
    assert ps[10.0][1] == (1 / 256, "supported")
    assert ps[10.0][0][1] != "supported"
