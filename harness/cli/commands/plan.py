"""The command that shows what a run would do: plan."""

from __future__ import annotations

from dataclasses import replace

import typer

from harness.cli.console import print_json, print_note
from harness.cli.parameters import Cluster, Experiment, Json, with_options
from harness.settings import RunOptions, Settings

app = typer.Typer()


@app.command()
@with_options(RunOptions, "overrides", "seeds", "decide", "download", "price")
@with_options(Settings, "launcher", "tracking_uri", "home", "storage", "data_root", "no_code")
def plan(
    experiment: Experiment, options: RunOptions, settings: Settings, cluster: Cluster = None, as_json: Json = False
) -> None:
    """Show the trials, which of them are recorded, and about how long the rest takes. Starts nothing.

    Where trials use GPUs, it also shows about how many GPU-hours they take, and with --price what they cost. The
    estimate follows a rule until trials of the experiment are recorded; then their times correct it.

    For an adaptive experiment it shows the trials of the next stage, and the least, expected and most trials and time
    until every contrast is decided.

    With --cluster, the estimate is for all hosts of the file. A trial that none of them has room for is an error. What
    the cluster itself has recorded is not looked up.

    A network of `kind: python` is built, so the code that the experiment names is imported. --no-code refuses it.

    Example: harness plan quickstart --seeds 16
    """
    from harness import api
    from harness.api.cluster.cluster_options import count_trial_slots
    from harness.cli.views.plan_view import plan_as_json, print_plan
    from harness.experiments.planning.device_budget import count_gpu_hours

    resolved = api.load_resolved_experiment(
        experiment,
        options.overrides,
        options.seeds,
        settings.data_root,
        options.download,
        no_code=settings.no_code,
        decide=options.decide,
        settings=settings,
        notify=print_note,
    )
    resources = resolved.experiment.resources
    # The price is checked before the record is read.
    count_gpu_hours(0, resources, options.price)
    if cluster is not None:
        settings = replace(settings, at_once=count_trial_slots(cluster, resources))
    planned = api.plan(resolved, settings)
    gpu_hours = count_gpu_hours(planned.trial_seconds, resources, options.price)
    if as_json:
        print_json(plan_as_json(planned, gpu_hours))
    else:
        print_plan(planned, gpu_hours, "this machine" if cluster is None else str(cluster))
