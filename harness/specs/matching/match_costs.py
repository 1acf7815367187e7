"""The source of a match's costs: counted on the layer plan, or by what the caller provides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.specs.matching.ladder import Ladder
from harness.specs.matching.match import CostName, FoundMatch
from harness.specs.matching.search import Candidate
from harness.specs.measured_cost import CostSetting
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import ExternalNetwork
from harness.specs.network.layer_plan import plan_layers, require_input


@dataclass(frozen=True)
class MeasuredRatio(Candidate):
    """A network with a measured step time, divided by that of the matched network.

    Attributes:
        low: Lower end of the 95 % interval of the ratio.
        high: Upper end of that interval.
        cost: Seconds of its training step.
        target: Seconds of a training step of the matched network, measured in turns with it.
        conditions: Where and how both were measured.
    """

    low: float
    high: float
    cost: float
    target: float
    conditions: str

    @property
    def has_equal_in_interval(self) -> bool:
        """Whether the interval of the ratio contains 1."""
        return self.low <= 1 <= self.high

    @property
    def described_ratio(self) -> str:
        """The ratio with its interval in words."""
        return f"{self.ratio:.3f} times ({self.low:.3f} to {self.high:.3f})"


class MatchCosts:
    """Costs of residual networks by their layer plan, without torch. Others are refused; a subclass can count them."""

    def count(self, variant: AnyVariant, by: CostName, size: tuple[int, int]) -> float:
        """Return the counted cost of a network for images of ``size`` (height, width) in pixels.

        Raises:
            HarnessError: It is an external network, which has no layer plan; or the images are too small.
        """
        if isinstance(variant, ExternalNetwork):
            raise HarnessError(
                f"{variant.name} has no layer plan, so its cost is not known here",
                where="match",
                remedy="Use harness plan or harness run, which build the network and count it.",
            )
        require_input(variant, size)
        plan = plan_layers(variant, size)
        return float(plan.macs if by == "macs" else plan.params)

    def measure(
        self, ladder: Ladder, start: float, to: AnyVariant, setting: CostSetting, tolerance: float
    ) -> Sequence[MeasuredRatio]:
        """Measure networks of a ladder in turns with ``to``; return them, the nearest to an equal time first.

        Args:
            start: The scale of the ladder at which the search begins.
            tolerance: Largest relative difference of two times that count as equal.

        Raises:
            HarnessError: Nothing can be measured here.
        """
        raise HarnessError(
            "a match by step_time has to be measured",
            where="match.by",
            remedy="Use harness plan or harness run, which measure it once.",
        )

    def recall(self, key: str) -> FoundMatch | None:
        """Return what an earlier run has found for the same request; None if there is none."""
        return None

    def remember(self, found: FoundMatch) -> None:
        """Keep what was found, for the next run of the same request."""
