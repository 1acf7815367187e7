"""Depthbench measures whether depth, or another change of architecture, helps a network, and what it costs.

In a notebook: ``harness.build("resnet34")``, ``harness.cost("resnet34", 224)``, ``harness.run("quickstart")``,
``harness.results("quickstart")``; see docs/notebook.md. On the command line: ``harness --help``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.version import __version__

if TYPE_CHECKING:
    from harness.api.notebook import build, cost, results, run, variant

__all__ = ["HarnessError", "__version__", "build", "cost", "results", "run", "variant"]


def __getattr__(name: str) -> Any:
    """Return a function for notebooks; its imports start with the first use, so the command line starts faster."""
    if name in __all__:
        from harness.api import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
