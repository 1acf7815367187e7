"""Directories of reports: each kind of report is recognised by its own file."""

from pathlib import Path

import pytest

from harness.io.output_directory import report_kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [("results.csv", "experiment"), ("results", "comparison"), ("costs.json", "costs"), ("README.md", None)],
)
def test_report_kind_is_recognised_by_its_file(name, kind, tmp_path):
    (tmp_path / name).touch()
    assert report_kind(tmp_path) == kind


def test_report_kind_of_a_missing_directory_is_none():
    assert report_kind(Path("/nowhere")) is None
