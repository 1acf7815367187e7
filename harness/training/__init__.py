"""The training of one trial: its loop, optimiser, timers, diagnostics and checkpoint."""
