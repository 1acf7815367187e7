"""Named variants with their counted costs: the list of all, one in detail, and two compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.api.networks.input_shape import default_input, fit_input
from harness.errors import HarnessError
from harness.specs import Catalogue, ExternalNetwork, LayerPlan, require_variant_without_code
from harness.specs.catalogue.families import Family
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import ImageTooSmall, plan_layers

if TYPE_CHECKING:
    from harness.costs.complexity import StaticCosts
    from harness.costs.complexity_by_stage import CostComparison, CostRow

ShowCounting = Callable[[str], AbstractContextManager[object]]
"""Shows the name of a network for as long as its costs are counted, which can take seconds."""


@dataclass(frozen=True)
class CatalogueRow:
    """One variant in the list.

    Attributes:
        depth: Number of layers with weights; None: not counted yet.
        input: The image shape that the costs hold for, such as ``3x224x224``.
        parameters: Number of trainable parameters; None: not counted yet.
        macs: Multiply-accumulates for one image; None: not counted yet.
        twin: Name of the variant that differs in the shortcut alone; empty: there is none.
    """

    name: str
    kind: str
    depth: int | None
    block: str | None
    shortcut: str | None
    input: str
    parameters: int | None
    macs: int | None
    twin: str


@dataclass(frozen=True)
class CatalogueList:
    """The variants that the list shows, and those that it leaves out.

    Attributes:
        too_small: Names of the variants whose total stride is larger than the images.
        uncounted: Number of rows without costs.
        failures: Why networks could not be counted, by name.
        depth_rules: How to name members of other depths, such as ``cifar-resnetN with N = 6n+2 (basic)``.
    """

    rows: tuple[CatalogueRow, ...]
    too_small: tuple[str, ...]
    uncounted: int
    failures: dict[str, str]
    depth_rules: tuple[str, ...]


def list_variants(
    words: Sequence[str] = (),
    shape: str | None = None,
    count: bool = False,
    show_counting: ShowCounting = lambda name: nullcontext(),
    no_code: bool = False,
) -> CatalogueList:
    """Return the named variants with their costs.

    Args:
        words: List only variants whose name contains one of these words; empty: all.
        shape: The image shape; None: that of each variant's family.
        count: Whether networks of other libraries that were never counted are counted now.
        no_code: Whether networks of Python code are left uncounted.

    Raises:
        HarnessError: The text is not a shape of images.
    """
    catalogue = Catalogue.load()
    rows: list[CatalogueRow] = []
    too_small: list[str] = []
    failures: dict[str, str] = {}
    for variant, twin in catalogue.networks():
        if words and not any(word in variant.name for word in words):
            continue
        try:
            variant, size = fit_input(variant, shape or default_input(variant))
        except ImageTooSmall:
            too_small.append(variant.name)
            continue
        try:
            if no_code and count:
                _require_no_code(catalogue, variant)
            costs = _costs(variant, size, count, show_counting)
        except HarnessError as error:
            costs = None
            if count:
                failures[variant.name] = error.what
        rows.append(_row(variant, size, costs, twin))
    uncounted = sum(row.parameters is None for row in rows)
    return CatalogueList(tuple(rows), tuple(too_small), uncounted, failures, tuple(_depth_rules(catalogue)))


def _require_no_code(catalogue: Catalogue, variant: AnyVariant) -> None:
    require_variant_without_code(
        variant, ", ".join(filter(None, [catalogue.file_of(variant.family), f"{variant.name}.factory"]))
    )


def _costs(variant: AnyVariant, size: tuple[int, int], count: bool, show_counting: ShowCounting) -> StaticCosts | None:
    """Return the costs of a variant; None for a network of another library that is not counted yet.

    Raises:
        HarnessError: A network of another library is not installed, or does not take such images.
    """
    from harness.costs.complexity import compute_static_costs, read_cached_costs

    if isinstance(variant, ExternalNetwork):
        variant = variant.with_content_hash()
        if not count:
            return read_cached_costs(variant, size)
    with show_counting(variant.name):
        return compute_static_costs(variant, size)


def _row(variant: AnyVariant, size: tuple[int, int], costs: StaticCosts | None, twin: str) -> CatalogueRow:
    counted_depth = costs.layers if costs is not None else None
    return CatalogueRow(
        name=variant.name,
        kind=variant.kind,
        depth=counted_depth if isinstance(variant, ExternalNetwork) else variant.depth,
        block=variant.block,
        shortcut=variant.shortcut,
        input=f"{variant.in_channels}x{size[0]}x{size[1]}",
        parameters=costs.params if costs is not None else None,
        macs=costs.macs if costs is not None else None,
        twin=twin,
    )


def _depth_rules(catalogue: Catalogue) -> list[str]:
    return [
        f"{family.member_prefix}N with N = {rule} ({block})"
        for family in catalogue.families.values()
        if isinstance(family, Family)
        for block, rule in family.depth.items()
    ]


@dataclass(frozen=True)
class VariantInspection:
    """One variant with the costs of its parts.

    Attributes:
        size: (height, width) of the images in pixels.
        parts: The costs of each stage or layer.
        plan: The layer plan; None for a network of another library.
    """

    variant: AnyVariant
    size: tuple[int, int]
    costs: StaticCosts
    parts: tuple[CostRow, ...]
    plan: LayerPlan | None

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return self.costs.layers or self.variant.depth

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters in fp32."""
        return 4 * self.costs.params


def inspect_variant(
    name: str,
    overrides: Sequence[str] = (),
    shape: str | None = None,
    every_layer: bool = False,
    show_counting: ShowCounting = lambda name: nullcontext(),
    no_code: bool = False,
) -> VariantInspection:
    """Return the costs of a variant by stage or by layer.

    Args:
        overrides: Assignments ``key=value`` that change fields of the variant.
        shape: The image shape; None: that of the variant's family.
        every_layer: Whether each layer is a part, and not each stage.

    Raises:
        HarnessError: There is no such variant, field or shape; or a network of another library cannot be built, or has
            no layers to list.
    """
    from harness.costs.complexity import compute_static_costs
    from harness.costs.complexity_by_stage import list_layer_costs, list_stage_costs

    catalogue = Catalogue.load()
    variant = catalogue.get_with_fields(name, overrides)
    if no_code:
        _require_no_code(catalogue, variant)
    variant, size = fit_input(variant, shape or default_input(variant))
    if isinstance(variant, ExternalNetwork):
        if every_layer:
            raise HarnessError(
                f"{variant.name} is a network of another library and has no layer plan",
                where="--layers",
                remedy="Leave the option out.",
            )
        variant = variant.with_content_hash()
        with show_counting(variant.name):
            return VariantInspection(
                variant, size, compute_static_costs(variant, size), tuple(list_stage_costs(variant, size)), None
            )
    plan = plan_layers(variant, size)
    parts = list_layer_costs(plan) if every_layer else list_stage_costs(variant, size)
    return VariantInspection(variant, size, compute_static_costs(variant, size), tuple(parts), plan)


@dataclass(frozen=True)
class VariantComparison:
    """Two variants, and how their specs and costs differ.

    Attributes:
        size: (height, width) in pixels of the images that the costs hold for.
    """

    first: AnyVariant
    second: AnyVariant
    size: tuple[int, int]
    comparison: CostComparison


def compare_variants(first: str, second: str, shape: str | None = None, no_code: bool = False) -> VariantComparison:
    """Compare the specs and costs of two variants.

    Args:
        shape: The image shape; None: that of the first variant's family.

    Raises:
        HarnessError: There is no such variant or shape, or a network of another library cannot be built.
    """
    from harness.costs.complexity_by_stage import compare_costs

    catalogue = Catalogue.load()
    variants = [catalogue.get(name) for name in (first, second)]
    for variant in variants if no_code else ():
        _require_no_code(catalogue, variant)
    shape = shape or default_input(variants[0])
    fitted, sizes = zip(*(fit_input(variant, shape) for variant in variants), strict=True)
    one, other = (
        variant.with_content_hash() if isinstance(variant, ExternalNetwork) else variant for variant in fitted
    )
    return VariantComparison(one, other, sizes[0], compare_costs(one, other, sizes[0]))
