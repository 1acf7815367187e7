"""The record in MLflow: one experiment, a run per variant, the runs of its trials nested under it."""
