"""The verdict on every declared contrast, and the sentences that state it. ``decision.py`` decides."""
