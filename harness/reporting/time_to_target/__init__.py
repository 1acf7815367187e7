"""Time to target: medians, ordered pairs and the verdict, with trials that never reach the target censored."""
