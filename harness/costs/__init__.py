"""What a variant costs: static costs of record by fvcore, checked by torch's counter and by the layer plan."""

from harness.costs.static import StaticCosts, count, static_costs

__all__ = ["StaticCosts", "count", "static_costs"]
