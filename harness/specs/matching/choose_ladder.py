"""The ladder of networks that a match may choose from, by what the match changes."""

from __future__ import annotations

from harness.errors import HarnessError
from harness.specs.catalogue.catalogue import Catalogue
from harness.specs.catalogue.families import Family
from harness.specs.matching.ladder import Ladder, WidthLadder, argument_ladder, depth_ladder
from harness.specs.matching.match import Match
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant


def choose_ladder(match: Match, base: AnyVariant, catalogue: Catalogue) -> Ladder:
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
