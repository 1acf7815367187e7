"""Depthbench: does depth, or this change of architecture, help here, and what does it cost?

In a notebook: ``harness.build("resnet34")``, ``harness.cost("resnet34", 224)``, ``harness.run("quickstart")``,
``harness.results("quickstart")``; see docs/notebook.md. On the command line: ``harness --help``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.api.notebook import build, cost, results, run, variant

__version__ = "0.1.0"
__all__ = ["HarnessError", "build", "cost", "results", "run", "variant"]


def __getattr__(name: str) -> Any:
    """What notebooks use is imported once it is asked for: the command line does without."""
    if name in __all__:
        from harness.api import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
