"""Ray Tune's ASHA in a search: one scheduler for each variant, so that no trial is pruned because of another variant.

Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning (arXiv:1810.05934). The scheduler decides; a
pruned trial writes its last checkpoint and ends by itself (:func:`harness.execution.runner.run_group`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from harness.execution.trial_group import TrialTask
from harness.specs import Trial
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.identity import digest
from harness.tracking.history import History

REDUCTION_FACTOR = 3
"""At each rung one trial in three continues, and each rung is three times as many epochs as the one before."""
FIRST_RUNG_DIVISOR = 4
"""Every trial is trained for at least a quarter of the epochs."""

Prune = Callable[[str], None]
"""Ends the trial of this id after the epoch that it has just reported."""


class SearchScheduler(FIFOScheduler):
    """A scheduler of Ray Tune that sends each result to the ASHA scheduler of the trial's search.

    Tune itself never stops a trial: a pruned trial learns from ``prune`` that it has to end.

    Args:
        tasks: By group index, which is ``config["group"]`` of a Tune trial.
        earlier_histories: Those of complete trials of the same searches, with which the new trials compete.
    """

    def __init__(self, tasks: Sequence[TrialTask], earlier_histories: Iterable[History], prune: Prune) -> None:
        super().__init__()
        self._supports_buffered_results = False
        self.tasks, self.prune = tasks, prune
        self.searches: dict[str, ASHAScheduler] = {}
        metric = next((task.search_metric for task in tasks if task.search_metric), "")
        for history in earlier_histories:
            self._add_earlier(history, metric)

    def _search(self, trial: Trial) -> ASHAScheduler:
        """Return the ASHA scheduler of the trial's search, and create it for the first trial."""
        key, epochs = identify_search(trial), trial.recipe.epochs
        if key not in self.searches:
            self.searches[key] = ASHAScheduler(
                time_attr="epoch",
                metric="score",
                mode="min",
                max_t=epochs,
                grace_period=ceil(epochs / FIRST_RUNG_DIVISOR),
                reduction_factor=REDUCTION_FACTOR,
                stop_last_trials=False,
            )
        return self.searches[key]

    def _add_earlier(self, history: History, metric: str) -> None:
        """Let a complete trial compete, as if it had reported its epochs now."""
        tune_trial, search = SimpleNamespace(trial_id=history.id), self._search(history.trial)
        search.on_trial_add(None, tune_trial)
        for epoch in history.epochs:
            score = epoch.metrics.get(metric)
            if score is not None:
                search.on_trial_result(None, tune_trial, {"epoch": epoch.epoch, "score": score})

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add a trial of a search to the search's scheduler."""
        task = self.tasks[trial.config["group"]]
        if task.trial.scheduler is not None:
            self._search(task.trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Prune the trial if its search's scheduler would stop it. Return CONTINUE: a pruned trial ends by itself."""
        task = self.tasks[trial.config["group"]]
        is_running = result["status"] == TrialStatus.RUNNING
        # An epoch without evaluation has no score, and neither has one whose score is not finite.
        if task.trial.scheduler is not None and is_running and result["score"] is not None:
            score = {"epoch": result["epoch"], "score": result["score"]}
            if self._search(task.trial).on_trial_result(tune_controller, trial, score) == TrialScheduler.STOP:
                self.prune(task.trial.id)
        return str(TrialScheduler.CONTINUE)


def identify_search(trial: Trial) -> str:
    """Return a key that the trials of one variant's search share: they differ only in other fields of the recipe."""
    parts = trial.identity()
    return digest({"variant": parts["variant"], "data": parts["data"], "epochs": trial.recipe.epochs})
