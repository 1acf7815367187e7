"""The commands on single trials: trials, show, logs, rerun, discard, gc."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.cli.console import err, out, print_json, print_text
from harness.cli.parameters import Json, RecordedExperiments, TrialId, with_options
from harness.errors import HarnessError
from harness.settings import Settings

app = typer.Typer()


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def trials(
    settings: Settings,
    experiments: RecordedExperiments = None,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", help="List only trials of this state: failed, interrupted, ... Repeat it for more."),
    ] = None,
    with_archived: Annotated[
        bool, typer.Option("--all", help="Also list trials that were discarded or superseded.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List trials with state, variant, seed, last epoch, age and errors. Starts nothing.

    Example: harness trials quickstart --state failed --state interrupted
    """
    from harness.api.trials.find import ARCHIVED, open_index, parse_states
    from harness.cli.views.trial_list_view import print_trials, trial_as_json

    wanted = parse_states(states or ())
    index, unreadable = open_index(experiments or (), settings)
    with_archived = with_archived or bool(ARCHIVED & wanted)
    found = {
        name: index.list_trials(name) + (index.list_archived(name) if with_archived else []) for name in index.records
    }
    listed = {name: [t for t in each if not wanted or t.status in wanted] for name, each in found.items()}
    if as_json:
        print_json([trial_as_json(name, trial) for name, each in listed.items() for trial in each])
    else:
        for name, each in listed.items():
            print_trials(name, each, found[name])
        if not found and not unreadable:
            print_text(f"Nothing is recorded in {settings.home} yet.")
    for name, reason in unreadable.items():
        print_text(f"{name} cannot be read: {reason}", err)


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def show(trial: TrialId, settings: Settings, as_json: Json = False) -> None:
    """Show everything about one trial: spec, state, costs, metrics, attempts, and where its checkpoints are.

    Example: harness show 3f2a9c
    """
    from harness.api.trials.find import show_trial
    from harness.cli.views.trial_view import full_trial_as_json, print_trial

    summary, _ = show_trial(trial, settings)
    if as_json:
        print_json(full_trial_as_json(summary))
    else:
        print_trial(summary)


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def logs(trial: TrialId, settings: Settings, as_json: Json = False) -> None:
    """Print what happened to a trial, in order: attempts, epochs, notes, errors, and the traceback of a failure.

    Example: harness logs 3f2a9c
    """
    from harness.api.trials.find import show_trial
    from harness.cli.views.trial_list_view import print_events
    from harness.trials.events import list_events

    summary, index = show_trial(trial, settings)
    events = list_events(summary, index.read_traceback(summary))
    if as_json:
        print_json([vars(event) for event in events])
    else:
        print_events(summary, events)


@app.command()
@with_options(Settings, "address", "tracking_uri", "home", "storage", "data_root", "no_code")
def rerun(
    trial: TrialId,
    settings: Settings,
    inline: Annotated[
        bool,
        typer.Option("--inline", help="Train in this process. On a terminal, an exception opens the debugger pdb."),
    ] = False,
) -> None:
    """Train one trial again, and compare the result with the earlier one bit for bit.

    A trial that is trained to its end stays in the record until the rerun is complete. Then it is superseded, as with
    --force: its MLflow run gets a tag, its checkpoints get another name, and nothing is deleted. If the rerun fails or
    is stopped, the record does not change. A trial that is not trained to its end is resumed from its checkpoint, as
    `harness run` would resume it. To train it from the beginning, discard it first.

    The code of a network of `kind: python` is imported. --no-code refuses it.

    Example: harness rerun 3f2a9c --inline
    """
    from dataclasses import replace

    from harness.api.trials.rerun import rerun as train_again
    from harness.cli.views.trial_change_view import print_rerun
    from harness.trials.rerun import DebugLauncher

    if inline and settings.address is not None:
        raise HarnessError("--inline uses no cluster", where="--address", remedy="Leave one of the two out.")
    launcher = DebugLauncher() if inline else None
    settings = replace(settings, launcher="inline") if inline else settings
    result = train_again(trial, settings, out, launcher, settings.data_root)
    code = print_rerun(result)
    if result.result.failed and launcher is not None and launcher.error is not None:
        _open_debugger(launcher.error)
    if code:
        raise typer.Exit(code)


def _open_debugger(error: Exception) -> None:
    """Open the debugger pdb where an exception was raised, if the user is at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    import pdb

    # A HarnessError was raised in place of the exception that is its cause.
    cause = error.__cause__ if isinstance(error, HarnessError) else None
    pdb.post_mortem((cause or error).__traceback__)


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def discard(
    trials: Annotated[list[str], typer.Argument(help="Ids of trials, or their first digits.", metavar="ID...")],
    reason: Annotated[
        str, typer.Option("--reason", help="Why they are discarded, in one line. It is stored.", metavar="TEXT")
    ],
    settings: Settings,
) -> None:
    """Take trials out of the record, in every experiment that shares them. Deletes nothing.

    Their MLflow runs get a tag, and their checkpoints get another name. `harness run` trains them again.

    Example: harness discard 3f2a9c --reason "the fan was off"
    """
    from harness.api.trials.discard import discard as discard_trials
    from harness.cli.views.trial_change_view import print_discarded

    print_discarded(discard_trials(trials, reason, settings))


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def gc(
    settings: Settings,
    experiments: RecordedExperiments = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be freed, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Free the space of tensors that are not needed any more: those of finished and of discarded trials.

    Their histories stay in the checkpoints. Trials that are not finished are not changed.

    Example: harness gc --dry-run
    """
    from harness.api.trials.clean_up import clean_up
    from harness.cli.views.trial_change_view import cleanup_as_json, print_cleanup
    from harness.tracking.record import open_checkpoint_folder

    cleanup = clean_up(experiments or (), settings, dry_run)
    if as_json:
        print_json(cleanup_as_json(cleanup, dry_run))
    else:
        print_cleanup(cleanup, dry_run, str(open_checkpoint_folder(settings)))
