"""The variants that an experiment selects, with those that its matches find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location
from harness.specs.catalogue.catalogue import Catalogue
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.identity import digest
from harness.specs.matching.match_costs import MatchCosts
from harness.specs.matching.match_order import order_matches
from harness.specs.matching.resolve_matches import MatchContext, match_variants, name_matched
from harness.specs.network.any_variant import AnyVariant


def select_variants(
    experiment: Experiment, document: Document, catalogue: Catalogue, info: DataInfo, costs: MatchCosts
) -> tuple[Experiment, list[AnyVariant]]:
    """Return the selected variants in their declared order, and the experiment with what its matches have found.

    A match comes after all selections without one and after the matches whose networks it names.
    """
    is_list = isinstance(document.data.get("variants"), list)
    selections = list(experiment.variants)
    # A label is the name of the network that a match finds, so its networks before the match have none.
    unlabelled = [s if s.match is None else s.model_copy(update={"label": None}) for s in selections]
    places: list[Location] = [("variants", index) if is_list else ("variants",) for index in range(len(selections))]
    variants: dict[int, list[AnyVariant]] = {}
    bases: dict[int, list[AnyVariant]] = {}
    for index, selection in enumerate(unlabelled):
        with _at(document, places[index]):
            selected = list(catalogue.select_variants(selection, info, document, places[index]))
        (variants if selection.match is None else bases)[index] = selected
    for index in _order_matches(selections, variants, bases, document):
        with _at(document, places[index]):
            known = [variant for _, selected in sorted(variants.items()) for variant in selected]
            context = MatchContext(experiment, catalogue, info, known, costs)
            variants[index], found = match_variants(selections[index], bases[index], context)
        match = selections[index].match
        assert match is not None
        changed = match.model_copy(update={"found": found})
        selections[index] = selections[index].model_copy(update={"match": changed})
    resolved = experiment.model_copy(update={"variants": tuple(selections)})
    return resolved, [variant for _, selected in sorted(variants.items()) for variant in selected]


def _order_matches(
    selections: Sequence[VariantSelection],
    variants: Mapping[int, Sequence[AnyVariant]],
    bases: Mapping[int, Sequence[AnyVariant]],
    document: Document,
) -> list[int]:
    """Return the numbers of the selections with a match in the order in which they are resolved.

    Args:
        variants: The networks of the selections without a match.
        bases: Those of the others before the match.
    """
    targets = {index: match.to for index in bases if (match := selections[index].match) is not None}
    names = {index: name_matched(selections[index], networks) for index, networks in bases.items()}
    with _at(document, ("variants",)):
        return order_matches(targets, names, [variant.name for selected in variants.values() for variant in selected])


@contextmanager
def _at(document: Document, at: Location) -> Iterator[None]:
    """Add file and line to an error that so far names only a field below ``at``."""
    try:
        yield
    except HarnessError as error:
        if document.file in error.where or error.where.startswith("--set"):
            raise
        field = () if error.where == "variants" else tuple(error.where.split("."))
        raise HarnessError(error.what, where=document.where((*at, *field)), remedy=error.remedy) from error


def require_distinct_variants(variants: Sequence[AnyVariant], document: Document) -> None:
    """Raise a HarnessError if two variants have one name, or are one network."""
    names_by_network: dict[str, str] = {}
    for variant in variants:
        network = digest(variant.identity(), 64)
        is_repeated_name = variant.name in names_by_network.values()
        other = variant.name if is_repeated_name else names_by_network.get(network)
        if other is not None:
            raise HarnessError(
                f"the variant {variant.name} is selected twice"
                + (f": it is the same network as {other}" if other != variant.name else ""),
                where=document.where(("variants",)),
                remedy="Remove one of the two."
                if other != variant.name
                else "Remove one of the two, or give one of them a label.",
            )
        names_by_network[network] = variant.name
