"""Credentials, experiments and histories that the tests of the record share."""

import itertools
import time

from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.layer_profile import LayerProfile
from harness.tracking.history import Epoch, History

USER, PASSWORD = "bench", "correct-horse-7431"
"""Credentials of PostgreSQL and of the MLflow server with basic auth; tests search for the password in files."""
UNUSED_SEEDS = itertools.count(1000, 10)
"""Seeds for trials that no other test has recorded: the tests share their stores."""
SMALL_EXPERIMENT = {
    "variants": {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}},
    "contrasts": None,
}
START = 1_760_000_000_000
"""Time of the first measurement of every made history, in milliseconds since 1970."""
COSTS = {"cost/params": 10, "cost/macs": 2**40 + 1, "cost/flops": 40, "cost/activations": 30, "counter": "fvcore"}
LAYERS = {2: LayerProfile(layers=3, normalised=True, gradient=(0.1234, None, 1e-30), response=(1.0, 2.5, 0.0))}
PROVENANCE = {
    "device": "a CPU",
    "precision": "fp32",
    "memory_format": "contiguous",
    "threads": 1,
    "shared": True,
    "software": "torch 2",
    "revision": "abc",
}


def make_history(trial, epochs=2, offset=0.0, outcome=TrialStatus.FINISHED):
    """Return the history of a trial that was never trained; ``offset`` is added to its errors."""
    rows = tuple(
        Epoch(
            epoch=number,
            at=START + 1000 * number,
            metrics={
                "train/error": 50 / number + offset,
                "train/error_clean": 1 / 3 / number + offset,
                "test/error": 9.0 + offset,
                "test/accuracy": 91.0 - offset,
                "grad/first": None,
                "time/train_s": 1.5,
            },
        )
        for number in range(1, epochs + 1)
    )
    return History(
        id=trial.id, trial=trial, outcome=outcome, costs=COSTS, provenance=PROVENANCE, epochs=rows, layers=LAYERS
    )


def publish_all(record, study):
    """Record a history for each trial of an experiment; return the histories."""
    first = min(study.experiment.seeds)
    histories = [make_history(trial, offset=trial.seed - first) for trial in study.trials]
    for history in histories:
        record.publish_history(record.create_trial_run(study, history.trial), history)
    record.refresh_runs()
    return histories


def read_metric(record, run_id, key):
    """Return a metric's (step, value, time) in a run of MLflow."""
    return [(row.step, row.value, row.timestamp) for row in record.client.get_metric_history(run_id, key)]


def wait_until(condition, seconds=30):
    """Wait until a condition holds; fail where it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.05)
