"""Equal cost: the member of a family that costs the same as another network, and the question that a contrast asks."""
