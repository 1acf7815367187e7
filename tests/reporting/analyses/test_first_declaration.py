"""The verdict under the first declaration: the same contrast, from the same data."""

import pytest
from reporting.analyses.analysis_helpers import CONTRAST, SECOND, THIRD, analyse, reason
from reporting_helpers import QUICKSTART, make_results, make_study

from harness.reporting.analyses.first_declaration import apply_declaration
from harness.specs.declarations.declare import declare


def test_apply_declaration_counts_a_removed_contrast_whose_variant_is_gone():
    both = {
        "variants": [
            {
                "family": "cifar-resnet",
                "depth": [8, 14],
                "shortcut": ["none", "identity"],
                "set": {"widths": [8, 16, 32]},
            }
        ]
    }
    gone = {**CONTRAST, "a": "cifar-resnet14-w8", "b": "cifar-plain14-w8"}
    _, recorded = analyse(8, contrasts=[CONTRAST, gone], **both)
    verdicts, _ = analyse(8, recorded, day=2)
    assert "removed: difference in test/error between cifar-resnet14-w8 and cifar-plain14-w8" in reason(verdicts)
    assert verdicts[0].first.p_adjusted == 2 * verdicts[0].p_adjusted


def test_apply_declaration_of_a_degradation_decides_the_first_margin():
    study = make_study()
    first = declare(study)
    changed = make_study(
        contrasts=[{**QUICKSTART["contrasts"][0], "margin": 5.0}], level=0.2, seeds=list(range(10, 20))
    )
    results = apply_declaration(make_results(changed, gradients=False), first)
    experiment = results.study.experiment
    assert (experiment.contrasts[0].margin, experiment.level, len(experiment.seeds)) == (0.5, 0.05, 8)
    assert {variant.depth for variant in results.study.variants} == {8, 32}
    assert set(results.epochs["seed"]) == set(range(10, 18))


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ([CONTRAST, SECOND, THIRD], [THIRD, CONTRAST, SECOND]),
        ([THIRD, SECOND, CONTRAST], [SECOND, THIRD]),
        ([SECOND, CONTRAST, THIRD], [THIRD]),
    ],
    ids=["reordered", "removed and reordered", "only the last is left"],
)
def test_first_verdict_is_that_of_the_same_contrast_however_contrasts_are_ordered_or_removed(first, later):
    _, recorded = analyse(8, contrasts=first)
    verdicts, _ = analyse(8, recorded, day=2, contrasts=later, level=0.2)
    assert [verdict.contrast.metric for verdict in verdicts] == [contrast["metric"] for contrast in later]
    for verdict in verdicts:
        assert verdict.first.contrast == verdict.contrast
        assert verdict.first.components[0].tests[0].metric == verdict.contrast.metric
