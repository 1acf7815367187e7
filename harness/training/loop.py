"""The training loop: train an epoch, evaluate, report its results, continue with the next."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from harness.training.epoch import Metrics, PauseCheck, SlotResults, never_pause
from harness.training.trainer import Trainer


class TrainingLoop:
    """The epochs of one trial. The subclass SeedEnsemble trains several trials, one in each slot.

    Args:
        trainers: The trainer of each slot. One trial has slot 0.
        live: The slots whose trials are recorded.

    Attributes:
        live: The slots whose results are still reported. A slot is taken out after its trial diverged, and by
            :meth:`leave`.
    """

    def __init__(self, trainers: Sequence[Trainer], live: Sequence[int] = (0,)) -> None:
        self.trainers, self.live = list(trainers), list(live)

    @property
    def first(self) -> Trainer:
        """The trainer of the first live slot."""
        return self.trainers[self.live[0]]

    def leave(self, slot: int) -> None:
        """Take a slot out of ``live``, if it is there; the loop ends when no slot is left."""
        self.live = [other for other in self.live if other != slot]

    def run(self, pause: PauseCheck = never_pause) -> Iterator[SlotResults | None]:
        """Train the remaining epochs; yield the results of the live slots after each epoch.

        The first epoch also yields epoch 0, the measurements before the first update. A trial whose loss is not
        finite ends after that epoch, which is a result and no failure.

        Args:
            pause: Called after each step, and before each batch of an evaluation. At "save" or "stop" the loop yields
                None, in an evaluation at "stop" alone. It continues when it is iterated again.

        Yields:
            (slot, result) of each live slot, or None at a pause. At each yield every trainer's state can be saved.
        """
        pause = self.first.group.broadcast_decision(pause)
        for epoch in range(self.first.epochs_done + 1, self.first.recipe.epochs + 1):
            while self.live and not self.train_epoch(epoch, pause):
                yield None
            evaluated = yield from self._evaluate(epoch, pause)
            if not self.live:
                return
            yield self._end_epoch(epoch, evaluated)
            self.live = [slot for slot in self.live if not self.trainers[slot].diverged]
            if not self.live:
                return

    def train_epoch(self, epoch: int, pause: PauseCheck) -> bool:
        """Train to the end of the epoch (True) or to the next pause in it (False)."""
        return self.first.train_epoch(epoch, pause)

    def _evaluate(self, epoch: int, pause: PauseCheck) -> Generator[None, None, dict[int, Metrics]]:
        """Evaluate the live slots one after the other; yield None at a stop, and return the metrics by slot."""
        evaluated: dict[int, Metrics] = {}
        while pending := [slot for slot in self.live if slot not in evaluated]:
            metrics = self.trainers[pending[0]].evaluate_if_due(epoch, pause)
            if metrics is None:
                yield None
            else:
                evaluated[pending[0]] = metrics
        return evaluated

    def _end_epoch(self, epoch: int, evaluated: dict[int, Metrics]) -> SlotResults:
        """Return the results of the live slots, and move every trainer to the end of the epoch."""
        results = [
            (slot, result) for slot in self.live for result in self.trainers[slot].end_epoch(epoch, evaluated[slot])
        ]
        for trainer in self.trainers:
            trainer.epochs_done, trainer.epoch_state = epoch, None
        return results
