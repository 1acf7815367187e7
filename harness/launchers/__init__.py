"""Run many trial groups: in this process, or on a Ray cluster. Benchmarks have launchers of their own."""
