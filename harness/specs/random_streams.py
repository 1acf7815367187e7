"""Seeds split by purpose: every consumer of randomness has a private stream named after it.

Twins at one seed therefore see the same batches, and a new consumer changes no other stream.
"""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for the stream that ``purpose`` names, such as ``("order", epoch)``."""
    name = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
