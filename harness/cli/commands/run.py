"""The commands that bring an experiment into the record: run, sync."""

from __future__ import annotations

import typer

from harness.cli.commands.cluster_jobs import send_and_follow
from harness.cli.commands.reports import write_report
from harness.cli.console import out, print_note
from harness.cli.parameters import Cluster, Experiment, RecordedExperiments, typed_options, with_options
from harness.errors import EXIT_USER
from harness.settings import RunOptions, Settings

app = typer.Typer()


@app.command()
@with_options(RunOptions, "overrides", "seeds", "decide", "download", "force", "price")
@with_options(
    Settings, "launcher", "address", "hosts", "wait", "at_once", "tracking_uri", "home", "storage", "reports",
    "data_root", "time_limit", "budget", "no_code",
)  # fmt: skip
def run(
    context: typer.Context, experiment: Experiment, options: RunOptions, settings: Settings, cluster: Cluster = None
) -> None:
    """Train the trials that are not recorded yet, then write the report.

    Trials that are recorded are not trained again. Ctrl-C writes checkpoints and stops the run. A second Ctrl-C stops
    it at once. The same command resumes the run in both cases.

    With --cluster, the run is sent to the head of a cluster that `ray up` started. The working directory is sent too,
    without data, reports and store. The run does not need this machine any more: Ctrl-C leaves it running,
    `harness attach` follows it again, and `harness pull` writes its report here.

    An adaptive experiment (field `decide`, or --decide) trains its seeds in stages. After each stage its contrasts are
    analysed, and the run ends once all are decided. `harness plan` shows how many trials that may take.

    A network of `kind: python` is built, so the code that the experiment names is imported. --no-code refuses it.

    Example: harness run quickstart --set recipe.epochs=20 --set name=longer
    """
    from harness import api
    from harness.api.cluster.cluster_options import check_cluster_options, find_job_target
    from harness.cli.views.run_view import RunView
    from harness.experiments.planning.device_budget import count_gpu_hours

    settings = check_cluster_options(settings, options, cluster)
    if (target := find_job_target(settings, cluster)) is not None:
        send_and_follow(experiment, target, settings, options, typed_options(context))
        return
    resolved = api.load_resolved_experiment(
        experiment,
        options.overrides,
        options.seeds,
        settings.data_root,
        options.download,
        local=settings.address is None,
        no_code=settings.no_code,
        decide=options.decide,
        settings=settings,
        notify=print_note,
    )
    # The price is checked before anything runs.
    count_gpu_hours(0, resolved.experiment.resources, options.price)
    view = RunView(resolved, settings, options)
    result = api.run(resolved, settings, out, options.force, view.print_plan)
    view.print_result(result)
    if result.is_report_due(resolved):
        # The report of a job is a file of the cluster's head; `harness pull` writes it on the user's machine.
        write_report(resolved.experiment.name, settings, show_path=not view.is_job)
    else:
        view.print_why_no_report(result)
    if code := view.exit_code(result):
        raise typer.Exit(code)


@app.command()
@with_options(Settings, "tracking_uri", "home", "storage")
def sync(settings: Settings, experiments: RecordedExperiments = None) -> None:
    """Publish what the checkpoints hold to the record, and close the runs that dead processes left. Trains nothing.

    Example: harness sync quickstart
    """
    from harness import api
    from harness.cli.views.run_view import print_sync

    done, refused = api.sync(experiments or (), settings)
    print_sync(done, refused)
    if refused:
        raise typer.Exit(EXIT_USER)
