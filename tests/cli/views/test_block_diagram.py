"""Drawings of blocks."""

from harness.cli.views.block_diagram import draw_block
from harness.specs.network.layer_plan import plan_layers


def test_block_is_drawn_with_its_shortcut_beside_the_main_path(catalogue):
    block = plan_layers(catalogue.get("resnet18"), 224).stages[1][0]
    assert draw_block(block, "relu") == [
        "64x56x56",
        "│",
        "├───────────────────╮",
        "3x3 conv, 128, /2   │",
        "norm                1x1 conv, 128, /2",
        "relu                norm",
        "3x3 conv, 128       │",
        "norm                │",
        "+───────────────────╯",
        "relu",
        "│",
        "128x28x28",
    ]


def test_plain_block_is_drawn_as_one_path(catalogue):
    plain = draw_block(plan_layers(catalogue.get("plain18"), 224).stages[1][0], "relu")
    assert not any("╮" in line or "╯" in line for line in plain)
