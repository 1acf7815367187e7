import pytest
import torch

from harness.errors import HarnessError
from harness.specs import Execution, Resources
from harness.training.device import choose_device, configure_process, parse_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_choose_device_without_a_gpu_refuses_a_trial_that_needs_one():
    with pytest.raises(HarnessError, match="torch finds none on this machine"):
        choose_device(Resources(gpus=1), "fp32")


@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_choose_device_refuses_a_precision_that_the_cpu_lacks(precision):
    with pytest.raises(HarnessError, match=f"does not train in {precision}"):
        choose_device(Resources(), precision)


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "meta"])
def test_parse_device_refuses_a_device_that_the_machine_lacks(name):
    with pytest.raises(HarnessError, match=f"no device '{name}'"):
        parse_device(name)


def test_configure_process_replaces_the_threads_of_the_trial_before(trial):
    for threads in (2, 1):
        configure_process(torch.device("cpu"), Execution(), trial().recipe, threads)
        assert torch.get_num_threads() == threads
