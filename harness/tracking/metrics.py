"""The one table of metrics: it drives MLflow's names, the columns of results.csv, report headings and axes.

A prefix becomes a section of charts in the MLflow UI. To add a metric, let the trial yield it and enter it here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        key: Its name in MLflow and in results.csv.
        label: What tables and axes call it.
        unit: Its unit, empty for a pure number.
        better: ``lower``, ``higher``, or empty where neither is better.
        log: Whether an axis of it is logarithmic.
    """

    key: str
    label: str
    unit: str = ""
    better: str = ""
    log: bool = False

    @property
    def title(self) -> str:
        """Label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS = {
    metric.key: metric
    for metric in (
        Metric("train/loss", "Training loss, online", "nats", "lower"),
        Metric("train/error", "Training error, online", "%", "lower"),
        Metric("train/loss_clean", "Training loss, clean", "nats", "lower"),
        Metric("train/error_clean", "Training error, clean", "%", "lower"),
        Metric("val/loss", "Validation loss", "nats", "lower"),
        Metric("val/error", "Validation error", "%", "lower"),
        Metric("test/loss", "Test loss", "nats", "lower"),
        Metric("test/error", "Test error", "%", "lower"),
        Metric("test/accuracy", "Test accuracy", "%", "higher"),
        Metric("grad/first", "Gradient norm, first convolution", log=True),
        Metric("grad/middle", "Gradient norm, middle convolution", log=True),
        Metric("grad/last", "Gradient norm, last convolution", log=True),
        Metric("optim/lr", "Learning rate"),
        Metric("time/train_s", "Training clock", "s", "lower"),
        Metric("time/epoch_s", "Training clock, per epoch", "s", "lower"),
        Metric("time/eval_s", "Evaluation clock", "s", "lower"),
        Metric("time/record_s", "Recording clock", "s", "lower"),
        Metric("time/images_per_s", "Training throughput", "images/s", "higher"),
        Metric("cost/params", "Parameters"),
        Metric("cost/macs", "MACs per image"),
        Metric("cost/flops", "FLOPs per image (2 per MAC)"),
        Metric("cost/activations", "Activations per image"),
        Metric("bench/latency_s", "Latency of one image", "s", "lower", log=True),
        Metric("bench/latency_sd_s", "Its standard deviation over processes", "s"),
        Metric("bench/latency_n", "Processes that measured it"),
        Metric("bench/step_s", "Training step", "s", "lower", log=True),
        Metric("bench/step_sd_s", "Its standard deviation over processes", "s"),
        Metric("bench/step_n", "Processes that measured it"),
        Metric("bench/peak_bytes", "Peak memory of a training step", "bytes", "lower"),
    )
}

EPOCH_METRICS = tuple(key for key in METRICS if not key.startswith(("cost/", "bench/")))
COST_METRICS = tuple(key for key in METRICS if key.startswith("cost/"))
MEASURED_COSTS = tuple(key for key in METRICS if key.startswith("bench/"))
"""Of a variant, by `harness bench`; absent where it was not measured under a trial's own conditions."""
TRAINING_ERRORS = ("train/error", "train/error_clean")
"""Degradation is a claim about training error, which is therefore measured in both ways."""
EVALUATED_ERRORS = (*TRAINING_ERRORS, "val/error", "test/error")
