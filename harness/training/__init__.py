"""One trial: recipe, loop, clocks, checkpoint. No ray, no mlflow."""

from harness.training.trial import Training

__all__ = ["Training"]
