"""One trial: recipe, loop, clocks, checkpoint. No ray, no mlflow."""

from harness.training.trainer import Trainer

__all__ = ["Trainer"]
