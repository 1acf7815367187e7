"""Estimates, intervals and tests over seeds: arrays in, numbers out. docs/statistics.md explains the choices."""
