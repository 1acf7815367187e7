"""The costs by which networks are matched: counted as for reports, or measured as `harness bench` measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from platform import node

from harness.api.networks.benchmark import start_processes
from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import make_cache_dir
from harness.settings import Settings
from harness.specs.identity import digest
from harness.specs.matching.ladder import Ladder
from harness.specs.matching.match import CostName, FoundMatch
from harness.specs.matching.match_costs import MatchCosts, MeasuredRatio
from harness.specs.measured_cost import CostSetting
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import require_input
from harness.specs.network.variant import Variant
from harness.tracking.record import open_record


class ExperimentCosts(MatchCosts):
    """Costs for the matches of one experiment. A measured match is looked up in the experiment's record first.

    Between `harness plan` and the first run there is no record, so it is also kept in the user's cache.

    Args:
        name: Name of the experiment.
        notify: Receives messages for the user.
    """

    def __init__(self, name: str, settings: Settings, notify: Callable[[str], None] = lambda text: None) -> None:
        self.name, self.settings, self.notify = name, settings, notify

    def count(self, variant: AnyVariant, by: CostName, size: tuple[int, int]) -> float:
        """Return the counted cost of a network; an external one is built and counted, once."""
        from harness.costs.complexity import compute_static_costs

        if isinstance(variant, Variant):
            require_input(variant, size)
        costs = compute_static_costs(variant, size)
        return float(costs.params if by == "params" else costs.macs)

    def measure(
        self, ladder: Ladder, start: float, to: AnyVariant, setting: CostSetting, tolerance: float
    ) -> Sequence[MeasuredRatio]:
        """Measure networks of a ladder in turns with ``to``, on this machine or in a Ray task."""
        from harness.experiments.matching.step_time_ratio import measure_in_turns
        from harness.experiments.matching.step_time_search import StepTimeSearch
        from harness.launchers.benchmark import RunRequests
        from harness.specs.measured_cost import MeasuredCost

        self.notify(f"Measuring which network has the step time of {to.name}; this takes minutes, and is done once.")
        with start_processes(self.settings, setting, self.notify) as run_requests:
            processes: RunRequests = run_requests

            def measure(networks: Sequence[AnyVariant], repeats: int, seconds: float) -> list[MeasuredCost]:
                return measure_in_turns(networks, setting, repeats, seconds, processes, self.notify)

            return StepTimeSearch(ladder, to, measure, tolerance).find(start)

    def recall(self, key: str) -> FoundMatch | None:
        """Return what the experiment's record holds for a request, else what this machine has measured before."""
        with suppress(HarnessError):
            record = open_record(self.settings, self.name, create=False)
            if not record.is_new:
                for selection in record.read_experiment().experiment.variants:
                    for found in selection.match.found if selection.match is not None else ():
                        if found.key == key:
                            return found
        with suppress(OSError, ValueError, HarnessError):
            content = (make_cache_dir("matches") / self._file_name(key)).read_bytes()
            found = FoundMatch.model_validate_json(content)
            return found if found.key == key else None
        return None

    def remember(self, found: FoundMatch) -> None:
        """Keep a measured match in the user's cache, for this machine only."""
        with suppress(OSError, HarnessError):
            content = json.dumps(found.model_dump(mode="json")).encode()
            write_atomic(make_cache_dir("matches") / self._file_name(found.key), content)

    def _file_name(self, key: str) -> str:
        return f"{digest([key, node()], 20)}.json"
