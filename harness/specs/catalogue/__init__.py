"""The catalogue: YAML files of variants and experiments, read and resolved."""
