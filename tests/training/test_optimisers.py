import pytest
import torch

from harness.specs import Recipe
from harness.training.optimisers import build_optimiser, learning_rate

STEP = {"epochs": 4, "schedule": "step", "milestones": (0.5, 0.75)}
WARM_UP = {"epochs": 4, "warmup_epochs": 2}
ONE_CYCLE = {"epochs": 10, "schedule": "one-cycle"}
CONSTANT = {"epochs": 1, "schedule": "constant"}


@pytest.mark.parametrize(
    ("recipe", "step", "expected"),
    [
        (STEP, 0, 1),
        (STEP, 19, 1),
        (STEP, 20, 0.1),
        (STEP, 29, 0.1),
        (STEP, 30, 0.01),
        (WARM_UP, 0, 0.05),
        (WARM_UP, 9, 0.5),
        (WARM_UP, 19, 1),
        (WARM_UP, 20, 1),
        (WARM_UP, 30, 0.5),
        (ONE_CYCLE, 0, 0.04),
        (ONE_CYCLE, 30, 1),
        (ONE_CYCLE, 65, 0.5),
        (CONSTANT, 9, 1),
    ],
)
def test_learning_rate_equals_values_worked_out_by_hand(recipe, step, expected):
    assert learning_rate(Recipe(batch=2, lr=1, **recipe), step, steps_per_epoch=10) == pytest.approx(expected)


@pytest.mark.parametrize(("precision", "fused"), [("fp16", False), ("fp32", True)])
def test_build_optimiser_avoids_the_fused_kernel_with_loss_scaling(precision, fused):
    """The fused kernel leaves its momentum uninitialised where the first step is skipped for an overflow."""
    recipe = Recipe(epochs=1, batch=2, lr=1, precision=precision)
    assert build_optimiser(recipe, [torch.nn.Parameter(torch.ones(2))]).defaults["fused"] is fused
