"""The page for newcomers to the code: its picture is that of the code, and the files that it names exist."""

import re
import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "architecture.md"
PATHS = sorted(set(re.findall(r"`((?:harness|tests|docs)/[\w./]*)`", PAGE.read_text())))


def test_architecture_picture_equals_the_imports_in_the_code():
    script = runpy.run_path(str(REPOSITORY / "docs" / "draw_architecture.py"))
    assert script["PICTURE"].read_text() == script["draw"](), "run `python docs/draw_architecture.py`"


@pytest.mark.parametrize("path", PATHS)
def test_architecture_page_names_files_that_exist(path):
    assert (REPOSITORY / path).exists()
