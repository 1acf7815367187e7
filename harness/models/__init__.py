"""Layer plan to torch module. No ray, no mlflow."""

from harness.models.network import Network, build

__all__ = ["Network", "build"]
