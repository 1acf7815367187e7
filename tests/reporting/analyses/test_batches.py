"""How often an experimenter who draws fresh batches of seeds until one is supported claims what is not there."""

import numpy as np
import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.analyses.recording import build_log
from harness.reporting.statistics.sign_flip_test import sign_flip_p_values
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.declarations.declare import add_logs

EXPERIMENTS, BATCHES = 4_000, 5


@pytest.fixture(scope="module")
def batches():
    """The verdict of each batch of eight seeds without any effect, as the record of all batches before it has it."""
    verdicts, held, generator = [], [], np.random.default_rng(3)
    names = [TWO_VARIANTS["contrasts"][0][role] for role in "ab"]
    for number in range(BATCHES):
        study = make_study(**TWO_VARIANTS, seeds=list(range(100 * number, 100 * number + 8)))
        errors = {name: 10 + generator.normal(0, 1, 8) for name in names}
        results = make_results(add_logs(study, held), test_errors=errors, gradients=False)
        (verdict,) = decide_contrasts(results)
        p = sign_flip_p_values(errors[names[0]] - errors[names[1]], "less")
        assert (verdict.state == "supported") == (p <= verdict.level)
        held.append(build_log(results, [verdict], f"2026-11-0{number + 1}T12:00:00+00:00"))
        verdicts.append(verdict)
    return verdicts


def test_fresh_batches_until_one_is_supported_claim_what_is_not_there_in_less_than_five_percent(batches):
    """At the whole level, 7.0 / 10.0 / 16.2 % of experiments end with a supported claim after 2 / 3 / 5 batches."""
    p = sign_flip_p_values(np.random.default_rng(18).normal(0, 1, (EXPERIMENTS, BATCHES, 8)), "less")
    whole = (p <= batches[0].level).cumsum(axis=1) > 0
    shared = (p <= [verdict.level for verdict in batches]).cumsum(axis=1) > 0
    assert whole.mean(axis=0)[[1, 2, 4]] == pytest.approx([0.070, 0.100, 0.162], abs=0.015)
    assert shared.mean(axis=0).max() <= 0.05 + 2 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5


def test_further_batches_have_a_quarter_and_an_eighth_of_the_level_and_so_on(batches):
    assert [verdict.level / batches[0].level for verdict in batches] == [1, 1 / 4, 1 / 8, 1 / 16, 1 / 32]
    assert not any(verdict.exploratory for verdict in batches)
