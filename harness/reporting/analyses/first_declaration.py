"""The verdict under the first declaration, from the same data, beside a verdict whose declaration was changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.reporting.analyses.exploratory import recorded_seeds
from harness.reporting.analyses.recording import find_contrast, list_recipe_views
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.declarations.changes import compare_declarations, describe_declaration
from harness.specs.declarations.declaration import Declaration, DeclaredContrast
from harness.specs.declarations.declare import declare
from harness.specs.declarations.earlier_analyses import EarlierAnalyses, find_earlier
from harness.specs.experiment.contrasts import Contrast
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.results_table import Results

DecideContrasts = Callable[[Results], list[Verdict]]


def first_declaration(results: Results, index: int = 0) -> Declaration | None:
    """Return the first declaration under which results of a contrast were seen; None if they never were.

    Args:
        index: Index of the contrast.
    """
    return _find_earlier(results, index).first


def _find_earlier(results: Results, index: int) -> EarlierAnalyses:
    return find_earlier(results.study, index, recorded_seeds(results.study, index, results.final))


def add_first_verdicts(results: Results, verdicts: Sequence[Verdict], decide: DecideContrasts) -> list[Verdict]:
    """Add to each verdict whose declaration was changed the verdict under the first declaration, from the same data.

    Args:
        verdicts: One per contrast, as ``decide`` returns them.
        decide: :func:`harness.reporting.verdicts.decision.decide_contrasts`.

    Returns:
        The verdicts; those whose declaration was changed have :attr:`Verdict.first`, and name it in their caveats.
    """
    views, decided = list_recipe_views(results), dict[str, list[Verdict]]()
    added = []
    for verdict in verdicts:
        earlier = _find_earlier(*find_contrast(views, verdict)) if verdict.exploratory else None
        first = None if earlier is None else earlier.first
        if earlier is None or first is None or first.digest == earlier.declaration.digest:
            added.append(verdict)
            continue
        declared = compare_declarations(first, earlier.declaration).first_of.get(earlier.contrast.key)
        if declared is None:
            added.append(verdict)
            continue
        redeclared = apply_declaration(results, first)
        if first.digest not in decided:
            decided[first.digest] = decide(redeclared)
        under_first = _find_verdict(decided[first.digest], redeclared.study, declared, verdict.at_tuned_recipes)
        if under_first is not None:
            text = describe_declaration(first, declared)
            verdict = _with_first(verdict, under_first, earlier.seen[0].date, text)
        added.append(verdict)
    return added


def _find_verdict(
    verdicts: Sequence[Verdict], study: ResolvedExperiment, declared: DeclaredContrast, at_tuned_recipes: bool
) -> Verdict | None:
    """Return the verdict on a contrast of a declaration; None where its trials are no longer compared.

    Args:
        study: The experiment whose verdicts they are.
    """
    pairs = zip(study.experiment.contrasts, declare(study).contrasts, strict=True)
    specs = [contrast for contrast, own in pairs if own.key == declared.key]
    return next((v for v in verdicts if v.contrast in specs and v.at_tuned_recipes == at_tuned_recipes), None)


def _with_first(verdict: Verdict, first: Verdict, date: str, declared: str) -> Verdict:
    """Return a verdict that says, wherever it says that it is exploratory, what it was by the first declaration."""
    text = (
        f"{verdict.exploratory} Under the first declaration, of {date} ({declared}), the verdict is {first.state} "
        f"(n = {first.n})."
    )

    caveats = tuple(text if line == verdict.exploratory else line for line in verdict.caveats)
    return replace(verdict, exploratory=text, caveats=caveats, first=first)


def apply_declaration(results: Results, declaration: Declaration) -> Results:
    """Return the same results as an experiment that declares something else, with the variants that it compares.

    A compared variant that the experiment no longer has is missing in the results; its contrast still counts in the
    correction over all verdicts.
    """
    study = results.study
    names = {canonical(variant.identity()): variant.name for variant in study.variants}
    variants: dict[str, AnyVariant] = {}
    for contrast in declaration.contrasts:
        for identity, variant in zip(contrast.roles.values(), contrast.variants.values(), strict=True):
            name = names.get(identity, variant.name)
            if identity not in names and name in names.values():
                name = f"{name}, as first declared"
            variants.setdefault(identity, variant.model_copy(update={"name": name}))
    kept = [variant.name for variant in variants.values()]
    are_all_here = variants.keys() <= names.keys()
    own_seeds = study.experiment.seeds
    keeps_seeds = not declaration.is_fixed and set(declaration.seeds) <= set(own_seeds)
    # The seeds of a preview decide nothing; what it declared is applied to the seeds that there are now.
    keeps_seeds |= len(declaration.seeds) < SEEDS_FOR_CLAIMS
    experiment = study.experiment.model_copy(
        update={
            "contrasts": tuple(_rename(contrast, variants) for contrast in declaration.contrasts),
            "level": declaration.level,
            "looks": declaration.looks,
            "decide": declaration.decide,
            "untrained_tolerance": declaration.untrained_tolerance,
            "seeds": own_seeds if keeps_seeds else declaration.seeds,
        }
    )
    first = study.replace(
        experiment=experiment,
        variants=tuple(variants.values()),
        samples=tuple(sample for sample in study.samples if sample.variant in kept),
        choices={name: study.choices[name] for name in kept} if study.choices and are_all_here else {},
        looks=(),
        declarations=(),
        analyses=(),
    )
    if first.verdict_count < declaration.verdicts:
        # A search that was removed afterwards had doubled the family.
        level = declaration.level * first.verdict_count / declaration.verdicts
        first = first.replace(experiment=experiment.model_copy(update={"level": level}))
    trials = {trial.id for trial in first.all_trials}
    return Results(
        first,
        results.epochs[results.epochs["trial"].isin(list(trials))].reset_index(drop=True),
        results.tuning[results.tuning["trial"].isin(list(trials))].reset_index(drop=True),
    )


def _rename(declared: DeclaredContrast, variants: dict[str, AnyVariant]) -> Contrast:
    """Return a declared contrast that names its variants as the experiment does now."""
    names = {role: variants[identity].name for role, identity in declared.roles.items()}
    update = {role: name for role, name in names.items() if role in type(declared.contrast).model_fields}
    return declared.contrast.model_copy(update=update)
