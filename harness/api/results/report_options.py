"""The options of `harness report`: which of them go together."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError


def check_report_options(names: Sequence[str], report_name: str | None, every_report: bool) -> None:
    """Check that the options name one report, one report over several experiments, or all reports.

    Args:
        names: The experiments.
        report_name: The name of the report over several experiments.
        every_report: Whether all reports are to be written again.

    Raises:
        HarnessError: They name none of the three, or two of them.
    """
    if every_report:
        if names or report_name is not None:
            raise HarnessError(
                "--all writes every report by itself", where="--all", remedy="Leave the names and --name out."
            )
    elif not names:
        raise HarnessError(
            "no experiment is named", where="report", remedy="Write harness report NAME, or harness report --all."
        )
    elif len(names) == 1 and report_name is not None:
        raise HarnessError(
            "the report of one experiment always has the same name as the experiment",
            where="--name",
            remedy="Leave --name out, or name a second experiment.",
        )
    elif len(names) > 1 and report_name is None:
        raise HarnessError(
            f"a report over {len(names)} experiments needs a name",
            where="--name",
            remedy="Write a name, such as --name comparison, or write the reports one by one.",
        )
