"""Measured costs: real processes that take turns, and what else used the device."""

import subprocess
import sys
import time
from statistics import median

import pytest

import harness.launchers.benchmark as launching
from harness.costs.contention import CpuContention, GpuContention, GpuMeter
from harness.costs.profiler import peak_flops
from harness.launchers.benchmark import measure_rows, run_interleaved
from harness.specs import Variant
from harness.specs.measured_cost import CostSetting, MeasuredCost, Repeat
from harness.tracking.cost_metrics import step_seconds

TINY = Variant(
    name="tiny",
    stem="conv3x3",
    block="basic",
    blocks=[1, 1],
    widths=[4, 8],
    shortcut="identity",
    in_channels=1,
    classes=10,
)


def request(variant=TINY, seconds=0.1, **setting):
    fields = CostSetting.model_validate({"batch": 4, "size": (8, 8), **setting})
    return {
        "variant": variant.model_dump(mode="json"),
        "setting": fields.model_dump(mode="json"),
        "seconds": seconds,
        "turns": 10,
    }


def test_two_processes_measure_in_turn():
    answers = run_interleaved([request(), request(batch=8, precision="bf16")])
    first, second = (Repeat.model_validate(answer["repeat"]) for answer in answers)
    assert (first.batch, second.batch) == (4, 8)
    for repeat in (first, second):
        for phase in (repeat.inference, repeat.training):
            assert len(phase.turns) == 10
            assert all(len(turn) >= 2 for turn in phase.turns)
            assert 0 < median(step_seconds(phase)) < 1
            assert phase.host_bytes > 50 * 2**20
            assert (phase.device_bytes, phase.joules) == (0, None)
        assert repeat.training.host_bytes >= repeat.inference.host_bytes
        assert repeat.peak_flops > 1e8
        assert repeat.conditions["threads"] == 1
        assert repeat.conditions["kernels"] == "autotuned"
    assert (first.conditions["precision"], second.conditions["precision"]) == ("fp32", "bf16")
    assert "CPU" in first.conditions["device"] or "1 thread" in first.conditions["device"]


def test_a_batch_that_batchnorm_cannot_train_on_has_inference_alone():
    """One image whose last stage is one pixel: no variance of a single value."""
    (answer,) = run_interleaved([request(batch=1, size=(2, 2))])
    repeat = Repeat.model_validate(answer["repeat"])
    assert repeat.training is None
    assert repeat.inference.turns


@pytest.mark.slow
def test_compilation_belongs_to_the_first_step():
    (answer,) = run_interleaved([request(compile=True)])
    if "error" in answer:
        assert "torch.compile fails here" in answer["error"][0]
        pytest.skip(f"no compiler for torch.compile: {answer['error'][0]}")
    phase = Repeat.model_validate(answer["repeat"]).inference
    assert phase.first_s > 20 * median(step_seconds(phase))


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


def row(label="tiny", batch=8, **fields):
    setting = CostSetting.model_validate({"batch": batch, "size": (8, 8), **fields})
    return MeasuredCost(label=label, variant=TINY, setting=setting, macs=1000)


def answered(seconds=1e-3, batch=8):
    phase = {"first_s": 1.0, "turns": [[seconds] * 3] * 4}
    return {"repeat": {"batch": batch, "inference": phase, "training": phase, "peak_flops": 1e9}}


def test_rows_of_a_setting_take_turns_and_every_second_round_is_reversed():
    seen = []

    def stub(requests):
        seen.append([r["variant"]["name"] for r in requests])
        return [answered() for _ in requests]

    other = row("other").model_copy(update={"variant": TINY.model_copy(update={"name": "other"})})
    rounds = list(measure_rows([row(), other], 3, 0.1, stub))
    assert seen == [["tiny", "other"], ["other", "tiny"], ["tiny", "other"]]
    assert [[len(r.repeats) for r in alike] for alike in rounds] == [[1, 1], [2, 2], [3, 3]]


def test_a_network_whose_memory_was_exhausted_beside_others_is_tried_alone_first():
    sizes, said = [], []

    def stub(requests):
        sizes.append(len(requests))
        return [{"exhausted": "out of memory"} if len(requests) > 1 else answered() for _ in requests]

    (done,) = list(measure_rows([row(), row("tiny (2)")], 1, 0.1, stub, said.append))
    assert sizes == [2, 1, 1]
    assert [(cost.fitted, cost.repeats[0].group) for cost in done] == [(None, None)] * 2
    assert said == []


def test_heavy_steps_have_fewer_turns_and_all_that_alternate_have_as_many():
    turns = []

    def stub(requests):
        turns.append([request["turns"] for request in requests])
        return [answered() for _ in requests]

    heavy = row("heavy").model_copy(update={"macs": 10**12})
    list(measure_rows([row(), heavy], 1, 1.0, stub))
    list(measure_rows([row()], 1, 1.0, stub))
    assert turns == [[4, 4], [10]]


def test_a_process_that_dies_while_it_waits_is_an_answer(monkeypatch):
    """As when the system, short of memory, picks the one that sleeps."""
    turns = []
    say = launching._Worker.say

    def killing(worker, line):
        turns.append(worker)
        if len(turns) == 4:
            turns[0].process.kill()
            turns[0].process.wait()
        say(worker, line)

    monkeypatch.setattr(launching._Worker, "say", killing)
    dead, alive = run_interleaved([request(), request()])
    assert dead == {"exhausted": "the system killed the process, as it does where memory is short"}
    assert "repeat" in alive


def test_a_process_that_cannot_begin_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(launching.sys, "executable", "/bin/false")
    (answer,) = run_interleaved([request()])
    assert answer["crash"].endswith("the process ended with exit status 1")


def test_files_of_the_user_do_not_take_the_place_of_modules(tmp_path, monkeypatch):
    (tmp_path / "statistics.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    (answer,) = run_interleaved([request(seconds=0.01)])
    assert "repeat" in answer


def test_networks_that_do_not_fit_the_memory_together_are_measured_apart():
    alone = []

    def stub(requests):
        alone.append(len(requests))
        return [answered() for _ in requests]

    large = row().model_copy(update={"training_bytes": 2**50})
    list(measure_rows([large, large], 1, 0.1, stub))
    assert alone == [1, 1]


def test_a_batch_that_fits_in_the_second_round_no_more_begins_anew():
    """Repeats of another batch are no repeats of this one."""
    batches, said = [], []

    def stub(requests):
        batch = requests[0]["setting"]["batch"]
        batches.append(batch)
        return [{"exhausted": "out of memory"}] if len(batches) == 2 else [answered(batch=batch)]

    (done,) = list(measure_rows([row()], 2, 0.1, stub, said.append))[-1]
    assert batches == [8, 8, 4, 4]
    assert (done.fitted, done.batch, [repeat.batch for repeat in done.repeats]) == (4, 4, [4, 4])
    assert [repeat.group for repeat in done.repeats] == [None, None]
    assert said == ["tiny: 8 images do not fit the memory, 4 are tried."]
