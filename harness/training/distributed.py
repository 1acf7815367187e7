"""The workers that train one trial together. The ordinary trial has one, for which all of this does nothing.

Each takes its share of every batch, gradients are averaged to those of the whole batch, and sums are added up.
Rank 0 is the trial: it alone decides, measures, writes checkpoints and publishes; the others follow it step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.data.loader import ALONE as ONE
from harness.data.loader import Shard

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

Pause = Literal["no", "save", "stop"]
"""What is wanted between two steps: to go on, a pause to save the state, or an end as soon as that is saved."""
State = dict[str, Any]
PAUSES: tuple[Pause, ...] = ("no", "save", "stop")
BACKEND = "cpu:gloo,cuda:nccl"
"""What is agreed goes by the CPU on every device, so that no step waits for a GPU because of it."""
SILENCE = timedelta(minutes=10)
"""How long a worker waits for the others at one point: the first may be reading data while others have it."""


@dataclass(frozen=True)
class ProcessGroup:
    """One worker's view of it."""

    share: Shard = ONE

    @property
    def alone(self) -> bool:
        """Whether the trial has one worker."""
        return self.share.workers == 1

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.share.rank == 0

    def wrapped(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network such that a backward pass averages the gradients over the workers."""
        if self.alone:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)

    def quiet(self, network: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
        """Where ``wanted``, a pass that leaves each worker its own gradients, for others to be added to them."""
        return network.no_sync() if wanted and isinstance(network, DistributedDataParallel) else nullcontext()

    @property
    def stream(self) -> tuple[int, ...]:
        """What is added to the name of a random stream of which each worker has one; nothing for rank 0."""
        return (self.share.rank,) if self.share.rank else ()

    def agreed(self, pause: Callable[[], Pause]) -> Callable[[], Pause]:
        """What rank 0 wants, for all: everybody has to stop after the same step."""
        if self.alone:
            return pause

        def ask() -> Pause:
            wanted = torch.tensor(PAUSES.index(pause()) if self.leads else 0)
            torch.distributed.broadcast(wanted, src=0)
            return PAUSES[int(wanted)]

        return ask

    def add_up(self, sums: Tensor) -> None:
        """Replace each worker's sums by those of all."""
        if not self.alone:
            torch.distributed.all_reduce(sums)

    def hand_over(self, sums: Tensor) -> None:
        """Leave the sums of all with rank 0, whose checkpoint holds them, and nothing with the others."""
        self.add_up(sums)
        if not self.leads:
            sums.zero_()

    def share_buffers(self, network: nn.Module) -> None:
        """Everybody's buffers become those of rank 0, such as the running statistics of BatchNorm."""
        if not self.alone:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def share_state(self, state: State, device: torch.device) -> State:
        """What rank 0 resumes from, on each worker's own device, ``{}`` for the beginning: nobody else has to reach the
        checkpoints."""
        if self.alone:
            return state
        packed = BytesIO()
        torch.save(state, packed)
        found = [packed.getvalue()]
        torch.distributed.broadcast_object_list(found, src=0)
        loaded: State = torch.load(BytesIO(found[0]), map_location=device, weights_only=True)
        return loaded

    def named(self, device: str) -> str:
        """The devices of all in words, such as ``2 x NVIDIA H200``: times on other numbers or kinds are other times."""
        if self.alone:
            return device
        found: list[str] = [""] * self.share.workers
        torch.distributed.all_gather_object(found, device)
        kinds = dict.fromkeys(found)
        return " + ".join(f"{found.count(kind)} x {kind}" for kind in kinds)


ALONE = ProcessGroup()


@contextmanager
def process_group(share: Shard, store: Store) -> Iterator[ProcessGroup]:
    """A team whose workers meet at ``store``; it is dissolved at the end.

    Raises:
        RuntimeError: Somebody did not come, or is gone.
    """
    torch.distributed.init_process_group(
        BACKEND if torch.cuda.is_available() else "gloo",
        store=store,
        rank=share.rank,
        world_size=share.workers,
        timeout=SILENCE,
    )
    try:
        yield ProcessGroup(share)
    finally:
        torch.distributed.destroy_process_group()
