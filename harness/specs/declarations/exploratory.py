"""Whether a verdict is exploratory: because of what was analysed before, and of what was declared at that time."""

from __future__ import annotations

from collections.abc import Iterable

from harness.specs.declarations.analysis import Analysis
from harness.specs.declarations.changes import compare_declarations
from harness.specs.declarations.declaration import Declaration
from harness.specs.declarations.declare import list_recipe_views
from harness.specs.declarations.earlier_analyses import EarlierAnalyses, find_earlier
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, InterimLook
from harness.specs.experiment.resolved_experiment import ResolvedExperiment

LOST_SHARE = 8
"""One seed, or one in so many, may be incomplete: trials are lost to infrastructure. More are seeds yet to come."""


def explain_exploratory(
    study: ResolvedExperiment, index: int, seeds: Iterable[int], complete: int | None = None
) -> str:
    """Return why a verdict is only exploratory, in sentences; empty where it is not.

    Args:
        study: An experiment on one data set, or the view of one.
        index: Index of the contrast.
        seeds: The seeds with a recorded trial of a compared variant.
        complete: Number of seeds for which all compared trials are recorded; None for all declared ones.
    """
    earlier = find_earlier(study, index, seeds)
    reasons = [
        _explain_changes(earlier),
        _explain_replaced_contrast(earlier),
        _explain_changed_batch(earlier),
        _explain_earlier_seeds(earlier),
        _explain_undeclared_number(earlier),
        _explain_missing_seeds(earlier, complete),
    ]
    sentences = " ".join(reason for reason in reasons if reason)
    return f"Exploratory: {sentences}" if sentences else ""


def warn_exploratory(study: ResolvedExperiment) -> str:
    """Return a warning if a verdict on all declared seeds will be exploratory; empty if none will be.

    `harness plan` and `harness run` print it before anything is trained.
    """
    seeds = study.experiment.seeds
    if len(seeds) < SEEDS_FOR_CLAIMS:
        return ""
    reasons = dict.fromkeys(
        explain_exploratory(view, index, seeds)
        for view in list_recipe_views(study)
        for index in range(len(view.experiment.contrasts))
    )
    texts = [reason.removeprefix("Exploratory: ") for reason in reasons if reason]
    return f"The verdict with {len(seeds)} seeds will be exploratory: {' '.join(texts)}" if texts else ""


def _explain_changes(earlier: EarlierAnalyses) -> str:
    """Return what was changed in the declaration after results were seen."""
    first = earlier.first
    if not earlier.seen:
        return ""
    seen = earlier.seen[0]
    if first is None:
        return f"the record no longer says what was declared when results were seen on {seen.date}."
    place = f" in the report of {seen.experiment}" if seen.experiment != earlier.study.experiment.name else ""
    compared = compare_declarations(first, earlier.declaration)
    if compared.is_added(earlier.contrast):
        return f"this contrast was declared after its results were seen on {seen.date}{place}."
    if not compared.changes:
        return ""
    date = f" on {earlier.date}" if earlier.date else ""
    return (
        f"what is declared was changed{date}, after results were seen on {seen.date}{place}: "
        f"{'; '.join(compared.changes)}."
    )


def _explain_replaced_contrast(earlier: EarlierAnalyses) -> str:
    """Return that a contrast was removed after its results were seen, and this one declared in its place."""
    if earlier.seen or not earlier.related:
        return ""
    first = earlier.declaration_of(earlier.related[0])
    changes = _list_changes(first, earlier.declaration)
    if not changes:
        return ""
    return (
        f"what is declared was changed after results of this experiment were seen on {earlier.related[0].date}: "
        f"{'; '.join(changes)}."
    )


def _explain_changed_batch(earlier: EarlierAnalyses) -> str:
    """Return what was changed in the claims since the first batch of other seeds."""
    if not earlier.batches:
        return ""
    changes = _list_changes(earlier.declaration_of(earlier.batches[0]), earlier.declaration)
    if not changes:
        return ""
    return (
        f"what is declared was changed after results of other seeds were seen on {earlier.batches[0].date}: "
        f"{'; '.join(changes)}."
    )


def _list_changes(first: Declaration | None, later: Declaration) -> list[str]:
    """Return the changes of claims and level; the seeds of another batch and their stages may be others."""
    if first is None:
        return ["the record no longer says what was declared"]
    changes = compare_declarations(first, later).changes
    return [change for change in changes if not change.startswith(("looks ", "decide ", "seeds "))]


def _explain_earlier_seeds(earlier: EarlierAnalyses) -> str:
    """Return the earlier tests of the same cells with fewer or more seeds, which were not declared together.

    A preview tests nothing, so it is no chance of a false positive.
    """
    numbers: dict[str, None] = {}
    for analysis in (analysis for analysis in earlier.seen if not analysis.is_preview):
        declaration = earlier.declaration_of(analysis)
        if set(analysis.cells) == earlier.cells and not _is_declared_step(analysis, declaration, earlier):
            looks = () if declaration is None else declaration.looks
            numbers[_describe_look(analysis.seeds, looks)] = None
    for look in _list_earlier_looks(earlier):
        numbers[_describe_look(look.seeds, look.declared)] = None
    if not numbers:
        return ""
    return (
        f"this verdict was already computed with {_join(numbers)}. "
        "Every undeclared look raises the chance of a false positive above the level."
    )


def _describe_look(seeds: tuple[int, ...], declared: tuple[int, ...]) -> str:
    looks = _join(map(str, declared)) if declared else "no looks"
    return f"{len(seeds)} seeds (declared then: {looks})"


def _is_declared_step(analysis: Analysis, then: Declaration | None, earlier: EarlierAnalyses) -> bool:
    """Return whether an earlier analysis was one step of what is declared now."""
    now = earlier.declaration
    if then is None:
        return False
    if (then.looks, then.decide) != (now.looks, now.decide):
        # The change of looks or decide is a reason by itself.
        return True
    if now.decide is not None:
        return True
    if now.looks:
        return analysis.seeds == earlier.seeds or (
            len(analysis.seeds) in now.looks and set(analysis.seeds) < set(earlier.seeds)
        )
    return set(then.seeds) == set(now.seeds)


def _list_earlier_looks(earlier: EarlierAnalyses) -> list[InterimLook]:
    """Return the looks of an earlier version that were not declared together with this analysis.

    They are listed up to the first with the same seeds, so that the same report can be written again.
    """
    declared, seeds = earlier.declaration.looks, set(earlier.seeds)
    found = []
    for look in earlier.looks:
        if set(look.seeds) == seeds:
            if look.declared != declared:
                found.append(look)
            break
        is_step = look.declared == declared and len(look.seeds) in declared and set(look.seeds) < seeds
        if set(look.seeds) & seeds and not is_step:
            found.append(look)
    return found


def _explain_undeclared_number(earlier: EarlierAnalyses) -> str:
    """Return that the number of seeds is not among the declared looks."""
    looks, number = earlier.declaration.looks, len(earlier.seeds)
    if not looks or number in looks:
        return ""
    return f"interim looks are declared at {_join(map(str, looks))} seeds, but this one has {number}."


def _explain_missing_seeds(earlier: EarlierAnalyses, complete: int | None) -> str:
    """Return that this is a report before the declared end; a few trials may be lost."""
    declared = len(earlier.declaration.seeds)
    if not earlier.declaration.is_fixed or complete is None or declared - complete <= max(1, declared // LOST_SHARE):
        return ""
    return (
        f"only {complete} of the {declared} declared seeds are complete, and no look was declared before the last. "
        "The verdict on all of them will not be exploratory."
    )


def _join(items: Iterable[str]) -> str:
    """Join items as ``a, b and c``."""
    words = list(items)
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
