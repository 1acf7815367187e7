"""Records of simulated experiments, for tests of how often verdicts are wrong and how often they find an effect.

Every record goes through the whole pipeline, from the last epochs of its trials to the sentences of its verdicts. Only
the table of epochs is made once: each simulated experiment replaces its errors.
"""

import numpy as np
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.verdicts import decision
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import EVALUATED_ERRORS, ONLINE_TRAINING_LOSS, TEST_ACCURACY, TRAINING_ERRORS
from harness.tracking.results_table import Results

PLAIN, DEEP_PLAIN, RESIDUAL, DEEP_RESIDUAL = CELLS = (
    "cifar-plain8-w8",
    "cifar-plain32-w8",
    "cifar-resnet8-w8",
    "cifar-resnet32-w8",
)
"""The four networks of :data:`DEGRADATION`, in the order of the simulated errors."""
DEGRADATION = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 1.0}
DIFFERENCE = {"kind": "difference", "a": RESIDUAL, "b": PLAIN}
STATES = ("supported", "contradicted", "undecided")
_COLUMNS = ["trial", "variant", "seed", "outcome", "epoch", ONLINE_TRAINING_LOSS, *EVALUATED_ERRORS, TEST_ACCURACY]


class SimulatedRecord:
    """The record of an experiment with one epoch, in which the errors of all trials can be replaced.

    Attributes:
        variants: Names of its variants, in the order of the simulated errors.
        seeds: Number of its seeds; with ``decide`` those of the last stage.
    """

    def __init__(self, contrasts, n=8, **changes):
        networks = {**TWO_VARIANTS["variants"][0], "depth": [8, 32] if contrasts != [DIFFERENCE] else 8}
        fields = {**TWO_VARIANTS, "variants": [networks], "seeds": list(range(n)), "contrasts": contrasts, **changes}
        self.results = make_results(make_study(**fields), gradients=False)
        # With text as Python objects, pandas compares these short columns three times as fast.
        self.epochs = self.results.epochs[_COLUMNS].astype(dict.fromkeys(("trial", "variant", "outcome"), object))
        self.variants = list(dict.fromkeys(self.epochs["variant"]))
        self.seeds = len(self.epochs) // len(self.variants)

    def with_errors(self, errors, lost=None, diverged=None):
        """Return the results with other errors, equal in every metric.

        Args:
            errors: In percent, (variants, seeds).
            lost: Which trials are not recorded, (variants, seeds).
            diverged: Which trials diverged, (variants, seeds).
        """
        epochs = self.epochs.copy()
        for metric in (*TRAINING_ERRORS, "test/error"):
            epochs[metric] = np.ravel(errors)
        if diverged is not None and diverged.any():
            epochs.loc[np.ravel(diverged), "outcome"] = TrialStatus.DIVERGED.value
        if lost is not None:
            epochs = epochs[~np.ravel(lost)].reset_index(drop=True)
        return Results(self.results.study, epochs, self.results.tuning)

    def decide(self, *arguments, **problems):
        """Return the state of each verdict on the results of :meth:`with_errors`."""
        return [verdict.state for verdict in decision.decide_contrasts(self.with_errors(*arguments, **problems))]
