"""The search for an equal step time: its rules on planned times, and one real measurement."""

import math

import numpy as np
import pytest

from harness.experiments.matching.step_time_ratio import measure_in_turns, median_interval
from harness.experiments.matching.step_time_search import StepTimeSearch
from harness.launchers.interleaved_processes import run_interleaved
from harness.specs import Catalogue
from harness.specs.matching.ladder import WidthLadder
from harness.specs.measured_cost import CostSetting, MeasuredCost, Phase, Repeat
from harness.specs.network.layer_plan import plan_layers

SETTING = CostSetting(size=(8, 8), batch=32)


def planned_times(seconds_of, busy=(), noise=lambda: 1.0):
    """Return a function that "measures" networks: their times follow a rule, and each call may be busy."""
    calls = iter(busy)

    def measure(networks, repeats, seconds):
        note = next(calls, "")
        rows = []
        for network in networks:
            times = [seconds_of(network) * noise() for _ in range(repeats)]
            phases = [Phase(first_s=1.0, turns=((seconds,),) * 4, busy=note) for seconds in times]
            of_processes = tuple(
                Repeat(batch=32, inference=phase, training=phase, peak_flops=1.0, conditions={"device": "a CPU"})
                for phase in phases
            )
            rows.append(MeasuredCost(label="x", variant=network, setting=SETTING, macs=1, repeats=of_processes))
        return rows

    return measure


@pytest.fixture(scope="module")
def networks():
    catalogue = Catalogue.load()
    fields = {"in_channels": 1, "classes": 10}
    return [catalogue.get(name).model_copy(update=fields) for name in ("cifar-plain20", "cifar-resnet56")]


def seconds_by_macs(network):
    return plan_layers(network, 32).macs ** 0.8 * 1e-9


def seconds_in_steps(network):
    """Times as on a CPU: a width costs as much as the next multiple of 8."""
    widths = tuple(math.ceil(width / 8) * 8 for width in network.widths)
    return seconds_by_macs(network.model_copy(update={"widths": widths})) * (1 + sum(network.widths) * 1e-5)


@pytest.mark.parametrize("seconds_of", [seconds_by_macs, seconds_in_steps])
def test_search_finds_an_equal_time_on_smooth_and_on_stepped_times(networks, seconds_of):
    base, to = networks
    to = to.model_copy(update={"widths": (24, 40, 72)})
    found = StepTimeSearch(WidthLadder(base), to, planned_times(seconds_of), 0.01).find(start=1.3)
    assert found[0].ratio == pytest.approx(seconds_of(found[0].variant) / seconds_of(to))
    limit = 0.01 if seconds_of is seconds_by_macs else 0.1
    assert abs(found[0].ratio - 1) <= limit
    finals = [each for each in found if "9 pairs" in each.conditions]
    assert found[: len(finals)] == sorted(finals, key=lambda each: each.distance)
    assert found[0].conditions == "a CPU, batch 32, 9 pairs of processes in turns"


def test_search_between_two_steps_measures_both_and_takes_the_nearest(networks):
    """Times rise by 15 % at 65 channels, as on a real CPU, so that no network is within 5 % of the target."""
    base, to = networks

    def seconds_of(network):
        return 1.0 if network == to else 0.92 if network.widths[2] <= 64 else 1.06

    within_ten = StepTimeSearch(WidthLadder(base), to, planned_times(seconds_of), 0.1).find(start=1.0)
    assert within_ten[0].ratio == 1.06 and 0.92 in {each.ratio for each in within_ten}
    calls = []
    measure = planned_times(seconds_of)
    within_one = StepTimeSearch(
        WidthLadder(base), to, lambda *request: calls.append(request) or measure(*request), 0.01
    ).find(start=1.0)
    assert within_one[0].ratio == 1.06
    # A network that cannot be within the tolerance is not measured with all pairs, except one whose ratio is stated.
    assert sum(pairs == 9 for _, pairs, _ in calls) == 1


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_search_states_a_ratio_that_its_choice_has_not_made_better(networks, noise):
    """Times are noisy by more than one step of the ladder. The interval of the stated ratio covers the true one.

    Of 40 searches at 96 % confidence at least 34 do: with a chance of 97.6 %.
    """
    base, to = networks
    to = to.model_copy(update={"widths": (24, 40, 72)})
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(40):
        measure = planned_times(seconds_by_macs, noise=lambda: math.exp(noise * generator.standard_normal()))
        best = StepTimeSearch(WidthLadder(base), to, measure, 0.05).find(start=1.3)[0]
        true = seconds_by_macs(best.variant) / seconds_by_macs(to)
        assert abs(true - 1) <= 0.1
        covered += best.low <= true <= best.high
    assert covered >= 34


def test_search_measures_on_a_device_that_is_not_exclusive_and_says_so(networks):
    base, to = networks
    measure = planned_times(seconds_by_macs, busy=["others used 1.2 cores"] * 99)
    found = StepTimeSearch(WidthLadder(base), to, measure, 0.01).find(start=1.0)
    assert found[0].conditions.endswith("not exclusive (others used 1.2 cores)")


@pytest.mark.parametrize(
    ("n", "low", "high"), [(1, 0, 0), (5, 0, 4), (6, 0, 5), (8, 0, 7), (9, 1, 7), (20, 5, 14), (25, 7, 17)]
)
def test_interval_of_a_median_has_the_ends_of_the_tables(n, low, high):
    """The ends are those of Hollander, Wolfe and Chicken 2014; below six values it is the range."""
    assert median_interval([float(value) for value in reversed(range(n))]) == (low, high)


@pytest.mark.slow
def test_search_really_measures_in_turns():
    """Measure one small network against another; the machine of a test need not be exclusive, nor exact to 1 %."""
    base, to = (Catalogue.load().get(name).model_copy(update={"in_channels": 1}) for name in ("plain18", "resnet18"))
    base, to = (
        network.model_copy(update={"stem": "conv3x3", "blocks": (1, 1), "widths": widths, "classes": 10})
        for network, widths in ((base, (8, 16)), (to, (16, 32)))
    )

    def measure(networks, repeats, seconds):
        return measure_in_turns(networks, SETTING, min(repeats, 2), seconds / 5, run_interleaved, print)

    search = StepTimeSearch(WidthLadder(base), to, measure, 0.05)
    small, equal, large = search._compare([base, to, base.model_copy(update={"widths": (64, 128)})], 1, 0.2)
    assert small.ratio < large.ratio and small.cost < large.cost and 0.2 < equal.ratio < 5
    assert small.target == equal.target > 0
