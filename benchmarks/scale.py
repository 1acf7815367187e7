"""Measure the time and memory of a report on 10,000 trials, whose results are drawn at random.

    python benchmarks/scale.py [VARIANTS SEEDS]...

Each pair is a results.csv of VARIANTS x SEEDS trials of 10 epochs. `harness report` reads it in a process of its own;
the table shows the wall time and the largest resident memory of the whole command. Without pairs, the script measures
three and writes benchmarks/scale.md.
"""

import os
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from harness.io.yaml_documents import Document
from harness.specs import Catalogue, DataInfo, resolve
from harness.specs.experiment.experiment import Experiment
from harness.specs.network.layer_plan import plan_layers
from harness.tracking.metrics import COST_METRICS, EPOCH_METRICS
from harness.tracking.results_csv import COLUMNS, write_csv
from harness.tracking.results_table import Results

EPOCHS = 10
SHAPES = [(10, 1000), (100, 100), (1250, 8)]
INFO = DataInfo(
    name="digits", fingerprint="0a1b2c3d4e5f", channels=1, classes=10, size=(8, 8), train=1438, val=0, test=359
)


def invent_results(variants: int, seeds: int) -> Results:
    """Return results of ``variants`` x ``seeds`` trials with errors drawn at random.

    Deeper plain networks have larger errors; deeper residual networks do not.
    """
    pairs = [(width, depth) for width in range(2, 2 + -(-variants // 10)) for depth in (8, 14, 20, 26, 32)]
    names = {"none": "cifar-plain", "identity": "cifar-resnet"}
    choices = [
        {"name": f"{names[shortcut]}{depth}", "label": f"{shortcut}-{depth}-{width}",
         "set": {"widths": [width, 2 * width, 4 * width]}}
        for width, depth in pairs for shortcut in names
    ][:variants]  # fmt: skip
    experiment = Experiment.model_validate(
        {
            "name": "scale",
            "question": "How long does a report take?",
            "variants": choices,
            "data": {"name": "digits"},
            "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
            "seeds": list(range(seeds)),
            "contrasts": [{"kind": "difference", "a": choices[9]["label"], "b": choices[8]["label"]}],
        }
    )
    study = resolve(experiment, Document("scale.yaml", {}), Catalogue.load(), INFO)
    rng, trials, rows = np.random.default_rng(0), study.trials, EPOCHS + 1
    depth = np.repeat([trial.variant.depth for trial in trials], rows)
    plain = np.repeat([trial.variant.is_plain for trial in trials], rows)
    epoch = np.tile(np.arange(rows), len(trials))
    total = len(epoch)
    ends = np.repeat(rng.gamma(4, 0.25, len(trials)), rows) + np.where(plain, 0.3 * depth, 0.0)
    error = 80 * (1 - epoch / EPOCHS) ** 3 + ends
    frame = pd.DataFrame(index=range(total), columns=COLUMNS[:-1])
    for column, values in {
        "trial": [t.id for t in trials], "variant": [t.variant.name for t in trials],
        "family": [t.variant.family for t in trials], "depth": [t.variant.depth for t in trials],
        "shortcut": [t.variant.shortcut for t in trials], "plain": [t.variant.is_plain for t in trials],
        "seed": [t.seed for t in trials],
    }.items():  # fmt: skip
        frame[column] = np.repeat(values, rows)
    measured = epoch > 0
    for key in EPOCH_METRICS:
        frame[key] = np.where(measured, rng.gamma(4, 0.25, total), np.nan)
    for key, factor in (("train/error", 1.05), ("train/error_clean", 1.0), ("test/error", 1.1)):
        frame[key] = np.where(measured, np.minimum(factor * error, 100), np.nan)
    frame["val/error"] = frame["val/loss"] = np.nan
    for key in ("grad/first", "grad/middle", "grad/last"):
        frame[key] = rng.gamma(4, 0.25, total)
    costs = {variant.name: plan_layers(variant, INFO.size) for variant in study.variants}
    for key in COST_METRICS:
        attribute = {"cost/flops": "macs"}.get(key, key.removeprefix("cost/"))
        counts = {name: getattr(plan, attribute) * (2 if key == "cost/flops" else 1) for name, plan in costs.items()}
        frame[key] = frame["variant"].map(counts)
    constant = {
        "outcome": "finished", "epoch": epoch, "counter": "fvcore", "device": "invented", "precision": "fp32",
        "memory_format": "contiguous_format", "kernels": "deterministic", "threads": 1, "shared": False,
        "software": "invented", "revision": "invented", "at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Results(study, frame.assign(**constant))


def measure_command(arguments: list[str], directory: Path) -> tuple[float, float]:
    """Return the seconds and the largest resident MiB of one `harness` command."""
    start = time.perf_counter()
    process = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "harness", *arguments, "--reports", str(directory)], os.environ
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"The command failed: harness {' '.join(arguments)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Measure each pair, and write the page if the command line names none."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    shapes = list(zip(numbers[::2], numbers[1::2], strict=True)) or SHAPES
    rows = []
    for variants, seeds in shapes:
        with TemporaryDirectory() as name:
            table = Path(name) / "results.csv"
            write_csv(invent_results(variants, seeds), table)
            seconds, mebibytes = measure_command(["report", str(table)], Path(name) / "reports")
            size = table.stat().st_size / 2**20
        rows.append(
            f"| {variants:,} | {seeds:,} | {variants * seeds:,} | {size:.0f} | {seconds:.1f} | {mebibytes:,.0f} |"
        )
        print(rows[-1], flush=True)
    if shapes != SHAPES:
        return
    Path(__file__).with_suffix(".md").write_text(
        "# A report on 10,000 trials\n\n"
        f"`python benchmarks/scale.py` writes this page. It draws the results of trials of {EPOCHS} epochs at random, "
        "and measures `harness report results.csv` in a process of its own. "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
        "| Variants | Seeds | Trials | results.csv (MiB) | Seconds | Largest resident memory (MiB) |\n"
        "| --: | --: | --: | --: | --: | --: |\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    main()
