"""Which verdicts the figure of effects shows, in which rows, and whether it needs a second panel near the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.verdict import Verdict
from harness.tracking.metrics import EVALUATED_ERRORS

MIN_COMPONENTS = 2
"""Fewest components for which there is a figure; the sentence of the verdict suffices for one."""
MAX_ROWS = 40
"""Most rows of the figure; further contrasts are in the tables alone."""
MAX_MARGINS = 10.0
"""Largest effect, in margins, that one panel shows. For larger ones a second panel shows the region of the margin, so
that half a point stays visible beside a collapse."""


@dataclass(frozen=True)
class DrawnVerdict:
    """A verdict with the rows that it takes in the figure, counted from the top."""

    verdict: Verdict
    top: int

    @property
    def has_heading(self) -> bool:
        """Whether its title has a row of its own. The label of a single component names the contrast already."""
        return len(self.verdict.components) > 1

    @property
    def rows(self) -> list[tuple[int, Component]]:
        """(row, component) of each component, below the heading."""
        first = self.top + self.has_heading
        return [(first + number, component) for number, component in enumerate(self.verdict.components)]

    @property
    def end(self) -> int:
        """The first row below it."""
        return self.rows[-1][0] + 1


def list_drawable_effects(verdicts: Sequence[Verdict]) -> list[DrawnVerdict]:
    """Return the verdicts that fit into the figure, with their rows.

    The list is empty where there is a single component, and where no component has an effect. A contrast in another
    unit than percentage points is left out.
    """
    verdicts = [verdict for verdict in verdicts if all(map(_is_in_points, verdict.components))]
    components = [component for verdict in verdicts for component in verdict.components]
    if len(components) < MIN_COMPONENTS or all(test.effect is None for c in components for test in c.tests):
        return []
    groups: list[DrawnVerdict] = []
    for verdict in verdicts:
        group = DrawnVerdict(verdict, groups[-1].end if groups else 0)
        if groups and group.end > MAX_ROWS:
            break
        groups.append(group)
    return groups


def _is_in_points(component: Component) -> bool:
    return all(test.metric in EVALUATED_ERRORS and not test.is_order for test in component.tests)


def effects_figure_height(groups: Sequence[DrawnVerdict]) -> float:
    """Return the height of the figure, in inches."""
    return 1.25 + 0.4 * groups[-1].end


def has_zoomed_panel(groups: Sequence[DrawnVerdict]) -> bool:
    """Return whether a second panel shows the region around the margin, beside one that shows all effects."""
    margin, components = find_largest_margin(groups), list_components(groups)
    return margin > 0 and max(abs(v) for c in components for v in list_axis_values(c)) > MAX_MARGINS * margin


def describe_effects_figure(groups: Sequence[DrawnVerdict], left_out: int = 0) -> str:
    """Return the caption of the figure in plain sentences; it names only what the figure has.

    Args:
        left_out: Number of contrasts that have no room in the figure.
    """
    sentences = [
        "Effects A − B with their 95 % intervals (from 5 seeds on) in every error that is tested. Where all of an "
        "effect lies in the blue region, it supports the contrast; in the orange region, it contradicts it."
    ]
    if find_largest_margin(groups) > 0:
        sentences.append("The dotted line is the margin.")
    if any(component.untrainable for component in list_components(groups)):
        sentences.append(
            "Grey effects without regions have an untrainable network: they neither support nor contradict."
        )
    if has_zoomed_panel(groups):
        sentences.append(
            "Both panels are linear; the right one shows the region around the margin, and an arrow there stands for "
            "an effect outside of it."
        )
    if left_out:
        sentences.append(f"{left_out} more {'contrast is' if left_out == 1 else 'contrasts are'} in the tables only.")
    return " ".join(sentences)


def list_components(groups: Sequence[DrawnVerdict]) -> list[Component]:
    """Return the components of all drawn verdicts."""
    return [component for group in groups for component in group.verdict.components]


def find_largest_margin(groups: Sequence[DrawnVerdict]) -> float:
    """Return the largest distance from zero of a drawn bound, in percentage points; 0 if none is but zero itself."""
    return max((abs(value) for component in list_components(groups) for value in list_borders(component)), default=0.0)


def list_borders(component: Component) -> list[float]:
    """Return the borders of the regions that are drawn; an untrainable component has no regions."""
    if component.untrainable:
        return []
    return sorted({value for result in component.outcomes for _, value in result.outcome.bounds})


def list_axis_values(component: Component) -> list[float]:
    """Return all values that the axis must include: the effects, their intervals, zero and finite borders."""
    values = [value for test in component.tests for value in (test.effect, test.low, test.high) if value is not None]
    return [0.0, *list_borders(component), *values]
