"""The version of the Depthbench that is installed here, with a digest of its source.

The head of a cluster runs this file's text over ssh, so it uses the standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path


def source_version() -> str:
    """Return the version and a digest of the source: two checkouts of one version may differ.

    Returns:
        Such as ``0.1.0 (1a2b3c4d)``; empty if no Depthbench is installed.
    """
    spec = importlib.util.find_spec("harness")
    if spec is None or not spec.origin:
        return ""
    root = Path(spec.origin).parent
    digest = hashlib.sha256()
    version = ""
    for file in sorted(root.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\n".encode() + content)
        if file == root / "__init__.py":
            lines = [line for line in content.decode().splitlines() if line.startswith("__version__")]
            version = lines[0].partition("=")[2].strip(" \"'") if lines else ""
    return f"{version} ({digest.hexdigest()[:8]})"
