"""The request for a network of equal cost in an experiment's file, and the network that was found for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.specs.identity import Spec
from harness.text import Line

CostName = Literal["macs", "params", "step_time"]
TOLERANCE = 0.01
"""Largest relative difference between two costs that count as equal."""
COST_WORDS = {"macs": "MACs", "params": "parameters", "step_time": "measured step time"}
"""The matched costs, as reports and errors name them."""
Cost = Annotated[float, Field(gt=0)]


class FoundMatch(Spec):
    """The network that a match has found for one selected variant. Depthbench writes it; nobody has to.

    A network that was found by a measurement is kept here, so that a second run of the experiment has the same one.

    Attributes:
        key: Hash of the request, of both networks and, for a measured time, of what was measured.
        variant: Name of the selected variant before the match.
        result: Name of the network of equal cost in this experiment.
        to: Full name of the network whose cost is matched.
        fields: The fields that were changed, with their new values.
        cost: MACs for one image, parameters, or seconds of a training step.
        target: The same of the network ``to``.
        ratio: ``cost`` divided by ``target``; of measured times the mean over processes that took turns.
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
    def is_within_tolerance(self) -> bool:
        """Whether the two costs count as equal."""
        return abs(self.ratio - 1) <= TOLERANCE


class Match(Spec):
    """The field ``match`` of a variant selection: change the selected networks until they cost the same as another."""

    by: CostName = Field(
        description="Cost that is to be equal within 1 %: macs or params (counted), or step_time (of a training step, "
        "measured once on the device of the trials)."
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
    found: tuple[FoundMatch, ...] = Field((), description="What was found; Depthbench writes it.")


def describe_match(match: Match, found: FoundMatch) -> str:
    """Return a sentence that states which network was found, and how equal the costs are."""
    fields = ", ".join(f"{name} {_show(value)}" for name, value in found.fields.items())
    word = COST_WORDS[match.by]
    interval = (
        "" if found.low is None or found.high is None else f" (95 % interval {found.low:.3f} to {found.high:.3f})"
    )
    where = f", measured on {found.conditions}" if found.conditions else ""
    return (
        f"{found.result} is {found.variant} with {fields}: it has {found.ratio:.4f} times the {word} of "
        f"{found.to}{interval}: {_show_cost(match.by, found.cost)} and {_show_cost(match.by, found.target)}{where}."
    )


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_show(inner)}" for key, inner in value.items())
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _show_cost(by: CostName, cost: float) -> str:
    return f"{1000 * cost:.3g} ms" if by == "step_time" else f"{cost:,.0f}"
