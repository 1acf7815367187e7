"""Sources of randomness that a seed varies, and the design of an experiment that measures their variances."""
