"""What the commands do, for notebooks too; they join the two wings of the house, launching and reporting."""

from harness.verbs.experiments import collect, plan, report_due, run, sync
from harness.verbs.reports import combine, diff, report, report_all
from harness.verbs.settings import Settings
from harness.verbs.studies import load_study, parse_seeds

__all__ = [
    "Settings",
    "collect",
    "combine",
    "diff",
    "load_study",
    "parse_seeds",
    "plan",
    "report",
    "report_all",
    "report_due",
    "run",
    "sync",
]
