"""The options that have one name everywhere, each declared once.

Every field of these dataclasses carries its option. The command line, the functions of ``import harness`` and the
command that is sent to a cluster are derived from the declarations.
"""

from harness.settings.benchmark_options import BenchmarkOptions
from harness.settings.run_options import RunOptions
from harness.settings.shared_options import Settings

__all__ = ["BenchmarkOptions", "RunOptions", "Settings"]
