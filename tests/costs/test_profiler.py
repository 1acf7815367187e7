"""What else uses the device during a measurement, and the peak of its arithmetic."""

import subprocess
import sys
import time

import pytest

from harness.costs.contention import CpuContention, GpuContention, GpuMeter
from harness.costs.profiler import peak_flops


def test_who_else_works_is_seen_and_what_is_measured_is_nobody_else():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            time.sleep(0.3)
            stranger, measured_one = CpuContention([]), CpuContention([busy.pid])
            time.sleep(2)
            assert stranger.seen().startswith("others used ")
            began, now = measured_one.began, measured_one._reading()
            gap = (stranger._reading()[1] - stranger.began[1]) - (now[1] - began[1])
        finally:
            busy.kill()
    assert gap > 0.3


def test_what_a_measured_process_starts_is_part_of_it():
    """Such as the compilers of torch.compile, those that have ended too."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'for i in range(2 * 10**7): pass']); "
    with subprocess.Popen([sys.executable, "-c", child + "input()"], stdin=subprocess.PIPE) as starter:
        try:
            stranger, measured = CpuContention([]), CpuContention([starter.pid])
            time.sleep(3)
            used = [machine._reading()[1] - machine.began[1] for machine in (stranger, measured)]
        finally:
            starter.kill()
    assert used[0] - used[1] > 0.2


def test_a_machine_without_nvml_has_no_gpu_to_ask():
    gpu = GpuMeter(0)
    if gpu.nvml is not None:
        pytest.skip("this machine has NVML")
    assert (gpu.processes(), gpu.joules()) == (0, None)
    # Nobody can tell, which is not the same as nobody there.
    assert GpuContention("cuda").seen().startswith("unknown, as NVML cannot be asked")


def test_the_peak_is_above_what_a_network_reaches():
    import torch

    assert peak_flops(torch.device("cpu"), "fp32", seconds=0.01) > 1e9
