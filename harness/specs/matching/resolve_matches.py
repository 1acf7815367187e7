"""The variants of selections with ``match``: found before anything is launched, and written into the experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError, suggest_nearest
from harness.specs.catalogue.catalogue import MAX_NAME_LENGTH, Catalogue
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.resolved.memory_format import resolve_memory_format
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.identity import digest
from harness.specs.matching.choose_ladder import choose_ladder
from harness.specs.matching.found_network import apply_found, record_counted, record_measured
from harness.specs.matching.ladder import Ladder
from harness.specs.matching.match import FoundMatch, Match
from harness.specs.matching.match_costs import MatchCosts
from harness.specs.matching.search import find_equal_cost, refuse_match
from harness.specs.matching.variant_names import find_names
from harness.specs.measured_cost import CostSetting
from harness.specs.network.any_variant import AnyVariant
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
    names = name_matched(selection, bases)
    if match.to in names:
        raise _refuse_self_match(match.to)
    to = _find_target(match, context)
    variants, found = [], []
    for base, name in zip(bases, names, strict=True):
        if base.identity() == to.identity():
            raise _refuse_self_match(base.name)
        variant, result = _find(match, base, to, context)
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


def _refuse_self_match(name: str) -> HarnessError:
    return HarnessError(
        f"{name} matches itself", where="match.to", remedy="Name another network in match.to, or remove match."
    )


def name_matched(selection: VariantSelection, bases: Sequence[AnyVariant]) -> list[str]:
    """Return the names of the networks that a selection with ``match`` finds for its networks before the match."""
    match = selection.match
    assert match is not None
    return [
        selection.label or f"{_unchanged_name(selection, base)}-{NAME_PARTS[match.by]}-of-{match.to}" for base in bases
    ]


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
            remedy=f"{suggest_nearest(match.to, names)} `harness variants` lists those of the catalogue."
            if names
            else error.remedy,
        ) from error
    fields = {"in_channels": context.info.channels, "classes": context.info.classes}
    return variant.model_copy(update=fields).with_content_hash()


def _find(match: Match, base: AnyVariant, to: AnyVariant, context: MatchContext) -> tuple[AnyVariant, FoundMatch]:
    """Return the network of equal cost: the one that was found before, where it still is; else a new one."""
    ladder = choose_ladder(match, base, context.catalogue)
    size = context.info.size
    setting = _cost_setting(context, base) if match.by == "step_time" else None
    request: list[Any] = [match.by, match.change, match.argument, base.identity(), to.identity(), size]
    key = digest([*request, setting.identity() if setting is not None else None], 20)

    def count(variant: AnyVariant) -> float:
        # A time is nearly proportional to the MACs, so they give the networks to measure first.
        return context.costs.count(variant, "params" if match.by == "params" else "macs", size)

    target = _count(count, to, "match.to")
    if setting is not None:
        return _find_measured(match, base, to, key, ladder, count, target, setting, context.costs)
    for found in match.found:
        if found.key == key:
            again = record_counted(key, base, to, apply_found(base, found), count, target)
            if match.accepts(again.ratio):
                return apply_found(base, found), again
    candidates = find_equal_cost(ladder, target, count, match.tolerance)
    if not match.accepts(candidates[0].ratio):
        raise refuse_match(match, base, to.name, candidates)
    return candidates[0].variant, record_counted(key, base, to, candidates[0].variant, count, target)


def _find_measured(
    match: Match,
    base: AnyVariant,
    to: AnyVariant,
    key: str,
    ladder: Ladder,
    count: Callable[[AnyVariant], float],
    target: float,
    setting: CostSetting,
    costs: MatchCosts,
) -> tuple[AnyVariant, FoundMatch]:
    """Return the network of equal step time: one of an earlier measurement if it is near enough, else a new one."""
    earlier = [found for found in match.found if found.key == key]
    known = earlier[0] if earlier else costs.recall(key)
    if known is not None and match.accepts(known.ratio):
        return apply_found(base, known), known
    nearest = find_equal_cost(ladder, target, count)[0].variant
    measured = costs.measure(ladder, ladder.scale_of(nearest), to, setting, match.tolerance)
    if not match.accepts(measured[0].ratio):
        raise refuse_match(match, base, to.name, measured)
    found = record_measured(key, base, to, measured[0])
    costs.remember(found)
    return measured[0].variant, found


def _count(count: Callable[[AnyVariant], float], variant: AnyVariant, where: str) -> float:
    try:
        return count(variant)
    except ImageTooSmall as error:
        raise HarnessError(error.what, where=where, remedy=error.remedy) from error


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
