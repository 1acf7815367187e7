"""A small variant, and the requests and rows that measure its costs."""

from harness.specs import Variant
from harness.specs.measured_cost import CostSetting, MeasuredCost

SMALL = Variant(
    name="small",
    stem="conv3x3",
    block="basic",
    blocks=[1, 1],
    widths=[4, 8],
    shortcut="identity",
    in_channels=1,
    classes=10,
)


def build_request(seconds=0.1, **setting):
    """Return a request of harness.costs.profiler_process."""
    fields = CostSetting.model_validate({"batch": 4, "size": (8, 8), **setting})
    return {
        "variant": SMALL.model_dump(mode="json"),
        "setting": fields.model_dump(mode="json"),
        "seconds": seconds,
        "turns": 10,
    }


def build_row(label="small", **changes):
    """Return a row that is not measured yet."""
    setting = CostSetting.model_validate({"batch": 8, "size": (8, 8)})
    row = MeasuredCost(label=label, variant=SMALL.model_copy(update={"name": label}), setting=setting, macs=1000)
    return row.model_copy(update=changes)


def build_result(batch=8):
    """Return the result of a profiler process."""
    phase = {"first_s": 1.0, "turns": [[1e-3] * 3] * 4}
    return {"repeat": {"batch": batch, "inference": phase, "training": phase, "peak_flops": 1e9}}
