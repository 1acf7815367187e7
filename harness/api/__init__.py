"""The functions behind the commands, for notebooks and the command line."""

from harness.api.experiments.load_experiment import load_resolved_experiment, parse_seeds
from harness.api.experiments.plan import plan
from harness.api.experiments.run import run
from harness.api.experiments.sync import sync
from harness.api.results.collect import collect
from harness.api.results.compare import combine, diff
from harness.api.results.report import report, report_all
from harness.settings import Settings

__all__ = [
    "Settings",
    "collect",
    "combine",
    "diff",
    "load_resolved_experiment",
    "parse_seeds",
    "plan",
    "report",
    "report_all",
    "run",
    "sync",
]
