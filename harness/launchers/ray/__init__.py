"""Run trial groups and benchmarks on a Ray cluster."""
