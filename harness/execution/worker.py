"""A worker of a trial other than rank 0: it trains its share of every batch, and is ended from outside.

Run as a program, it reads its arguments from standard input, and ends when that is closed: rank 0 is gone then.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import sys
import threading
import traceback
from typing import Any

from harness.errors import HarnessError
from harness.execution.rendezvous import Rendezvous, connect_store
from harness.execution.trial_group import TrialTask

WorkerResult = dict[str, Any]
"""``{"host": ...}`` at the end of the trial. After a failure also ``error`` ([what, where, remedy]) or ``crash`` (a
traceback). Empty for a worker that died."""


def train_as_worker(task: TrialTask, rendezvous: Rendezvous, rank: int, own_address: str = "") -> WorkerResult:
    """Take the same training steps as rank 0, and return the result at the end of the trial.

    Args:
        own_address: The address of this machine, if the workers run on several machines.
    """
    from harness.data.loader import Shard
    from harness.training.distributed import process_group
    from harness.training.loop import TrainingLoop
    from harness.training.memory import explain_oom
    from harness.training.trainer import Trainer

    host, workers = socket.gethostname(), task.resources.workers
    try:
        store = connect_store(rendezvous, workers, own_address=own_address)
        with process_group(Shard(rank, workers), store) as group, explain_oom(task.trial, task.image_size):
            trainer = Trainer(task.trial, task.execution, task.resources, group)
            state = group.broadcast_state({}, trainer.device)
            if state:
                trainer.resume(state)
            for _ in TrainingLoop([trainer]).run():
                pass
    except HarnessError as error:
        return {"host": host, "error": [error.what, error.where, error.remedy]}
    except Exception:
        return {"host": host, "crash": traceback.format_exc()}
    return {"host": host}


def _exit_with_parent() -> None:
    """End this process when rank 0 is gone, which closes this process's standard input."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    # Output of other code, also of libraries, must not be taken for the result.
    result_file = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the process that started this one)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    print(json.dumps(train_as_worker(*arguments)), file=result_file, flush=True)
    # Threads of a process group that was interrupted may never end.
    os._exit(0)
