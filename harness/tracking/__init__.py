"""The record: what was measured, and the way back into tables. No ray, no torch."""
