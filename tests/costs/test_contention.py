import subprocess
import sys
import time

import psutil
import pytest

from harness.costs.contention import CpuContention, GpuContention, GpuMeter

TIMEOUT = 60


@pytest.fixture
def run():
    """A function that starts a Python program, which is killed at the end of the test."""
    processes = []

    def start(code):
        processes.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_processor_time(process, seconds):
    """Wait until a process has used so much processor time, however busy the machine is."""
    until = time.monotonic() + TIMEOUT
    while sum(psutil.Process(process.pid).cpu_times()[:2]) < seconds:
        assert time.monotonic() < until, "the process did not get enough processor time"
        time.sleep(0.05)


def seconds_between(everyone, others, start):
    """Return the processor seconds since ``start`` that only one of the two accounts counts."""
    return (everyone.cores_of_others() - others.cores_of_others()) * (time.perf_counter() - start)


def test_cpu_contention_counts_a_busy_process_unless_it_is_measured(run):
    process = run("print(flush=True)\nwhile True: pass")
    process.stdout.readline()
    start, everyone, others = time.perf_counter(), CpuContention([]), CpuContention([process.pid])
    wait_for_processor_time(process, 1)
    assert seconds_between(everyone, others, start) > 0.5
    assert everyone.describe().startswith("others used ")


def test_cpu_contention_leaves_out_the_children_of_a_measured_process(run):
    """Such as the compilers of torch.compile; the child has ended when its time is read."""
    child = "import time\nwhile time.process_time() < 0.5: pass"
    start_child = f"subprocess.run([sys.executable, '-c', {child!r}])"
    parent = run(f"import subprocess, sys; input(); {start_child}; print(flush=True); input()")
    start, everyone, others = time.perf_counter(), CpuContention([]), CpuContention([parent.pid])
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    parent.stdout.readline()
    assert seconds_between(everyone, others, start) > 0.3


def test_cpu_contention_of_a_process_that_has_ended_is_unknown():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert CpuContention([process.pid]).describe().startswith("unknown")


@pytest.mark.skipif(GpuMeter(0).nvml is not None, reason="this machine has NVML")
def test_gpu_contention_without_nvml_is_unknown():
    meter = GpuMeter(0)
    assert (meter.count_processes(), meter.read_joules()) == (0, None)
    assert GpuContention("cuda").describe().startswith("unknown, because NVML is missing")


def test_gpu_contention_of_a_cpu_is_none():
    contention = GpuContention("cpu")
    contention.sample()
    assert contention.describe() == ""
