"""One report over several experiments: their verdicts, and their errors side by side."""
