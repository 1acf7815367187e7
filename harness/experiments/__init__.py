"""One experiment, from its plan to a settled record: checks before a run, planning, the driver, the search."""
