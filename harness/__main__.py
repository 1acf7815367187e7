"""Run the command line: ``python -m harness`` does the same as ``harness``."""

import sys
from pathlib import Path

if not sys.flags.safe_path and str(Path(__file__).absolute().parents[1]) != sys.path[0]:
    # Python has put the working directory first, where any file could replace a module that is imported later.
    del sys.path[0]

from harness.cli.main import main

main()
