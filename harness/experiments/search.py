"""The search for each variant's own recipe: from what is trained to the next samples, and to the choices.

All of it follows from the study and the histories of its search trials, so a search that was interrupted goes on
where it was: what is recorded is not trained again, and the same samples come next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment, Sample, SearchSpec
from harness.specs.experiment.search_space import Fields, SearchRange
from harness.specs.identity import canonical
from harness.specs.random_streams import stream_seed
from harness.tracking.history import History, read_newest_history
from harness.tracking.record import Record
from harness.tracking.search_scores import Score, choose_sample, score_sample

STARTUP_SHARE = 4
"""Of the samples, the share that TPE draws at random before it learns: one in so many, and two at least."""
PROPOSALS = 20
"""Times that a searcher is asked for a sample that it has not proposed before."""


def require_searcher(tune: SearchSpec | None, launcher: str) -> None:
    """Refuse a search that could not go on, before anything is written.

    Raises:
        HarnessError: Optuna or Ray is missing, or the launcher runs one trial after the other.
    """
    if tune is None:
        return
    if tune.scheduler == "asha" and launcher == "inline":
        raise HarnessError(
            "asha compares trials while they run, which the inline launcher can not do",
            where="tune.scheduler",
            remedy="Use --launcher ray, or tune.scheduler=none.",
        )
    if tune.searcher == "optuna":
        for module, extra in (("ray", "ray[tune]"), ("optuna", "depthbench[tune]")):
            if find_spec(module) is None:
                raise HarnessError(
                    f"the searcher optuna needs {module}, which is not installed",
                    where="tune.searcher",
                    remedy=f"pip install '{extra}', or use tune.searcher=random.",
                )


def extend_search(study: ResolvedExperiment, record: Record, storage: Folder) -> ResolvedExperiment:
    """The study with the samples that follow from what is trained; once a search is complete, with the choices.

    Raises:
        HarnessError: The record or the storage does not answer.
    """
    tune = study.experiment.tune
    if tune is None:
        return study
    while not study.choices:
        histories = _histories([trial.id for trial in study.searches], record, storage)
        scores = {
            (sample.variant, sample.number): found
            for sample in study.samples
            if (found := score_sample(study, sample, histories)) is not None
        }
        if len(scores) < len(study.samples):
            break
        known = {variant.name: study.samples_of(variant.name) for variant in study.variants}
        if all(len(samples) >= tune.samples for samples in known.values()):
            choices = {name: choose_sample(samples, scores).number for name, samples in known.items()}
            return _with(study, study.samples, choices)
        more = [_next(tune, name, samples, scores) for name, samples in known.items()]
        study = _with(study, (*study.samples, *more), {})
    return study


def _with(study: ResolvedExperiment, samples: tuple[Sample, ...], choices: dict[str, int]) -> ResolvedExperiment:
    order = {variant.name: place for place, variant in enumerate(study.variants)}
    ordered = tuple(sorted(samples, key=lambda sample: (order[sample.variant], sample.number)))
    return ResolvedExperiment(**{**study.parts(), "samples": ordered, "choices": choices})


def _histories(trials: Sequence[str], record: Record, storage: Folder) -> dict[str, History]:
    """Of those trials that came to their end, from the record or from their checkpoints."""
    found = {history.id: history for history in record.histories(trials) if history.done}
    there = set(storage.list_names())
    for trial in trials:
        journal = read_newest_history(storage / trial, trial) if trial in there and trial not in found else None
        if journal is not None and journal.done:
            found[trial] = journal
    return found


def _next(tune: SearchSpec, variant: str, samples: Sequence[Sample], scores: Mapping[tuple[str, int], Score]) -> Sample:
    """The next sample of a variant; the same for the same results."""
    known = {canonical(sample.fields) for sample in samples}
    number = len(samples)
    if tune.searcher == "random":
        return Sample(variant=variant, number=number, fields=tune.draw(number, known))
    values = [scores[sample.variant, sample.number].value for sample in samples]
    for attempt in range(PROPOSALS):
        seed = stream_seed(tune.seeds[0], "optuna", variant, number, attempt) % 2**32
        fields = _proposal(tune, [sample.fields for sample in samples], values, seed)
        if canonical(fields) not in known:
            return Sample(variant=variant, number=number, fields=fields)
    return Sample(variant=variant, number=number, fields=tune.draw(number, known))


def _proposal(tune: SearchSpec, points: Sequence[Fields], values: Sequence[float], seed: int) -> Fields:
    """What Ray Tune's OptunaSearch proposes once it knows ``values`` at ``points``.

    A new one for each sample, with a seed of its own: it has no state that an interruption could lose.
    """
    from optuna.logging import WARNING, set_verbosity
    from optuna.samplers import TPESampler
    from ray.tune.search.optuna import OptunaSearch

    # It announces every study that it makes, into the display of the trials.
    set_verbosity(WARNING)
    startup = max(2, tune.samples // STARTUP_SHARE)
    searcher = OptunaSearch(
        OptunaSearch.convert_search_space({name: _domain(span) for name, span in tune.fields.items()}),
        metric=tune.metric,
        mode="min",
        sampler=TPESampler(n_startup_trials=startup, seed=seed),
        points_to_evaluate=[dict(point) for point in points],
        evaluated_rewards=list(values),
    )
    proposed = searcher.suggest("next")
    assert proposed is not None
    return {
        name: proposed[name] if span.values else span.rounded(float(proposed[name]))
        for name, span in tune.fields.items()
    }


def _domain(span: SearchRange) -> Any:
    from ray import tune

    if span.values:
        return tune.choice(list(span.values))
    return (tune.loguniform if span.log else tune.uniform)(span.low, span.high)
