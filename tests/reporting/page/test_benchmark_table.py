"""Tables of measured costs, from costs with known values."""

import numpy as np
import pytest

from harness.reporting.page.benchmark_page import describe_benchmark, format_benchmark_cells, render_benchmark_page
from harness.reporting.page.benchmark_table import build_benchmark_rows, compare_step_times
from harness.specs import Catalogue
from harness.specs.measured_cost import CostSetting, MeasuredCost

CONDITIONS = {
    "device": "Test CPU, 1 thread",
    "software": "torch 2.15.0",
    "memory_format": "contiguous_format",
    "kernels": "autotuned",
    "threads": 1,
    "precision": "fp32",
}


def planted(
    label, factor=1.0, repeats=5, batch=16, busy="", conditions=CONDITIONS, drift=True, alternating=True, **fields
):
    """Return a cost with steps of ``factor`` milliseconds, on a machine whose speed drifts by half between turns."""
    made = []
    for number in range(repeats):
        speed = 1 + 0.5 * np.sin(np.arange(6) + number) * drift
        turns = [[1e-3 * factor * float(s)] * 4 for s in speed]
        phase = {"first_s": 0.5, "turns": turns, "host_bytes": 3 * 2**20, "busy": busy}
        made.append(
            {
                "batch": batch,
                "inference": phase,
                "training": phase,
                "peak_flops": 1e9,
                "group": number if alternating else None,
                "conditions": conditions,
                "at": number,
            }
        )
    variant = Catalogue.load().get("cifar-resnet8")
    setting = CostSetting.model_validate({"batch": 16, "size": (8, 8), **fields})
    return MeasuredCost.model_validate(
        {
            "label": label,
            "variant": variant,
            "setting": setting,
            "macs": 10_000,
            "repeats": made,
            "fitted": None if batch == 16 else batch,
        }
    )


def test_ratio_of_alternating_processes_is_free_of_common_drift():
    a, b = planted("a"), planted("b", 1.1)
    ratio = compare_step_times(b, a, "inference")
    assert ratio.mean == pytest.approx(1.1)
    assert ratio.high - ratio.low < 1e-9
    spread = build_benchmark_rows([a, b])[0].step
    assert spread.high / spread.low > 1.01


def test_row_has_throughput_utilisation_and_memory():
    inference, training, _, _ = build_benchmark_rows([planted("a", drift=False), planted("b", drift=False)])
    assert inference.images_per_s == pytest.approx(16_000)
    assert inference.utilisation == pytest.approx(2 * 10_000 * 16 / 1e-3 / 1e9)
    assert training.utilisation == pytest.approx(3 * inference.utilisation)
    assert (inference.device_bytes, inference.host_bytes) == (0, 3 * 2**20)
    assert inference.ratio is None


@pytest.mark.parametrize(
    "other",
    [
        {"batch": 8},
        {"conditions": {**CONDITIONS, "device": "Another CPU, 1 thread"}},
        {"conditions": {**CONDITIONS, "software": "torch 2.14.0"}},
        {"repeats": 4},
        {"repeats": 1},
    ],
)
def test_rows_with_unequal_conditions_have_no_ratio(other):
    assert compare_step_times(planted("b", **other), planted("a"), "training") is None


def test_page_marks_contended_rows_and_halved_batches():
    rows = [planted("a|b"), planted("c", busy="others used 1.0 cores"), planted("d", batch=8)]
    page = render_benchmark_page("costs", rows, "harness bench a c")
    assert r"a\|b" in page
    assert "| c \\* |" in page or "| c * |" in page
    assert "The device was contended, so do not compare these rows: others used 1.0 cores" in page
    assert "8 (of 16)" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "Test CPU, 1 thread: 3x8x8 images, batch 16, fp32, contiguous, autotuned kernels" in page
    assert "nan" not in page and "None" not in page
    assert any("0.001 TFLOP/s in fp32" in note for note in describe_benchmark(rows))


def test_processes_without_alternation_are_compared_by_their_medians():
    """Pairs of turns would compare different moments of the machine's drift."""
    a, b = planted("a", alternating=False), planted("b", 1.1, alternating=False)
    assert compare_step_times(b, a, "inference").mean == pytest.approx(1.1)
    late = planted("late", 1.1)
    assert compare_step_times(late, a, "inference").mean == pytest.approx(1.1)


def test_ratio_of_fewer_than_five_processes_has_no_interval():
    a, b = planted("a", repeats=4), planted("b", 1.1, repeats=4)
    ratio = compare_step_times(b, a, "inference")
    assert ratio.mean == pytest.approx(1.1)
    assert (ratio.low, ratio.high) == (None, None)
    assert format_benchmark_cells(build_benchmark_rows([a, b])[2])[4] == "–"


def test_percentile_of_fewer_than_twenty_steps_is_not_shown():
    row = planted("a")
    few = row.repeats[0].inference.model_copy(update={"turns": ((1e-3,) * 2,) * 4})
    short = row.model_copy(update={"repeats": tuple(r.model_copy(update={"inference": few}) for r in row.repeats)})
    assert build_benchmark_rows([row])[0].p95 is not None
    assert build_benchmark_rows([short])[0].p95 is None
