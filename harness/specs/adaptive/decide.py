"""The declared stages of an adaptive experiment, which adds seeds until its contrasts are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.specs.experiment.interim_looks import MOST_SEEDS, SEEDS_FOR_CLAIMS
from harness.specs.identity import Spec
from harness.specs.number_types import LARGE_SEED, Fraction

Seeds = Annotated[int, Field(gt=0, le=MOST_SEEDS)]


class StageSpec(Spec):
    """The stages of an adaptive experiment: the numbers of seeds at which its contrasts are analysed.

    The stages share the level by the spending function of Lan and DeMets (1983) of Pocock's type.
    """

    example: ClassVar[str] = "{first: 8, step: 4, most: 32}"

    first: Seeds = Field(description="Seeds of the first stage; at least 8.")
    step: Seeds = Field(description="Seeds that each later stage adds.")
    most: Seeds = Field(description="Seeds after which the experiment ends, decided or not.")
    futility: Fraction = Field(
        0.05,
        description="A contrast gets no further stage if the chance that the later stages decide it is below this. "
        "0: it always gets one. It is no part of the error control.",
    )

    @model_validator(mode="after")
    def _check_stages(self) -> StageSpec:
        if self.first < SEEDS_FOR_CLAIMS:
            raise ValueError(
                f"first is {self.first}, and {SEEDS_FOR_CLAIMS} seeds are needed for a verdict: use at least "
                f"{SEEDS_FOR_CLAIMS}"
            )
        if self.most <= self.first:
            raise ValueError(
                f"first is {self.first} and most is {self.most}: most must be larger, or use a fixed number: list "
                f"{self.first} seeds"
            )
        return self

    @property
    def stages(self) -> tuple[int, ...]:
        """Numbers of seeds of the stages, rising; the last one is ``most`` and may add fewer seeds than the others."""
        return (*range(self.first, self.most, self.step), self.most)

    @property
    def binding(self) -> StageSpec:
        """The part on which the error control rests: futility is non-binding, so changing it later is harmless."""
        return StageSpec(first=self.first, step=self.step, most=self.most)

    def __str__(self) -> str:
        """Return the stages as the option ``--decide`` takes them, such as ``8:32:4``."""
        return f"{self.first}:{self.most}:{self.step}"


def first_seeds(number: int, own_seeds: Sequence[int]) -> tuple[int, ...]:
    """Return so many seeds: first the experiment's own, then the integers after the largest of them."""
    next_seed = max(own_seeds, default=-1) + 1
    return (*own_seeds[:number], *range(next_seed, next_seed + number - len(own_seeds)))


def extend_seeds(own_seeds: tuple[int, ...], decide: StageSpec | None) -> tuple[int, ...]:
    """Return all seeds that an experiment may train: with ``decide`` as many as its last stage has.

    Raises:
        ValueError: The added seeds would be larger than the largest seed.
    """
    if decide is None:
        return own_seeds
    seeds = first_seeds(decide.most, own_seeds)
    if seeds and seeds[-1] >= LARGE_SEED:
        raise ValueError(f"the seeds after {max(own_seeds)} would be too large: list smaller seeds")
    return seeds


def check_with_decide(field: str, value: Any, decide: StageSpec | None) -> None:
    """Check a field of an adaptive experiment that ``decide`` excludes or needs.

    Args:
        field: ``tune``, ``contrasts`` or ``looks``.

    Raises:
        ValueError: The field and ``decide`` do not go together.
    """
    if decide is None:
        return
    if field == "looks" and value:
        raise ValueError("decide already says when contrasts are analysed: remove looks, or remove decide")
    if field == "tune" and value is not None:
        raise ValueError("an experiment with a search cannot be adaptive: remove tune, or remove decide")
    if field == "contrasts" and not value:
        raise ValueError("decide needs something to decide: declare contrasts, or remove decide")
