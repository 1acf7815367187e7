"""The processes that train one trial together. An ordinary trial has one, for which every method here does nothing.

Each process takes its shard of every batch. Gradients are averaged to those of the whole batch, and sums are added up.
Rank 0 decides about pauses, reports results and writes checkpoints; the other processes take the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.data.loader import WHOLE_BATCH, Shard
from harness.training.epoch import Pause, PauseCheck

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

PAUSES: tuple[Pause, ...] = ("no", "save", "stop")
BACKEND = "cpu:gloo,cuda:nccl"
"""Decisions are sent between the CPUs on every device, so that no step waits for a GPU because of them."""
COLLECTIVE_TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others: one may still read a data set that another one already has in memory."""


@dataclass(frozen=True)
class ProcessGroup:
    """One process's view of the processes that train a trial.

    Attributes:
        shard: The rank of this process and the number of processes.
    """

    shard: Shard = WHOLE_BATCH

    @property
    def is_single(self) -> bool:
        """Whether one process trains the trial."""
        return self.shard.workers == 1

    @property
    def is_rank0(self) -> bool:
        """Whether this process is rank 0."""
        return self.shard.rank == 0

    @property
    def stream_key(self) -> tuple[int, ...]:
        """The rank as a suffix of the names of random streams, so that each process has its own; empty for rank 0."""
        return (self.shard.rank,) if self.shard.rank else ()

    def wrap_model(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network so wrapped that a backward pass averages the gradients over all processes."""
        if self.is_single:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)

    def no_sync(self, model: nn.Module, active: bool) -> AbstractContextManager[Any]:
        """Return a context in which, if ``active``, backward passes do not average gradients between processes."""
        return model.no_sync() if active and isinstance(model, DistributedDataParallel) else nullcontext()

    def broadcast_decision(self, pause: PauseCheck) -> PauseCheck:
        """Return a check that gives rank 0's decision to all processes, which must pause after the same step."""
        if self.is_single:
            return pause

        def decide() -> Pause:
            decision = torch.tensor(PAUSES.index(pause()) if self.is_rank0 else 0)
            torch.distributed.broadcast(decision, src=0)
            return PAUSES[int(decision)]

        return decide

    def all_reduce(self, sums: Tensor) -> None:
        """Replace each process's sums by the sums over all processes."""
        if not self.is_single:
            torch.distributed.all_reduce(sums)

    def reduce_to_rank0(self, sums: Tensor) -> None:
        """Move the sums over all processes to rank 0, which saves them, and set those of the others to zero."""
        self.all_reduce(sums)
        if not self.is_rank0:
            sums.zero_()

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Copy rank 0's buffers, such as the running statistics of BatchNorm, to every process."""
        if not self.is_single:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def broadcast_state(self, state: dict[str, Any], device: torch.device) -> dict[str, Any]:
        """Return rank 0's ``state`` on every process's device, so that only rank 0 has to reach the checkpoints.

        Args:
            state: The state to resume from; ``{}`` for a trial that starts. Ignored on the other ranks.
            device: Where to put the tensors on the other ranks.
        """
        if self.is_single:
            return state
        buffer = BytesIO()
        torch.save(state, buffer)
        received = [buffer.getvalue()]
        torch.distributed.broadcast_object_list(received, src=0)
        loaded: dict[str, Any] = torch.load(BytesIO(received[0]), map_location=device, weights_only=True)
        return loaded

    def describe_devices(self, device: str) -> str:
        """Return the devices of all processes, such as ``2 x NVIDIA H200``; times on other devices do not compare."""
        if self.is_single:
            return device
        devices: list[str] = [""] * self.shard.workers
        torch.distributed.all_gather_object(devices, device)
        kinds = dict.fromkeys(devices)
        return " + ".join(f"{devices.count(kind)} x {kind}" for kind in kinds)


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def process_group(shard: Shard, store: Store) -> Iterator[ProcessGroup]:
    """Yield the group of the processes that meet at ``store``; destroy it at the end.

    Raises:
        RuntimeError: A process did not join, or its connection was lost.
    """
    torch.distributed.init_process_group(
        BACKEND if torch.cuda.is_available() else "gloo",
        store=store,
        rank=shard.rank,
        world_size=shard.workers,
        timeout=COLLECTIVE_TIMEOUT,
    )
    try:
        yield ProcessGroup(shard)
    finally:
        torch.distributed.destroy_process_group()
