"""Who may enter the stores of these tests, and the small experiment that is put into them."""

import itertools

USER, PASSWORD = "bench", "correct-horse-7431"
"""Of the server with basic auth and of PostgreSQL; it is looked for wherever it must not be."""
SEEDS = itertools.count(1000, 10)
"""The stores are shared: other seeds are other trials."""
SMALL = {
    "variants": {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}},
    "contrasts": None,
}
