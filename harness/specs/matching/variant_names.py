"""Variants by the name that a file gives them, with or without the suffix that ``set`` adds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.specs.network.variant import Variant


def find_names(name: str, names: Sequence[str]) -> list[str]:
    """Return the names that ``name`` may mean: itself, else all that are ``name`` with the suffix of a changed field.

    ``set`` on the command line adds such a suffix, as in ``-w8``, to the names that the file uses.
    """
    return [name] if name in names else [other for other in names if _has_set_suffix(other, name)]


def _has_set_suffix(name: str, base: str) -> bool:
    """Return whether ``name`` is ``base`` with the suffix of a field changed by ``set``, such as ``-w8``."""
    fields = "|".join(Variant.model_fields)
    return re.match(rf"{re.escape(base)}-(w\d|({fields})-)", name) is not None
