"""Types of the numbers that fields of several specs hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

LARGE = 2**31
"""Upper bound of all counts: beyond it integers of torch, Ray and the clocks overflow."""
LARGE_SEED = 2**32
"""Upper bound of all seeds."""
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=LARGE_SEED)]
