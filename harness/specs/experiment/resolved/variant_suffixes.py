"""Suffixes of variants' names, which tell apart the trials of one network. They are in no identity."""

from __future__ import annotations

TUNED_SUFFIX = ", tuned"
"""Ends the name of a variant in trials with the recipe that a search chose."""
SEARCH_SUFFIX = ", search "
"""Stands between the name of a variant and the number of a sample in the trials of a search."""
DATA_SUFFIX = " on "
"""Stands between the name of a variant and its data set where an experiment has several data sets."""
