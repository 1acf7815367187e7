"""The search for each variant's own recipe: its next samples, and at its end the chosen ones.

Both follow from the experiment and the histories of its search trials alone. An interrupted search therefore continues
with the same samples, and trains no recorded trial again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from harness.errors import HarnessError
from harness.io.storage import Folder
from harness.launchers.ray.optuna_proposals import propose_sample
from harness.specs import ResolvedExperiment, Sample, SearchSpec
from harness.specs.identity import canonical
from harness.specs.random_streams import stream_seed
from harness.tracking.history import History, read_newest_history
from harness.tracking.record import Record
from harness.tracking.search_scores import Score, choose_sample, score_sample

MOST_PROPOSALS = 20
"""Most proposals that a searcher makes until it finds a new sample."""


def require_searcher(tune: SearchSpec | None, launcher: str) -> None:
    """Check that the launcher can run a search, and that its searcher is installed.

    Raises:
        HarnessError: Optuna or Ray is missing, or the scheduler needs trials that run at the same time.
    """
    if tune is None:
        return
    if tune.scheduler == "asha" and launcher == "inline":
        raise HarnessError(
            "asha compares trials while they run, but the inline launcher runs one trial after the other",
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
    """Return the experiment with all samples that its results determine; with the choices once they are complete.

    Raises:
        HarnessError: The record or the storage does not answer.
    """
    tune = study.experiment.tune
    if tune is None:
        return study
    while not study.choices:
        histories = _complete_histories([trial.id for trial in study.search_trials], record, storage)
        scores = {
            (sample.variant, sample.number): score
            for sample in study.samples
            if (score := score_sample(study, sample, histories)) is not None
        }
        if len(scores) < len(study.samples):
            break
        samples = {variant.name: study.samples_of(variant.name) for variant in study.variants}
        if all(len(of_variant) >= tune.samples for of_variant in samples.values()):
            choices = {name: choose_sample(of_variant, scores).number for name, of_variant in samples.items()}
            return _replace_samples(study, study.samples, choices)
        next_samples = [_next_sample(tune, name, of_variant, scores) for name, of_variant in samples.items()]
        study = _replace_samples(study, (*study.samples, *next_samples), {})
    return study


def _replace_samples(
    study: ResolvedExperiment, samples: tuple[Sample, ...], choices: dict[str, int]
) -> ResolvedExperiment:
    """Return the experiment with these samples, sorted by variant and number, and these choices."""
    order = {variant.name: position for position, variant in enumerate(study.variants)}
    ordered = tuple(sorted(samples, key=lambda sample: (order[sample.variant], sample.number)))
    return study.replace(samples=ordered, choices=choices)


def _complete_histories(trials: Sequence[str], record: Record, storage: Folder) -> dict[str, History]:
    """Return the complete histories of trials by id, from the record or else from their checkpoints."""
    histories = {history.id: history for history in record.read_histories(trials) if history.is_complete}
    folders = set(storage.list_names())
    for trial in trials:
        if trial in histories or trial not in folders:
            continue
        history = read_newest_history(storage / trial, trial)
        if history is not None and history.is_complete:
            histories[trial] = history
    return histories


def _next_sample(
    tune: SearchSpec, variant: str, samples: Sequence[Sample], scores: Mapping[tuple[str, int], Score]
) -> Sample:
    """Return the next sample of a variant. Equal results give an equal sample."""
    tried = {canonical(sample.fields) for sample in samples}
    number = len(samples)
    if tune.searcher == "random":
        return Sample(variant=variant, number=number, fields=tune.draw_sample(number, tried))
    values = [scores[sample.variant, sample.number].value for sample in samples]
    for attempt in range(MOST_PROPOSALS):
        seed = stream_seed(tune.seeds[0], "optuna", variant, number, attempt) % 2**32
        fields = propose_sample(tune, [sample.fields for sample in samples], values, seed)
        if canonical(fields) not in tried:
            return Sample(variant=variant, number=number, fields=fields)
    return Sample(variant=variant, number=number, fields=tune.draw_sample(number, tried))
