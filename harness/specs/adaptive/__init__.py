"""Adaptive experiments: the declared stages, the seeds they take, and what was decided after each of them."""
