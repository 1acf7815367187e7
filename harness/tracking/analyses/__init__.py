"""The analyses that a record holds."""
