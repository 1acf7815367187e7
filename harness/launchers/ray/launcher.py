"""The launcher on Ray Tune: each trial group is a Tune trial with its own resources, on workers that are reused.

Tune schedules groups and restarts them. It keeps no record: a group whose worker died is started again by Tune, and
resumes from the trials' own checkpoints, whose attempts also tell when to give up.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import HarnessError
from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup
from harness.execution.trial_workers import WorkerLost
from harness.io.storage_mark import ensure_mark
from harness.launchers.base import Notify, ReportProgress
from harness.launchers.ray.address import find_address
from harness.launchers.ray.cluster_hosts import ClusterRequest, wait_for_hosts
from harness.launchers.ray.join import join_cluster
from harness.launchers.ray.local.session import LocalRay
from harness.launchers.ray.step_reports import receive_steps, step_sender
from harness.launchers.ray.stop_signal import REPLY_SECONDS, start_stop_signal, stop_event
from harness.launchers.ray.trial_actors import start_actors
from harness.launchers.resources import build_bundle, count_cores
from harness.launchers.stop_request import StopRequest
from harness.specs import Resources
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import History

REPORT_SECONDS = 1.0
"""Pause between two reports of a running trial. Each report costs the driver milliseconds on the cores that train."""
RAY_SETTINGS = {
    # The harness has its own handler for interrupts.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # The harness prints its own line about a lost worker.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|workers \\(tasks / actors\\) killed",
    "TUNE_MAX_PENDING_TRIALS_PG": "auto",
    # Snapshots of Tune's own state are not used.
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    # Neither are its loggers. The one for TensorBoard imports torch into the driver, which takes two seconds.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune's workers need their own environment, so workers that Ray starts in advance are of no use to them.
    "RAY_prestart_worker_first_driver": "0",
    # Ray's agent collects data for the dashboard every five seconds, which costs 0.7 % of a core. A local cluster has
    # no dashboard.
    "REPORTER_UPDATE_INTERVAL_MS": "600000",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}
"""Environment variables for Ray, unless the user has set them."""


class RayLauncher:
    """Runs trial groups on a Ray cluster: on the one at ``address``, or on a local one that this launcher starts.

    It is a :class:`harness.launchers.base.Launcher`.

    Args:
        resources: What one trial needs.
        address: Address of a cluster; None for RAY_ADDRESS, else for a local cluster.
        earlier_histories: Those of complete trials of the same searches, with which a scheduler compares new trials.
        request: The hosts to wait for.
        notify: Receives what is waited for.

    Attributes:
        address: The address of the cluster; None for a local one.
        concurrency: The number of trials that run at once.

    Raises:
        HarnessError: Ray is not installed, no cluster answers, or its hosts have no room for a trial.
    """

    def __init__(
        self,
        resources: Resources,
        address: str | None,
        earlier_histories: Sequence[History] = (),
        request: ClusterRequest = ClusterRequest(),  # noqa: B008 (frozen)
        notify: Notify = lambda text: None,
    ) -> None:
        for name, value in RAY_SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            raise HarnessError(
                "Ray is not installed", where="--launcher ray", remedy="Install ray[tune], or use --launcher inline."
            ) from error
        self.resources, self.earlier_histories = resources, earlier_histories
        target = find_address(address)
        self.address = target.address if target is not None else None
        self._is_owner = not ray.is_initialized()
        self._session: LocalRay | None = None
        if self._is_owner:
            if target is None:
                self._session = LocalRay(count_cores())
            else:
                join_cluster(target, request.wait_seconds, notify)
        try:
            trials = wait_for_hosts(resources, request, notify)
        except BaseException:
            self.close()
            raise
        self.concurrency = min(trials, resources.max_concurrent or trials)

    def __call__(
        self, groups: Sequence[TrialGroup], concurrency: int, report: ReportProgress, stop: StopRequest
    ) -> None:
        """Run the groups, started in their order, until all have ended or a stop request has ended them."""
        from harness.launchers.ray.progress_callback import AllStopped

        logging.getLogger("ray").setLevel(logging.ERROR)
        # It prints the traceback of every lost worker. The trial reports the loss itself when it resumes.
        logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
        with TemporaryDirectory(prefix="depthbench-tune-") as scratch, start_stop_signal(stop) as signal:
            tuner = self._build_tuner(groups, concurrency, report, stop, signal, Path(scratch).absolute())
            with receive_steps(signal, report), suppress(AllStopped):
                tuner.fit()

    def _build_tuner(
        self,
        groups: Sequence[TrialGroup],
        concurrency: int,
        report: ReportProgress,
        stop: StopRequest,
        signal: Any,
        scratch: Path,
    ) -> Any:
        """Return Ray's Tuner for the groups."""
        import ray
        from ray import tune

        from harness.launchers.ray.progress_callback import MAX_WORKER_DEATHS, ProgressCallback

        mark = ensure_mark(groups[0].tasks[0].folder.parent) if self.address else ""
        # A worker fetches the one group that it runs. If every worker got all groups, the work would grow with the
        # square of their number.
        references = [ray.put(group.with_storage_mark(mark)) for group in groups]
        bundles = tune.PlacementGroupFactory([build_bundle(self.resources)] * self.resources.workers)
        return tune.Tuner(
            tune.with_resources(tune.with_parameters(_run_on_worker, groups=references, signal=signal), bundles),
            param_space={"group": tune.grid_search(list(range(len(groups))))},
            tune_config=tune.TuneConfig(
                reuse_actors=True, max_concurrent_trials=concurrency, scheduler=self._build_scheduler(groups, signal)
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(scratch),
                callbacks=[ProgressCallback(groups, report, stop)],
                failure_config=tune.FailureConfig(max_failures=MAX_WORKER_DEATHS),
                verbose=0,
            ),
        )

    def _build_scheduler(self, groups: Sequence[TrialGroup], signal: Any) -> Any:
        """Return the scheduler of a search; None for Tune's own, which starts groups in their order."""
        # Trials that a scheduler may prune are in groups of their own.
        tasks = [group.tasks[0] for group in groups]
        if all(task.trial.scheduler is None for task in tasks):
            return None
        import ray

        from harness.launchers.ray.asha import SearchScheduler

        return SearchScheduler(
            tasks, self.earlier_histories, lambda trial: ray.get(signal.prune.remote(trial), timeout=REPLY_SECONDS)
        )

    def close(self) -> None:
        """Disconnect from the cluster, and stop it if this launcher has started it."""
        import ray

        if self._session is not None:
            self._session.close()
        elif self._is_owner and ray.is_initialized():
            with suppress(Exception):
                ray.shutdown()


def _run_on_worker(config: dict[str, Any], groups: Sequence[Any], signal: Any) -> None:
    """Run a group; Tune calls this on a worker.

    Args:
        config: ``{"group": index}``.
        groups: Ray's references to the groups.
        signal: The handle of the stop signal.
    """
    import ray
    from ray import tune

    group: TrialGroup = ray.get(groups[config["group"]])
    has_scheduler = any(task.trial.scheduler is not None for task in group.tasks)

    def is_pruned(trial: str) -> bool:
        # Tune lets the trial continue only after its scheduler has seen the epoch.
        return has_scheduler and bool(ray.get(signal.is_pruned.remote(trial)))

    report_due: dict[str, float] = {}
    try:
        is_stopping, report_step = stop_event(signal).is_set, step_sender(signal)
        for progress in run_group(
            group, is_stopping, is_pruned=is_pruned, start_others=start_actors, report_step=report_step
        ):
            now = time.monotonic()
            # A scheduler needs every epoch, but a display does not need ten reports a second.
            is_due = now >= report_due.get(progress.trial, now)
            if progress.status is not TrialStatus.RUNNING or has_scheduler or is_due:
                tune.report(asdict(progress))
                report_due[progress.trial] = now + REPORT_SECONDS
    except WorkerLost:
        # Tune then starts the group on another worker, as if this one had died itself.
        os._exit(1)
