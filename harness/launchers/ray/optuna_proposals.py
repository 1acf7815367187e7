"""Proposals of Ray Tune's OptunaSearch for the next sample of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.specs import SearchSpec
from harness.specs.experiment.search_space import Fields, SearchRange

SAMPLES_PER_RANDOM_SAMPLE = 4
"""TPE draws one in so many samples at random before it learns from them, but at least two."""


def propose_sample(tune: SearchSpec, points: Sequence[Fields], values: Sequence[float], seed: int) -> Fields:
    """Return the sample that OptunaSearch proposes after it has seen ``values`` at ``points``.

    Each proposal comes from a new searcher with a seed of its own, so an interruption can lose no state.
    """
    from optuna.logging import WARNING, set_verbosity
    from optuna.samplers import TPESampler
    from ray.tune.search.optuna import OptunaSearch

    # Optuna would print a line for every study that it creates, into the display of the trials.
    set_verbosity(WARNING)
    startup = max(2, tune.samples // SAMPLES_PER_RANDOM_SAMPLE)
    searcher = OptunaSearch(
        OptunaSearch.convert_search_space({name: _tune_domain(span) for name, span in tune.fields.items()}),
        metric=tune.metric,
        mode="min",
        sampler=TPESampler(n_startup_trials=startup, seed=seed),
        points_to_evaluate=[dict(point) for point in points],
        evaluated_rewards=list(values),
    )
    proposal = searcher.suggest("next")
    assert proposal is not None
    return {
        name: proposal[name] if span.values else span.round_value(float(proposal[name]))
        for name, span in tune.fields.items()
    }


def _tune_domain(span: SearchRange) -> Any:
    """Return a search range as Ray Tune describes it."""
    from ray import tune

    if span.values:
        return tune.choice(list(span.values))
    return (tune.loguniform if span.log else tune.uniform)(span.low, span.high)
