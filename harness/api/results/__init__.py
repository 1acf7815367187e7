"""Results: the table of an experiment, its report, and comparisons between experiments."""
