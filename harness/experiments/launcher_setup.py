"""The start of the launcher that a plan needs, and of the data on every machine that trains."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from harness.experiments.planning.plan import Plan
from harness.experiments.run_context import RunContext
from harness.launchers.base import Launcher
from harness.specs import DataSpec


def start_launcher(plan: Plan, context: RunContext, launchers: ExitStack) -> tuple[Launcher, Plan]:
    """Start the launcher of a plan, and make sure that every machine has the data.

    Args:
        launchers: Closes the launcher at the end of the run.

    Returns:
        The launcher, and the plan with the number of trials that the launcher runs at the same time.

    Raises:
        HarnessError: The cluster, its storage, its tracking server or its data is not usable.
    """
    from harness.launchers.inline import launch
    from harness.launchers.ray.data_staging import decode_once

    recipe, settings = plan.study.experiment.recipe, context.settings
    if plan.to_run and settings.address is None:
        for data in _list_data_sets(plan):
            decode_once(data, recipe.augment, show_progress=context.console.is_terminal)
    if settings.launcher == "inline" or not plan.to_run:
        return context.inline_launcher or launch, plan
    return _start_ray(plan, context, launchers)


def _list_data_sets(plan: Plan) -> list[DataSpec]:
    """Return the data sets of the trials that the plan trains, each once."""
    return list(dict.fromkeys(planned.trial.data for planned in plan.to_run))


def _start_ray(plan: Plan, context: RunContext, launchers: ExitStack) -> tuple[Launcher, Plan]:
    """Join or start a Ray cluster and check that its machines see the same storage, tracking server and data."""
    from harness.launchers.ray.cluster_hosts import ClusterRequest
    from harness.launchers.ray.data_staging import stage_data
    from harness.launchers.ray.launcher import RayLauncher
    from harness.launchers.ray.shared_access import require_shared_storage, require_tracking_server

    experiment, settings, console = plan.study.experiment, context.settings, context.console
    ended = [p.trial.id for p in plan.trials if p.trial.scheduler is not None and p.status.is_complete]
    with console.status("Starting Ray ..."):
        # A search's scheduler also compares with the trials that earlier runs have recorded.
        rivals = context.record.read_histories(ended) if ended else []
        request = ClusterRequest(settings.hosts, settings.wait, settings.at_once)
        launcher = RayLauncher(experiment.resources, settings.address, rivals, request, console.print)
        launchers.callback(launcher.close)
        if context.record.uri:
            require_tracking_server(context.record.uri)
        if launcher.address is not None:
            require_shared_storage(context.storage)
    if launcher.address is not None:
        with console.status("Copying the data to every node ..."):
            for data in _list_data_sets(plan):
                stage_data(data, experiment.recipe.augment, experiment.resources, console.print)
    return launcher, replace(plan, concurrency=launcher.concurrency)
