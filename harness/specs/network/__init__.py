"""The specs of networks, and the layer plan of a variant."""
