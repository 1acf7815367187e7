"""How well `harness bench` repeats itself: the same network against itself, many times over.

    python benchmarks/repeatability.py [PAIRS]

An interval of 95 % should cover a ratio of 1 in 19 of 20 pairs. Writes benchmarks/repeatability.md. Twenty pairs take
about a quarter of an hour, on an otherwise idle machine.
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
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rows, covered, widest, busy, cost = [], {"inference": 0, "training": 0}, 0.0, 0, None
    with TemporaryDirectory() as home:
        for number in range(1, pairs + 1):
            command = [sys.executable, "-m", "harness", "bench", *ARGUMENTS.split(), "--json", "--home", home]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            costs = [MeasuredCost.model_validate(row) for row in json.loads(done.stdout)]
            cost = costs[0]
            busy += any(row.busy for row in costs)
            cells = [str(number)]
            for line in build_benchmark_rows(costs)[2:]:
                ratio = line.ratio
                covered[line.phase] += ratio.low <= 1 <= ratio.high
                widest = max(widest, ratio.high - ratio.low)
                cells.append(f"{ratio.mean:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]")
            rows.append(f"| {' | '.join(cells)} | {'; '.join({row.busy for row in costs if row.busy})} |")
            print(rows[-1], flush=True)
    text = f"""# How well `harness bench` repeats itself

Made by `python benchmarks/repeatability.py`: {pairs} times `harness bench {ARGUMENTS}`, the
second row's time of a step as a ratio to the first's, with its 95 % interval over 5 pairs of processes.

{cost.conditions["device"]}; {cost.conditions["software"]}.

Covers 1: inference {covered["inference"]} of {pairs}, training {covered["training"]} of {pairs}. Widest interval:
{100 * widest:.1f} %. Marked as contended: {busy}.

| Pair | Inference | Training | Contended |
| --: | --: | --: | :-- |
"""
    Path(__file__).with_suffix(".md").write_text(text + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
