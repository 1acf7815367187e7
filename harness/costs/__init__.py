"""What a variant costs: static costs of record by fvcore, checked by torch's counter and by the layer plan."""

from harness.costs.complexity import StaticCosts, count_network, static_costs

__all__ = ["StaticCosts", "count_network", "static_costs"]
