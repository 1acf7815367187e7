"""The record: what was measured, and how it becomes a table of results. Imports neither torch nor Ray."""
