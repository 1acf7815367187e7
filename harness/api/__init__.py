"""What the commands do, for notebooks too; they join the two wings of the house, launching and reporting."""

from harness.api.experiments import collect, plan, report_due, run, sync
from harness.api.load_experiment import load_resolved_experiment, parse_seeds
from harness.api.reports import combine, diff, report, report_all
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
    "report_due",
    "run",
    "sync",
]
