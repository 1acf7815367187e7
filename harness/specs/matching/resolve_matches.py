"""The variants of selections with ``match``: found before anything is launched, and written into the experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError, suggest_nearest
from harness.specs.catalogue.catalogue import MAX_NAME_LENGTH, Catalogue
from harness.specs.catalogue.families import Family
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.resolved_experiment import resolve_memory_format
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.identity import digest
from harness.specs.matching.ladder import (
    Ladder,
    WidthLadder,
    argument_ladder,
    changed_fields,
    depth_ladder,
    with_fields,
)
from harness.specs.matching.match import FoundMatch, Match
from harness.specs.matching.match_costs import MatchCosts, MeasuredRatio
from harness.specs.matching.search import find_equal_cost, refuse_match
from harness.specs.matching.variant_names import find_names
from harness.specs.measured_cost import CostSetting
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import ExternalNetwork
from harness.specs.network.layer_plan import ImageTooSmall
from harness.specs.network.variant import Variant

NAME_PARTS = {"macs": "macs", "params": "params", "step_time": "time"}
"""The matched cost in the name of a variant, as in plain18-macs-of-resnet18."""


@dataclass(frozen=True)
class MatchContext:
    """The part of an experiment that a match needs.

    Attributes:
        experiment: The experiment, with its recipe, its resources and its execution settings.
        info: Facts about its data; of several data sets those of the first, whose images count.
        variants: The variants that are known so far: those that need no match, and those that were matched before.
        costs: Counts and measures.
    """

    experiment: Experiment
    catalogue: Catalogue
    info: DataInfo
    variants: Sequence[AnyVariant]
    costs: MatchCosts


def match_variants(
    selection: VariantSelection, bases: Sequence[AnyVariant], context: MatchContext
) -> tuple[list[AnyVariant], tuple[FoundMatch, ...]]:
    """Return the network of equal cost for each selected one, and what was found.

    Args:
        selection: A selection with ``match``.
        bases: Its networks before the match.

    Raises:
        HarnessError: Nothing of equal cost exists, or the networks cannot be changed in this way.
    """
    match = selection.match
    assert match is not None
    to = _find_target(match, context)
    variants, found = [], []
    for base in bases:
        variant, result = _find(match, base, to, context)
        name = selection.label or f"{_unchanged_name(selection, base)}-{NAME_PARTS[match.by]}-of-{match.to}"
        if len(name) > MAX_NAME_LENGTH:
            raise HarnessError(
                f"the name of the matched variant would have {len(name)} letters, more than {MAX_NAME_LENGTH}",
                where="match",
                remedy="Give it a shorter name with label.",
            )
        _require_new(variant, match, to, context.variants)
        variants.append(variant.model_copy(update={"name": name}))
        # Another label gives the same network another name.
        found.append(result.model_copy(update={"result": name}))
    return variants, tuple(found)


def _unchanged_name(selection: VariantSelection, base: AnyVariant) -> str:
    """Return the name of a selected network without the suffix of the field that the match changes."""
    assert selection.match is not None
    if not isinstance(base, Variant):
        return base.name
    field = "widths" if selection.match.change == "widths" else "blocks"
    suffix = f"-w{base.widths[0]}" if field == "widths" else f"-blocks-{'-'.join(map(str, base.blocks))}"
    before, found, after = base.name.rpartition(suffix) if field in selection.set else ("", "", "")
    return before + after if found else base.name


def _find_target(match: Match, context: MatchContext) -> AnyVariant:
    """Return the network whose cost is matched: a variant of the experiment, or else one of the catalogue."""
    names = [variant.name for variant in context.variants]
    matches = find_names(match.to, names)
    if len(matches) == 1:
        return context.variants[names.index(matches[0])]
    if matches:
        raise HarnessError(
            f"'{match.to}' may mean {' or '.join(matches)}", where="match.to", remedy="Give the full name of one."
        )
    try:
        variant = context.catalogue.get(match.to)
    except HarnessError as error:
        raise HarnessError(
            f"there is no variant '{match.to}', neither in this experiment nor in the catalogue",
            where="match.to",
            remedy=suggest_nearest(match.to, names) or error.remedy,
        ) from error
    fields = {"in_channels": context.info.channels, "classes": context.info.classes}
    return variant.model_copy(update=fields).with_content_hash()


def _find(match: Match, base: AnyVariant, to: AnyVariant, context: MatchContext) -> tuple[AnyVariant, FoundMatch]:
    """Return the network of equal cost: the one that was found before, where it still is; else a new one."""
    ladder = _build_ladder(match, base, context.catalogue)
    size = context.info.size
    setting = _cost_setting(context, base) if match.by == "step_time" else None
    request: list[Any] = [match.by, match.change, match.argument, base.identity(), to.identity(), size]
    key = digest([*request, setting.identity() if setting is not None else None], 20)
    earlier = [found for found in match.found if found.key == key]

    def count(variant: AnyVariant) -> float:
        # A time is nearly proportional to the MACs, so they give the networks to measure first.
        return context.costs.count(variant, "params" if match.by == "params" else "macs", size)

    if setting is not None:
        known = earlier[0] if earlier else context.costs.recall(key)
        if known is not None:
            return _apply(base, known), known
        nearest = find_equal_cost(ladder, _count(count, to, "match.to"), count)[0].variant
        measured = context.costs.measure(ladder, ladder.scale_of(nearest), to, setting)
        if not measured or not _found_measured(key, base, to, measured[0]).is_within_tolerance:
            raise refuse_match(match.by, base, to.name, measured)
        found = _found_measured(key, base, to, measured[0])
        context.costs.remember(found)
        return measured[0].variant, found
    target = _count(count, to, "match.to")
    for found in earlier:
        again = _found_counted(key, base, to, _apply(base, found), count, target)
        if again.is_within_tolerance:
            return _apply(base, found), again
    candidates = find_equal_cost(ladder, target, count)
    result = _found_counted(key, base, to, candidates[0].variant, count, target)
    if not result.is_within_tolerance:
        raise refuse_match(match.by, base, to.name, candidates)
    return candidates[0].variant, result


def _count(count: Callable[[AnyVariant], float], variant: AnyVariant, where: str) -> float:
    try:
        return count(variant)
    except ImageTooSmall as error:
        raise HarnessError(error.what, where=where, remedy=error.remedy) from error


def _found_counted(
    key: str,
    base: AnyVariant,
    to: AnyVariant,
    variant: AnyVariant,
    count: Callable[[AnyVariant], float],
    target: float,
) -> FoundMatch:
    cost = count(variant)
    return FoundMatch(
        key=key,
        variant=base.name,
        result=base.name,
        to=to.name,
        fields=changed_fields(base, variant),
        cost=cost,
        target=target,
        ratio=cost / target,
    )


def _found_measured(key: str, base: AnyVariant, to: AnyVariant, measured: MeasuredRatio) -> FoundMatch:
    return FoundMatch(
        key=key,
        variant=base.name,
        result=base.name,
        to=to.name,
        fields=changed_fields(base, measured.variant),
        cost=measured.cost,
        target=measured.target,
        ratio=measured.ratio,
        low=measured.low,
        high=measured.high,
        conditions=measured.conditions,
    )


def _apply(base: AnyVariant, found: FoundMatch) -> AnyVariant:
    """Return the network that was found before."""
    if isinstance(base, ExternalNetwork):
        return base.model_copy(update={"args": {**base.args, **found.fields.get("args", {})}})
    fields = {name: tuple(value) for name, value in found.fields.items() if name in ("widths", "blocks")}
    return with_fields(base, fields)


def _cost_setting(context: MatchContext, base: AnyVariant) -> CostSetting:
    """Return the setting of a training step of the trials."""
    experiment = context.experiment
    execution = resolve_memory_format(experiment.execution, [*context.variants, base])
    return CostSetting.of_trials(
        experiment.recipe,
        execution,
        device="cuda" if experiment.resources.gpus else "cpu",
        batch=experiment.recipe.batch,
        size=context.info.size,
        threads=experiment.resources.cpus,
    )


def _build_ladder(match: Match, base: AnyVariant, catalogue: Catalogue) -> Ladder:
    """Return the networks that a match may choose from.

    Raises:
        HarnessError: The network has no widths or depths that can be changed.
    """
    if isinstance(base, Variant):
        if match.argument is not None:
            raise HarnessError(
                f"{base.name} has widths and blocks, and no argument '{match.argument}'",
                where="match.argument",
                remedy="Remove argument; it is for networks with kind.",
            )
        return WidthLadder(base) if match.change == "widths" else _depth_ladder(base, catalogue)
    if match.change == "depth":
        raise HarnessError(
            f"{base.name} is an external network, which has no depths to choose from",
            where="match.change",
            remedy="Change widths with an argument of the model, as in change: widths, argument: growth_rate. Or "
            "change the depth of a family of residual networks.",
        )
    if match.argument is None:
        raise HarnessError(
            f"{base.name} is an external network, and nothing says which argument sets its width",
            where="match.change",
            remedy="Name a whole number in args, as in args: {growth_rate: 32} and argument: growth_rate. Or change "
            "the other network, if that is a residual one.",
        )
    value = base.args.get(match.argument)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise HarnessError(
            f"args of {base.name} has no whole number '{match.argument}' from which the search can start",
            where="match.argument",
            remedy=f"Add the model's usual value, as in args: {{{match.argument}: 32}}.",
        )
    return argument_ladder(base, match.argument)


def _depth_ladder(base: Variant, catalogue: Catalogue) -> Ladder:
    family = catalogue.family(base.family)
    blocks = family.list_blocks(base) if isinstance(family, Family) else []
    if len(blocks) < 2:
        raise HarnessError(
            f"the family {base.family} has no other depth with {base.block} blocks than that of {base.name}",
            where="match.change",
            remedy="Use change: widths.",
        )
    return depth_ladder(base, blocks)


def _require_new(variant: AnyVariant, match: Match, to: AnyVariant, variants: Sequence[AnyVariant]) -> None:
    """Raise a HarnessError if the network of equal cost is a variant that the experiment has already."""
    identity = digest(variant.identity(), 64)
    same = next((other.name for other in variants if digest(other.identity(), 64) == identity), None)
    if same is not None:
        raise HarnessError(
            f"the network that costs the same as {to.name} is {same}, which this experiment has already",
            where="match",
            remedy=f"Remove this selection, and use {same} in the contrasts.",
        )
