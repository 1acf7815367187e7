"""Experiments: load one, plan it, run it, bring its record up to date."""
