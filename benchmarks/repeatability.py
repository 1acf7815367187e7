"""Measure how well `harness bench` repeats itself: it compares a network with itself many times.

    python benchmarks/repeatability.py [PAIRS]

A 95 % interval should cover the ratio 1 in 19 of 20 pairs. The script writes benchmarks/repeatability.md. Twenty pairs
take about a quarter of an hour on an otherwise idle machine.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.reporting.page.benchmark_table import build_benchmark_rows
from harness.specs.measured_cost import MeasuredCost

ARGUMENTS = "resnet18 resnet18 --input 3x64x64 --batch-sizes 16"


def main() -> None:
    """Run the pairs and write the page."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rows, covered, widest, contended, cost = [], {"inference": 0, "training": 0}, 0.0, 0, None
    with TemporaryDirectory() as home:
        for number in range(1, pairs + 1):
            command = [sys.executable, "-m", "harness", "bench", *ARGUMENTS.split(), "--json", "--home", home]
            completed = subprocess.run(command, capture_output=True, text=True, check=True)
            costs = [MeasuredCost.model_validate(row) for row in json.loads(completed.stdout)]
            cost = costs[0]
            contended += any(row.busy for row in costs)
            cells = [str(number)]
            for line in build_benchmark_rows(costs)[2:]:
                ratio = line.ratio
                covered[line.phase] += ratio.low <= 1 <= ratio.high
                widest = max(widest, ratio.high - ratio.low)
                cells.append(f"{ratio.mean:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]")
            rows.append(f"| {' | '.join(cells)} | {'; '.join({row.busy for row in costs if row.busy})} |")
            print(rows[-1], flush=True)
    text = f"""# How well `harness bench` repeats itself

`python benchmarks/repeatability.py` writes this page. It runs {pairs} times
`harness bench {ARGUMENTS}`. Each ratio is the time of a step of the second
row divided by that of the first, with its 95 % interval over 5 pairs of processes.

{cost.conditions["device"]}; {cost.conditions["software"]}.

Intervals that cover 1: {covered["inference"]} of {pairs} for inference, {covered["training"]} of {pairs} for training.
Widest interval: {100 * widest:.1f} %. Pairs in which other processes used the machine (contended): {contended}.

| Pair | Inference | Training | Contended |
| --: | --: | --: | :-- |
"""
    Path(__file__).with_suffix(".md").write_text(text + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
