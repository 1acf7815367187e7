"""Random streams: each purpose draws random numbers from its own generator, whose seed is derived here.

Twins with the same seed therefore see the same batches, and a new purpose changes no other stream.
"""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, *purpose: str | int) -> int:
    """Return the 63-bit seed of the stream for one purpose, such as ``("order", epoch)``."""
    name = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
