"""The launcher on Ray Tune: each job a Tune trial with its own resources, on reused workers.

Tune schedules and restarts; it keeps no record of ours. A worker that dies is started again by Tune and goes
on from the trial's own checkpoint, which also knows when to give up.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import HarnessError
from harness.execution.runner import Progress, TrialGroup, run_group
from harness.execution.worker_group import WorkerLost
from harness.io.storage_mark import ensure_mark
from harness.launchers.base import ReportProgress
from harness.launchers.ray.asha import asha_scheduler
from harness.launchers.ray.cluster_hosts import ClusterRequest, require_answer, wait_for_hosts
from harness.launchers.ray.local_processes import RayProcesses
from harness.launchers.ray.stop_signal import SECONDS, send_stop_signal, stop_event
from harness.launchers.resources import available_cores, ray_bundle
from harness.launchers.stop_request import StopRequest
from harness.specs import Resources
from harness.tracking.history import History

TELL_SECONDS = 1.0
"""Between two reports of how far a trial is: each takes the driver some milliseconds, from the cores that train."""
RETRIES = 20
"""Deaths that Tune forgives a trial; one that dies at the same place is given up sooner (execution/attempts)."""
QUIET = {
    # Our own handler decides what an interrupt does.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A lost worker is a line of ours.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|workers \\(tasks / actors\\) killed",
    "TUNE_MAX_PENDING_TRIALS_PG": "auto",
    # Tune's snapshot of its own state is not used.
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    # Nor are its loggers, of which that for TensorBoard imports torch into the driver: two seconds.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune's workers have an environment of their own; those that Ray starts beforehand serve none of them.
    "RAY_prestart_worker_first_driver": "0",
    # What its agent gathers every five seconds for the dashboard, which a local cluster has not: 0.7 % of a core.
    "REPORTER_UPDATE_INTERVAL_MS": "600000",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}


class RayLauncher:
    """Jobs on a Ray cluster: the one at ``address``, else a local one that lives as long as this launcher.

    Args:
        rivals: Of a search with a scheduler, the trials that came to their end before.
        expected: What of a cluster is waited for.
        say: Told what is waited for.

    Raises:
        HarnessError: No cluster at that address, hosts that do not come, or none that can ever hold a trial.
    """

    def __init__(
        self,
        resources: Resources,
        address: str | None,
        rivals: Sequence[History] = (),
        expected: ClusterRequest = ClusterRequest(),  # noqa: B008 (frozen)
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            raise HarnessError(
                "Ray is not installed", where="--launcher ray", remedy="Install ray[tune], or use --launcher inline."
            ) from error
        self.resources, self.rivals = resources, rivals
        self.address = address = address or os.environ.get("RAY_ADDRESS")
        self.owns, self.processes = not ray.is_initialized(), RayProcesses()
        if self.owns:
            if address:
                require_answer(address, expected.seconds, say)
            local: dict[str, Any] = {} if address else {"num_cpus": available_cores(), "include_dashboard": False}
            try:
                # Without an address Ray would join any cluster of its own that runs on this machine.
                options = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
                self.processes.start(lambda: ray.init(**options, **local))
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise HarnessError(
                    f"no Ray cluster answers there: {str(error).partition(chr(10))[0]}",
                    where=f"--address {address}" if address else "ray",
                    remedy="Start one (ray up cluster.yaml), or leave --address out to use this machine.",
                ) from error
        try:
            most = wait_for_hosts(resources, expected, say)
        except HarnessError:
            self.close()
            raise
        self.concurrency = min(most, resources.max_concurrent or most)

    def __call__(self, jobs: Sequence[TrialGroup], concurrency: int, report: ReportProgress, stop: StopRequest) -> None:
        """Run the jobs, started in their order."""
        import ray
        from ray import tune

        logging.getLogger("ray").setLevel(logging.ERROR)
        # It prints the traceback of every lost worker; the trial says so itself when it goes on.
        logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)
        with TemporaryDirectory(prefix="depthbench-tune-") as scratch, send_stop_signal(stop) as switch:
            bundles = tune.PlacementGroupFactory([ray_bundle(self.resources)] * self.resources.workers)
            # A worker fetches the one that it runs: all of them for each would grow with their square.
            mark = ensure_mark(jobs[0].folder.parent) if self.address else ""
            there = [ray.put(job.marked(mark)) for job in jobs]
            trainable = tune.with_resources(tune.with_parameters(_trainable, jobs=there, switch=switch), bundles)
            tuner = tune.Tuner(
                trainable,
                param_space={"job": tune.grid_search(list(range(len(jobs))))},
                tune_config=tune.TuneConfig(
                    reuse_actors=True,
                    max_concurrent_trials=concurrency,
                    scheduler=self._scheduler(jobs, switch),
                ),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=str(Path(scratch).absolute()),
                    callbacks=[_follower(jobs, report, stop)],
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                    verbose=0,
                ),
            )
            with suppress(AllStopped):
                tuner.fit()

    def _scheduler(self, jobs: Sequence[TrialGroup], switch: Any) -> Any:
        """None for Tune's own, which starts trials in their order."""
        import ray

        if all(job.trial.scheduler is None for job in jobs):
            return None
        return asha_scheduler(jobs, self.rivals, lambda trial: ray.get(switch.cut.remote(trial), timeout=SECONDS))

    def close(self) -> None:
        """Stop the local cluster, where this launcher started it."""
        import ray

        if self.owns and ray.is_initialized():
            with suppress(Exception):
                self.processes.end()


class AllStopped(BaseException):
    """No trial runs any more and none is to be started. Not an Exception, which Tune would answer itself."""


def _trainable(config: dict[str, Any], jobs: Sequence[Any], switch: Any) -> None:
    """The program of a worker; ``jobs`` are references to them."""
    import ray
    from ray import tune

    job: TrialGroup = ray.get(jobs[config["job"]])

    def cut() -> bool:
        # Tune lets the trial go on only once its scheduler has seen the epoch.
        return job.trial.scheduler is not None and bool(ray.get(switch.is_cut.remote(job.trial.id)))

    told: dict[str, float] = {}
    try:
        for progress in run_group(job, stop_event(switch).is_set, cut=cut):
            now = time.monotonic()
            # A scheduler sees every epoch; who only looks on does not need ten a second.
            if progress.outcome != "running" or job.trial.scheduler is not None or now >= told.get(progress.trial, now):
                tune.report(asdict(progress))
                told[progress.trial] = now + TELL_SECONDS
    except WorkerLost:
        # As if this worker had died itself, which Tune answers by another one.
        os._exit(1)


def _follower(jobs: Sequence[TrialGroup], report: ReportProgress, stop: StopRequest) -> Any:
    from ray import tune

    class Follower(tune.Callback):
        """Hands what trials report to the driver."""

        def __init__(self, jobs: Sequence[TrialGroup], report: ReportProgress, stop: StopRequest) -> None:
            self.jobs, self.report, self.stop = jobs, report, stop
            self.running: set[str] = set()
            self.ended: set[str] = set()

        def __getstate__(self) -> dict[str, Any]:
            """Tune pickles its callbacks to restore them; we never do, and a live display cannot be pickled."""
            return {}

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            self.running.add(trial.trial_id)

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
            progress = Progress(**{name: result[name] for name in Progress.__dataclass_fields__})
            self.report(progress)
            if progress.outcome != "running":
                self.ended.add(progress.trial)
                if not self._open(trial):
                    self.running.discard(trial.trial_id)

        def _open(self, trial: Any) -> list[str]:
            """Those of a job's trials that have not come to their end."""
            return [job.trial.id for job in self.jobs[trial.config["job"]].each if job.trial.id not in self.ended]

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            self.running.discard(trial.trial_id)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            self.running.discard(trial.trial_id)
            message = f"its worker died {RETRIES + 1} times; the machine may be short of memory"
            for identity in self._open(trial):
                self.report(Progress(identity, "failed", message=message, trace=message))

        def on_step_end(self, iteration: int, trials: Any, **_: Any) -> None:
            # Trials that wait would otherwise be started one by one, to stop at once.
            if self.stop.asked and not self.running:
                raise AllStopped

    return Follower(jobs, report, stop)
