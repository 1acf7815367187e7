"""Run the command line: ``python -m harness`` does the same as ``harness``."""

from harness.cli.main import main

main()
