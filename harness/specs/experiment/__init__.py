"""The specs of an experiment and its parts: recipe, data, contrasts, search, trials."""
