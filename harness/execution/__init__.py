"""Run one trial group: its claim, its checkpoints, its training and its end."""
