"""The launcher on Ray Tune: each job a Tune trial with its own resources, on reused workers.

Tune schedules and restarts; it keeps no record of ours. A worker that dies is started again by Tune and goes
on from the trial's own checkpoint.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import HarnessError
from harness.launching.driver import Report
from harness.launching.job import Job, Progress, attempt
from harness.launching.resources import cores
from harness.specs import Resources

RETRIES = 3
QUIET = {
    # Our own handler decides what an interrupt does.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "auto",
    # Tune's snapshot of its own state is not used.
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}


class RayLauncher:
    """Jobs on a Ray cluster: the one at ``address``, else a local one that lives as long as this launcher.

    Raises:
        HarnessError: No cluster at that address, or one that can never hold a trial.
    """

    def __init__(self, resources: Resources, address: str | None) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            raise HarnessError(
                "Ray is not installed", where="--launcher ray", remedy="Install ray[tune], or use --launcher inline."
            ) from error
        self.resources = resources
        address = address or os.environ.get("RAY_ADDRESS")
        self.owns = not ray.is_initialized()
        if self.owns:
            local: dict[str, Any] = {} if address else {"num_cpus": cores(), "include_dashboard": False}
            handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
                # Ray puts handlers of its own in place, which end the process with a stack trace.
                for kind, handler in handlers.items():
                    signal.signal(kind, handler)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise HarnessError(
                    f"no Ray cluster answers there: {str(error).partition(chr(10))[0]}",
                    where=f"--address {address}" if address else "ray",
                    remedy="Start one (ray up cluster.yaml), or leave --address out to use this machine.",
                ) from error
        try:
            self.concurrency = self._concurrency(ray.cluster_resources())
        except HarnessError:
            self.close()
            raise

    def _concurrency(self, total: dict[str, float]) -> int:
        """How many trials the cluster holds at once. A request that can never fit would wait for ever."""
        fits = [int(total.get("CPU", 0) // self.resources.cpus)]
        if self.resources.gpus:
            fits.append(int(total.get("GPU", 0) / self.resources.gpus))
        if min(fits) == 0:
            raise HarnessError(
                f"a trial asks for {self.resources.cpus} CPUs and {self.resources.gpus:g} GPUs; the cluster has "
                f"{total.get('CPU', 0):g} and {total.get('GPU', 0):g}",
                where="resources",
                remedy="Ask for less with --set resources.cpus=1, or use a larger cluster.",
            )
        return min([*fits, self.resources.max_concurrent or fits[0]])

    def __call__(self, jobs: Sequence[Job], concurrency: int, report: Report) -> None:
        """Run the jobs, started in their order.

        Raises:
            Interrupted: Passed on; the trials' checkpoints are there.
        """
        from ray import tune

        logging.getLogger("ray").setLevel(logging.ERROR)
        request = {"cpu": self.resources.cpus, "gpu": self.resources.gpus}
        trainable = tune.with_resources(tune.with_parameters(_trainable, jobs=list(jobs)), request)
        with TemporaryDirectory(prefix="depthbench-tune-") as scratch:
            tuner = tune.Tuner(
                trainable,
                param_space={"job": tune.grid_search(list(range(len(jobs))))},
                tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=concurrency),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=str(Path(scratch).absolute()),
                    callbacks=[_follower(jobs, report)],
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                    verbose=0,
                ),
            )
            tuner.fit()

    def close(self) -> None:
        """Stop the local cluster, where this launcher started it."""
        import ray

        if self.owns and ray.is_initialized():
            with suppress(Exception):
                ray.shutdown()


def _trainable(config: dict[str, Any], jobs: Sequence[Job]) -> None:
    from ray import tune

    for progress in attempt(jobs[config["job"]]):
        tune.report(asdict(progress))


def _follower(jobs: Sequence[Job], report: Report) -> Any:
    from ray import tune

    class Follower(tune.Callback):
        """Hands what trials report to the driver."""

        def __init__(self, jobs: Sequence[Job], report: Report) -> None:
            self.jobs, self.report = jobs, report

        def __getstate__(self) -> dict[str, Any]:
            """Tune pickles its callbacks to restore them; we never do, and a live display cannot be pickled."""
            return {}

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
            self.report(Progress(**{name: result[name] for name in Progress.__dataclass_fields__}))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            message = f"its worker died {RETRIES + 1} times; the machine may be short of memory"
            self.report(Progress(self.jobs[trial.config["job"]].trial.id, "failed", message=message, trace=message))

    return Follower(jobs, report)
