"""Networks as torch modules, built from layer plans or by other libraries."""

from harness.models.network import Network, build

__all__ = ["Network", "build"]
