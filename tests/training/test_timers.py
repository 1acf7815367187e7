import torch

from harness.training.timers import Timers


def test_timers_add_up_the_blocks_of_one_name_apart_from_the_others():
    timers = Timers(torch.device("cpu"))
    with timers.measure("train"):
        sum(range(1000))
    once = timers.seconds["train"]
    for name in ("eval", "train"):
        with timers.measure(name):
            sum(range(1000))
    assert timers.seconds["train"] > once > 0
    assert timers.seconds["eval"] > 0
    assert timers.seconds["record"] == 0
