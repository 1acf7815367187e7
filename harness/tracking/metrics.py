"""The one table of metrics: it gives the names in MLflow, the columns of results.csv, and the labels of reports.

MLflow's UI makes a section of charts from each prefix. To add a metric, measure it in
:mod:`harness.training.trainer` (``end_epoch``, or ``_evaluate``), and add its key and its entry here.
"""

from __future__ import annotations

from dataclasses import dataclass

ONLINE_TRAINING_LOSS = "train/loss"
ONLINE_TRAINING_ERROR = "train/error"
CLEAN_TRAINING_LOSS = "train/loss_clean"
CLEAN_TRAINING_ERROR = "train/error_clean"
VALIDATION_LOSS = "val/loss"
VALIDATION_ERROR = "val/error"
TEST_LOSS = "test/loss"
TEST_ERROR = "test/error"
TEST_ACCURACY = "test/accuracy"
FIRST_GRADIENT = "grad/first"
MIDDLE_GRADIENT = "grad/middle"
LAST_GRADIENT = "grad/last"
LEARNING_RATE = "optim/lr"
TRAINING_SECONDS = "time/train_s"
EPOCH_SECONDS = "time/epoch_s"
EVALUATION_SECONDS = "time/eval_s"
RECORDING_SECONDS = "time/record_s"
TRAINING_THROUGHPUT = "time/images_per_s"
WAITING_SHARE = "time/waiting_share"
PARAMETERS = "cost/params"
MACS = "cost/macs"
FLOPS = "cost/flops"
ACTIVATIONS = "cost/activations"
LATENCY = "bench/latency_s"
LATENCY_SD = "bench/latency_sd_s"
LATENCY_PROCESSES = "bench/latency_n"
STEP_SECONDS = "bench/step_s"
STEP_SD = "bench/step_sd_s"
STEP_PROCESSES = "bench/step_n"
STEP_PEAK_BYTES = "bench/peak_bytes"
BENCHMARK_THROUGHPUT = "bench/images_per_s"
BENCHMARK_TRAINING_THROUGHPUT = "bench/train_images_per_s"
FIRST_STEP_SECONDS = "bench/first_step_s"
BENCHMARK_HOST_BYTES = "bench/host_bytes"
BENCHMARK_DEVICE_BYTES = "bench/device_bytes"
BENCHMARK_PROCESSES = "bench/processes"
BENCHMARK_CONTENDED = "bench/contended"
RECORDED_SEEDS = "seeds/n"
DIVERGED_SEEDS = "seeds/diverged"


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        key: Its name in MLflow and in results.csv.
        label: Its name in tables and on axes.
        unit: Its unit, empty for a pure number.
        better: ``lower``, ``higher``, or empty where neither is better.
        log: Whether its axis is logarithmic.
        in_results: Whether results.csv has a column for it. The others belong to runs of MLflow that are not trials.
    """

    key: str
    label: str
    unit: str = ""
    better: str = ""
    log: bool = False
    in_results: bool = True

    @property
    def title(self) -> str:
        """Label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS = {
    metric.key: metric
    for metric in (
        Metric(ONLINE_TRAINING_LOSS, "Training loss, online", "nats", "lower"),
        Metric(ONLINE_TRAINING_ERROR, "Training error, online", "%", "lower"),
        Metric(CLEAN_TRAINING_LOSS, "Training loss, clean", "nats", "lower"),
        Metric(CLEAN_TRAINING_ERROR, "Training error, clean", "%", "lower"),
        Metric(VALIDATION_LOSS, "Validation loss", "nats", "lower"),
        Metric(VALIDATION_ERROR, "Validation error", "%", "lower"),
        Metric(TEST_LOSS, "Test loss", "nats", "lower"),
        Metric(TEST_ERROR, "Test error", "%", "lower"),
        Metric(TEST_ACCURACY, "Test accuracy", "%", "higher"),
        Metric(FIRST_GRADIENT, "Gradient norm, first convolution", log=True),
        Metric(MIDDLE_GRADIENT, "Gradient norm, middle convolution", log=True),
        Metric(LAST_GRADIENT, "Gradient norm, last convolution", log=True),
        Metric(LEARNING_RATE, "Learning rate"),
        Metric(TRAINING_SECONDS, "Training clock", "s", "lower"),
        Metric(EPOCH_SECONDS, "Training clock, per epoch", "s", "lower"),
        Metric(EVALUATION_SECONDS, "Evaluation clock", "s", "lower"),
        Metric(RECORDING_SECONDS, "Recording clock", "s", "lower"),
        Metric(TRAINING_THROUGHPUT, "Training throughput", "images/s", "higher"),
        Metric(WAITING_SHARE, "Waiting for a core, share of the training so far", "", "lower"),
        Metric(PARAMETERS, "Parameters"),
        Metric(MACS, "MACs per image"),
        Metric(FLOPS, "FLOPs per image (2 per MAC)"),
        Metric(ACTIVATIONS, "Activations per image"),
        Metric(LATENCY, "Latency of one image", "s", "lower", log=True),
        Metric(LATENCY_SD, "Its standard deviation over processes", "s"),
        Metric(LATENCY_PROCESSES, "Processes that measured it"),
        Metric(STEP_SECONDS, "Training step", "s", "lower", log=True),
        Metric(STEP_SD, "Its standard deviation over processes", "s"),
        Metric(STEP_PROCESSES, "Processes that measured it"),
        Metric(STEP_PEAK_BYTES, "Peak memory of a training step", "bytes", "lower"),
        Metric(BENCHMARK_THROUGHPUT, "Inference throughput", "images/s", "higher", in_results=False),
        Metric(BENCHMARK_TRAINING_THROUGHPUT, "Training throughput", "images/s", "higher", in_results=False),
        Metric(FIRST_STEP_SECONDS, "First inference step", "s", "lower", in_results=False),
        Metric(BENCHMARK_HOST_BYTES, "Peak memory of the process", "bytes", "lower", in_results=False),
        Metric(BENCHMARK_DEVICE_BYTES, "Peak memory on the device", "bytes", "lower", in_results=False),
        Metric(BENCHMARK_PROCESSES, "Processes that measured", in_results=False),
        Metric(BENCHMARK_CONTENDED, "Whether others used the machine (1) or not (0)", in_results=False),
        Metric(RECORDED_SEEDS, "Recorded seeds", in_results=False),
        Metric(DIVERGED_SEEDS, "Diverged seeds", in_results=False),
    )
}


def _columns(*prefixes: str) -> tuple[str, ...]:
    """Return the keys in results.csv that begin with one of the prefixes."""
    return tuple(key for key, metric in METRICS.items() if metric.in_results and key.startswith(prefixes))


EPOCH_METRICS = _columns("train/", "val/", "test/", "grad/", "optim/", "time/")
"""Measured at each epoch of a trial."""
COST_METRICS = _columns("cost/")
"""Counted from a variant's layers."""
MEASURED_COSTS = _columns("bench/")
"""Measured by `harness bench`; absent where a variant was not measured under the conditions of the trial."""
TRAINING_ERRORS = (ONLINE_TRAINING_ERROR, CLEAN_TRAINING_ERROR)
"""Degradation is a claim about training error, which is therefore measured in both ways."""
EVALUATED_ERRORS = (*TRAINING_ERRORS, VALIDATION_ERROR, TEST_ERROR)
"""The errors in percent, each between 0 and 100."""
CLOCKS = (TRAINING_SECONDS, EVALUATION_SECONDS)
"""The clocks whose sum is the time of a trial; the recording clock is not part of it."""
EVALUATION_PREFIXES = ("train/", "val/", "test/")
"""Prefixes of losses, errors and accuracies."""
TIME_PREFIX = "time/"
"""Prefix of what depends on the machine, and differs between two runs of one trial."""
