"""One variant measured in this process; tests/launchers has the processes that take turns."""

import pytest
from benchmark_helpers import SMALL

from harness.costs.profiler import measure_variant
from harness.errors import HarnessError
from harness.specs.measured_cost import CostSetting


def measure(turns=2, **setting):
    """Return (number of times that another process might have taken its turn, the repeat)."""
    fields = {"batch": 4, "size": (8, 8), **setting}
    measurement = measure_variant(SMALL, CostSetting.model_validate(fields), seconds=0.02, turns=turns)
    pauses = 0
    while True:
        try:
            next(measurement)
            pauses += 1
        except StopIteration as end:
            return pauses, end.value


def test_measure_variant_pauses_before_each_turn_of_both_phases():
    pauses, repeat = measure(turns=3, micro_batch=2, clip_grad_norm=1.0)
    assert pauses == 6
    for phase in (repeat.inference, repeat.training):
        assert len(phase.turns) == 3
        assert all(0 < seconds < 1 for turn in phase.turns for seconds in turn)
    assert repeat.peak_flops > 0
    assert (repeat.conditions["precision"], repeat.conditions["kernels"]) == ("fp32", "autotuned")


def test_measure_variant_without_a_batch_that_batchnorm_can_train_on_has_no_training():
    """The last stage has one image of one pixel, of which there is no variance."""
    _, repeat = measure(batch=1, size=(2, 2))
    assert repeat.training is None
    assert repeat.inference.turns


@pytest.mark.parametrize(
    ("setting", "error"),
    [({"device": "cuda:99"}, "no device 'cuda:99'"), ({"precision": "fp16"}, "the CPU does not train in fp16")],
)
def test_measure_variant_refuses_a_device_or_precision_that_is_missing(setting, error):
    with pytest.raises(HarnessError, match=error):
        measure(**setting)
