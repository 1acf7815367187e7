"""Run trial groups, interrupt them, and compare what they have measured."""

from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history


class Killed(BaseException):
    """Ends a trial between two steps without any cleanup, as SIGKILL does."""


def after_calls(calls, action):
    """Return an ``is_stopping`` that returns False so many times, and then the result of ``action``.

    It is called once before the trials start. If each step is saved, it is called twice a step.
    """
    remaining = iter(range(calls))
    return lambda: False if next(remaining, None) is not None else action()


def stop():
    return True


def kill():
    raise Killed


def run_task(task, *arguments, **options):
    """Run one trial that trains alone."""
    return run_group(TrialGroup((task,)), *arguments, **options)


def read_histories(group):
    return [read_newest_history(task.folder, task.trial.id) for task in group.tasks]


def epochs_without_times(history):
    """Return the number, metrics and layers of each epoch, without what is measured in seconds."""
    return [
        (
            epoch.epoch,
            {key: value for key, value in epoch.metrics.items() if not key.startswith("time/")},
            history.layers.get(epoch.epoch),
        )
        for epoch in history.epochs
    ]


def train_task(task):
    """Train one trial to its end, and return its epochs."""
    (*_, last) = run_task(task)
    assert last.status in (TrialStatus.FINISHED, TrialStatus.DIVERGED), last
    return epochs_without_times(read_newest_history(task.folder, task.trial.id))


def last_progress(group, **options):
    """Run a group, and return the one last progress of each of its trials, in their order."""
    ended = [progress for progress in run_group(group, **options) if progress.status is not TrialStatus.RUNNING]
    assert sorted(progress.trial for progress in ended) == sorted(task.trial.id for task in group.tasks)
    by_trial = {progress.trial: progress for progress in ended}
    return [by_trial[task.trial.id] for task in group.tasks]


def train_ensemble(group):
    """Train all seeds of a group to their end, and return the epochs of each."""
    assert {progress.status for progress in last_progress(group)} == {TrialStatus.FINISHED}
    return [epochs_without_times(history) for history in read_histories(group)]
