"""Addresses that may hold a user, a password or a signature, and how they are shown and recorded without them."""

from __future__ import annotations

import re

CREDENTIALS = re.compile(r"^([\w+.-]+://)[^:/?#@]*(?::[^@]*)?@|(?<=://)[^:/?#@\s]*(?::[^@\s]*)?@")
"""User and password of an address, as SQLAlchemy finds them: a password may hold any character but @.

The second form finds addresses inside a message, where a blank ends them.
"""


def redact_passwords(text: str) -> str:
    """Return an address, or a message that may quote addresses, without users, passwords and options."""
    bare = CREDENTIALS.sub(r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?[^\s'\")]+", r"\1?***", bare)
