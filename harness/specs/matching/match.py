"""The request for a network of equal cost in an experiment's file, and the network that was found for it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.specs.identity import Spec
from harness.text import Line

CostName = Literal["macs", "params", "step_time"]
TOLERANCE = 0.01
"""Largest relative difference between two counted costs that count as equal."""
TIME_TOLERANCE = 0.1
"""The same for measured times, of which the nearest is taken. One network against itself differs by up to 1.2 %
(benchmarks/repeatability.md), and times rise in steps: cifar-plain20 with 65 instead of 64 channels in its last stage
took 1.15 times as long."""
COST_WORDS = {"macs": "MACs", "params": "parameters", "step_time": "measured step time"}
"""The matched costs, as reports and errors name them."""
Cost = Annotated[float, Field(gt=0)]


class FoundMatch(Spec):
    """The network that a match has found for one selected variant. Depthbench writes it.

    A network that was found by a measurement is kept here, so that a second run of the experiment has the same one.

    Attributes:
        key: Hash of the request, of both networks and, for a measured time, of what was measured.
        variant: Name of the selected variant before the match.
        result: Name of the network of equal cost in this experiment.
        to: Full name of the network whose cost is matched.
        fields: The fields that were changed, with their new values.
        cost: MACs for one image, parameters, or seconds of a training step.
        target: The same of the network ``to``.
        ratio: ``cost`` divided by ``target``; of measured times the median over pairs of processes.
        low: Lower end of the 95 % interval of a measured ratio.
        high: Upper end of that interval.
        conditions: Where and how it was measured; empty if the costs were counted.
    """

    key: Line
    variant: Line
    result: Line
    to: Line
    fields: dict[str, Any]
    cost: Cost
    target: Cost
    ratio: Cost
    low: Cost | None = None
    high: Cost | None = None
    conditions: Line = ""

    @property
    def interval(self) -> str:
        """The interval of a measured ratio in words; empty if the costs were counted."""
        return "" if self.low is None or self.high is None else f"95 % interval {self.low:.3f} to {self.high:.3f}"


class Match(Spec):
    """The field ``match`` of a variant selection: change the selected networks until they cost the same as another."""

    example: ClassVar[str] = "{by: macs, to: resnet18}"

    by: CostName = Field(
        description="Cost that is to be equal: macs or params (counted), or step_time (of a training step, measured "
        "once on the device of the trials)."
    )
    to: Line = Field(
        description="Name of the network whose cost is matched: another variant of this experiment, or any that "
        "`harness variants` lists."
    )
    change: Literal["widths", "depth"] = Field(
        "widths",
        description="widths: all stages by a common factor, to one of the two nearest whole channels. depth: the "
        "blocks of each stage, by the depths of the family.",
    )
    argument: Line | None = Field(
        None,
        description="With kind: the whole number in args that sets the width of the model, such as growth_rate of "
        "timm's DenseNets.",
    )
    within: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        None,
        description="Largest relative difference of the two costs (default: 0.01 for macs and params, 0.1 for "
        "step_time).",
    )
    found: tuple[FoundMatch, ...] = Field((), description="What was found; Depthbench writes it.")

    @property
    def tolerance(self) -> float:
        """Largest relative difference of the two costs."""
        return self.within or (TIME_TOLERANCE if self.by == "step_time" else TOLERANCE)

    def accepts(self, ratio: float) -> bool:
        """Return whether two costs of this ratio count as equal."""
        return abs(ratio - 1) <= self.tolerance


def describe_match(match: Match, found: FoundMatch) -> str:
    """Return a sentence that states which network was found, and how equal the costs are."""
    fields = ", ".join(f"{name} {_show(value)}" for name, value in found.fields.items())
    interval = f" ({found.interval})" if found.interval else ""
    where = f", measured on {found.conditions}" if found.conditions else ""
    return (
        f"{found.result} is {found.variant} {f'with {fields}' if fields else 'unchanged'}: it has {found.ratio:.4f} "
        f"times the {COST_WORDS[match.by]} of {found.to}{interval}: {_show_cost(match.by, found.cost)} and "
        f"{_show_cost(match.by, found.target)}{where}."
    )


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_show(inner)}" for key, inner in value.items())
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _show_cost(by: CostName, cost: float) -> str:
    return f"{1000 * cost:.3g} ms" if by == "step_time" else f"{cost:,.0f}"
