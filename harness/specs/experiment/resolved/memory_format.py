"""The memory format of an experiment's trials, which is one for all variants."""

from __future__ import annotations

from collections.abc import Iterable

from harness.specs.experiment.execution import Execution
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant

MIN_WIDE_CHANNELS = 16
"""Narrowest stage with which channels_last is faster on a CPU: by 2 to 19 % in benchmarks/README.md (a).

Narrower networks are slower by 7 %; external networks were not measured.
"""


def resolve_memory_format(execution: Execution, variants: Iterable[AnyVariant]) -> Execution:
    """Return the execution settings with one memory format for all variants.

    ``auto`` becomes channels_last if all variants are wide. Otherwise ``auto`` stays, and means channels_last on GPUs
    only.
    """
    are_wide = all(isinstance(v, Variant) and min(v.stage_widths) >= MIN_WIDE_CHANNELS for v in variants)
    if execution.memory_format != "auto" or not are_wide:
        return execution
    return execution.model_copy(update={"memory_format": "channels_last"})
