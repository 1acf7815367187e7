"""Real profiler processes on this machine that take turns."""

import sys
from statistics import median

import pytest
from benchmark_helpers import build_request

from harness.launchers.interleaved_processes import ProfilerProcess, run_interleaved
from harness.specs.measured_cost import Repeat
from harness.tracking.cost_metrics import list_step_seconds


def test_run_interleaved_with_two_requests_measures_each_in_its_setting():
    results = run_interleaved([build_request(), build_request(batch=8, precision="bf16")])
    first, second = (Repeat.model_validate(result["repeat"]) for result in results)
    assert (first.batch, second.batch) == (4, 8)
    for repeat in (first, second):
        for phase in (repeat.inference, repeat.training):
            assert len(phase.turns) == 10
            assert all(len(turn) >= 2 for turn in phase.turns)
            assert 0 < median(list_step_seconds(phase)) < 1
            assert phase.host_bytes > 50 * 2**20
            assert (phase.device_bytes, phase.joules) == (0, None)
        assert repeat.training.host_bytes >= repeat.inference.host_bytes
        assert repeat.peak_flops > 1e8
        assert repeat.conditions["threads"] == 1
        assert repeat.conditions["kernels"] == "autotuned"
    assert (first.conditions["precision"], second.conditions["precision"]) == ("fp32", "bf16")
    assert "CPU" in first.conditions["device"] or "1 thread" in first.conditions["device"]


def test_run_interleaved_with_a_batch_that_batchnorm_cannot_train_on_measures_inference_alone():
    """One image whose last stage is one pixel has no variance."""
    (result,) = run_interleaved([build_request(batch=1, size=(2, 2))])
    repeat = Repeat.model_validate(result["repeat"])
    assert repeat.training is None
    assert repeat.inference.turns


@pytest.mark.slow
def test_run_interleaved_with_compilation_counts_it_in_the_first_step():
    (result,) = run_interleaved([build_request(compile=True)])
    if "error" in result:
        assert "torch.compile" in result["error"][0]
        pytest.skip(f"no compiler for torch.compile: {result['error'][0]}")
    phase = Repeat.model_validate(result["repeat"]).inference
    assert phase.first_s > 20 * median(list_step_seconds(phase))


def test_run_interleaved_with_a_process_killed_while_it_waits_reports_it_and_goes_on(monkeypatch):
    """As if the system, short of memory, had killed it."""
    import psutil

    turns, send = [], ProfilerProcess.send

    def send_and_kill(process, line):
        turns.append(process)
        if len(turns) == 4:
            psutil.Process(turns[0].pid).kill()
            psutil.wait_procs([psutil.Process(turns[0].pid)], timeout=0)
        send(process, line)

    monkeypatch.setattr(ProfilerProcess, "send", send_and_kill)
    killed, other = run_interleaved([build_request(), build_request()])
    assert killed == {"exhausted": "the system killed the process, which it does if memory is short"}
    assert "repeat" in other


def test_run_interleaved_with_a_process_that_cannot_start_reports_its_exit_status(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (result,) = run_interleaved([build_request()])
    assert result["crash"].endswith("the process ended with exit status 1")


def test_run_interleaved_in_a_directory_with_a_file_named_like_a_module_does_not_import_it(tmp_path, monkeypatch):
    (tmp_path / "statistics.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    (result,) = run_interleaved([build_request(seconds=0.01)])
    assert "repeat" in result
