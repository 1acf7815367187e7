"""Ray Tune's ASHA in a search: one for each variant, so that none is stopped for being behind another variant.

Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning (arXiv:1810.05934). It decides; the trial
itself writes its last checkpoint and ends (:func:`harness.execution.runner.run_group`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from types import SimpleNamespace
from typing import Any

from harness.execution.runner import TrialGroup
from harness.specs import Trial
from harness.specs.identity import digest
from harness.tracking.history import History

REDUCTION = 3
"""One trial in so many goes on at each rung; rungs lie so many times further apart."""
FIRST_RUNG = 4
"""Every trial is given one in so many of the epochs."""

Cut = Callable[[str], None]


def asha_scheduler(jobs: Sequence[TrialGroup], known: Iterable[History], cut: Cut) -> Any:
    """A scheduler of Ray Tune for trials whose config is ``{"job": index}``.

    Args:
        known: Histories of trials of the same searches that came to their end before; they count as rivals.
        cut: Told the id of a trial that is to end.
    """
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

    searches: dict[str, Any] = {}

    def of(trial: Trial) -> Any:
        budget = trial.recipe.epochs
        return searches.setdefault(
            search_of(trial),
            ASHAScheduler(
                time_attr="epoch",
                metric="score",
                mode="min",
                max_t=budget,
                grace_period=ceil(budget / FIRST_RUNG),
                reduction_factor=REDUCTION,
                stop_last_trials=False,
            ),
        )

    metric = next((job.metric for job in jobs if job.metric), "")
    for history in known:
        rival = SimpleNamespace(trial_id=history.id)
        asha = of(history.trial)
        asha.on_trial_add(None, rival)
        for epoch in history.epochs:
            value = epoch.metrics.get(metric)
            if value is not None:
                asha.on_trial_result(None, rival, {"epoch": epoch.epoch, "score": value})

    class PerVariant(FIFOScheduler):
        """Hands each result to the ASHA of its variant, and goes on: the trial ends by itself."""

        def __init__(self) -> None:
            super().__init__()
            self._supports_buffered_results = False

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            job = jobs[trial.config["job"]]
            if job.trial.scheduler is not None:
                of(job.trial).on_trial_add(tune_controller, trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            job = jobs[trial.config["job"]]
            # What was not measured tells nothing; what is not finite ends by itself.
            if job.trial.scheduler is not None and result["outcome"] == "running" and result["score"] is not None:
                seen = {"epoch": result["epoch"], "score": result["score"]}
                if of(job.trial).on_trial_result(tune_controller, trial, seen) == TrialScheduler.STOP:
                    cut(job.trial.id)
            return str(TrialScheduler.CONTINUE)

    return PerVariant()


def search_of(trial: Trial) -> str:
    """What the trials of one variant's search share: everything but the recipe, of which the budget."""
    parts = trial.identity()
    return digest({"variant": parts["variant"], "data": parts["data"], "epochs": trial.recipe.epochs})
