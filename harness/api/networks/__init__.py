"""Networks without an experiment: the catalogue, their costs, published weights."""
