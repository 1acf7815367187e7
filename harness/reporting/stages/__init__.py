"""Adaptive experiments in a report: what each stage decided, what was saved, and what further seeds may decide."""
