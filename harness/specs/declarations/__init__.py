"""Declarations, the analyses made under them, and the later verdicts that they make exploratory."""
