"""Two results of the same variants, compared variant by variant: ``harness diff``."""
