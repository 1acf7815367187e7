"""The type of every network that an experiment can hold."""

from __future__ import annotations

from typing import TypeAlias

from harness.specs.network.external import ExternalNetwork
from harness.specs.network.variant import Variant

AnyVariant: TypeAlias = Variant | ExternalNetwork
