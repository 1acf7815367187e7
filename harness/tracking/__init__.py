"""The record: histories, the outbox to MLflow, and back into tables. No ray, no torch."""
