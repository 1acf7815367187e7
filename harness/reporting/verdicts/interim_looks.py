"""Kept while :mod:`harness.reporting.verdicts.decision` is rewritten: it is harness.reporting.analyses.exploratory."""

from harness.reporting.analyses import exploratory


def build_look(study, index, final):  # type: ignore[no-untyped-def]
    """Return the arguments of :func:`explain_exploratory`."""
    return index, final


def explain_exploratory(study, look):  # type: ignore[no-untyped-def]
    """Return why a verdict is exploratory."""
    return exploratory.explain_exploratory(study, *look)
