"""From an experiment to its plan: the trials, which of them are recorded, and what the others will cost."""
