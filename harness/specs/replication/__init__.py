"""What a seed varies: sources of randomness, and the design of an experiment that measures their variances."""
