"""Analyses of one experiment, one after the other, with what the record then holds."""

from dataclasses import replace

from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.analyses.recording import build_log, trim_analyses
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.declarations.declare import add_logs

(CONTRAST,) = TWO_VARIANTS["contrasts"]
A, B = CONTRAST["a"], CONTRAST["b"]
SECOND = {**CONTRAST, "metric": "train/error"}
THIRD = {**CONTRAST, "metric": "train/error_clean"}


def analyse(n, recorded=None, first_seed=10, day=1, missing=(), decide_stage=None, **changes):
    """Decide an experiment with ``n`` seeds on a day of a month; ``recorded`` holds the earlier analyses.

    Returns:
        The verdicts of its report, and the experiment with the analyses that the record then holds.
    """
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(first_seed, first_seed + n)), **changes})
    n = len(study.experiment.seeds)
    errors = {
        variant.name: [3.0 + (variant.name == B) + 0.1 * (seed % 9) for seed in range(n)] for variant in study.variants
    }
    results = make_results(study.with_looks_of(recorded), test_errors=errors, gradients=False, missing=missing)
    log = build_log(results, decide_contrasts(results), f"2026-11-{day:02d}T12:00:00+00:00", decide_stage)
    for_record = add_logs(results.study, [log])
    verdicts = decide_contrasts(replace(results, study=trim_analyses(for_record, log.analyses)))
    return verdicts, for_record


def reason(verdicts):
    """Return why the only verdict is exploratory, without the verdict under the first declaration."""
    (verdict,) = verdicts
    return verdict.exploratory.partition(" Under the first declaration")[0]
