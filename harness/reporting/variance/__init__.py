"""The sources of randomness that seeds vary, and how much each of them moves the results."""
