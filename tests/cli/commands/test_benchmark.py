"""Options of `harness bench`: what they measure, and which of them are refused."""

import pytest

from harness.api.networks.benchmark_request import parse_batch_sizes, request_benchmark
from harness.errors import HarnessError
from harness.settings import BenchmarkOptions, Settings

TINY = ["--input", "1x8x8", "--seconds", "0.05", "--repeats", "2", "--threads", "1"]
WRONG = {
    "no image": (["resnet18", "--batch-sizes", "0"], ["--batch-sizes", "the batch size 0", "Use 1 or more"]),
    "no number": (["resnet18", "--batch-sizes", "1,many"], ["--batch-sizes", "Write 1,32"]),
    "no such precision": (["resnet18", "--precision", "fp8"], ["--precision", "'fp8'", "fp32 or bf16"]),
    "not on the CPU": (["cifar-resnet8", *TINY, "--precision", "tf32"], ["--precision", "fp32 or bf16"]),
    "no such variant": (["resnet81"], ["resnet81", "Did you mean 'resnet18'?"]),
    "too small images": (["resnet18", "--input", "3x8x8"], ["too small for resnet18"]),
    "no variant": ([], ["no variant is named", "--experiment"]),
    "no repeats": (["cifar-resnet8", "--repeats", "0"], ["--repeats", "must be at least 1"]),
    "a path as a name": (["cifar-resnet8", "--name", "../costs"], ["--name", "cannot be the name of a report"]),
    "no such device": (["cifar-resnet8", "--device", "tpu"], ["--device", "no device 'tpu'", "Use cpu"]),
    "no such model": (["torchvision/resnet999", "--input", "64"], ["resnet999"]),
    "an experiment and a precision": (
        ["--experiment", "quickstart", "--precision", "bf16"],
        ["--experiment", "names its variants"],
    ),
    "an experiment and a variant": (
        ["resnet18", "--experiment", "quickstart"],
        ["--experiment", "names its variants"],
    ),
    "a wait without a cluster": (["resnet18", "--wait", "5m"], ["--wait", "Give --address too"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_option_is_an_error_that_names_it(invoke, tmp_path, case):
    arguments, words = WRONG[case]
    with pytest.raises(HarnessError) as error:
        invoke("bench", *arguments)
    for word in words:
        assert word in str(error.value)
    assert list((tmp_path / "work").iterdir()) == []


def test_another_report_is_not_overwritten(invoke, tmp_path):
    results = tmp_path / "work" / "reports" / "kept" / "results.csv"
    results.parent.mkdir(parents=True)
    results.write_text("mine")
    with pytest.raises(HarnessError, match="report"):
        invoke("bench", "cifar-resnet8", "--name", "kept")
    assert results.read_text() == "mine"


def test_every_mode_measures_each_combination():
    options = BenchmarkOptions(every_mode=True, shape="8", batch_sizes="2,4", precision="fp32,bf16")
    request = request_benchmark(["cifar-resnet8"], options, Settings())
    modes = {(r.setting.memory_format, r.setting.compile, r.setting.batch, r.setting.precision) for r in request.rows}
    assert len(modes) == len(request.rows) == 16


def test_experiment_is_measured_with_its_own_settings():
    request = request_benchmark([], BenchmarkOptions(experiment="quickstart"), Settings())
    assert request.experiment == "quickstart"
    assert {row.setting.batch for row in request.rows} == {1, 128}
    assert {row.setting.device for row in request.rows} == {"cpu"}


@pytest.mark.parametrize(("text", "sizes"), [("1,32", [1, 32]), (" 8 , 8,4", [8, 4]), ("-1", [-1])])
def test_batch_sizes_are_read_once_each(text, sizes):
    assert parse_batch_sizes(text) == sizes
