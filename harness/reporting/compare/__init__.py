"""Several results together: the comparison report over experiments, and the diff of two results."""
