"""The version of Depthbench, and which source of it is installed and run.

The head of a cluster runs this file's text over ssh, so it uses the standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
from pathlib import Path

__version__ = "0.1.0"


def source_version() -> str:
    """Return the version and a digest of the installed source: two checkouts of one version may differ.

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
        # Read from the installed file: on a cluster's head, __version__ above is the sender's.
        if file == root / "version.py":
            lines = [line for line in content.decode().splitlines() if line.startswith("__version__")]
            version = lines[0].partition("=")[2].strip(" \"'") if lines else ""
    return f"{version} ({digest.hexdigest()[:8]})"


def source_revision() -> str:
    """Return the git revision of this checkout, with ``+`` if its files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""
    try:
        changed_files = _git(root, "status", "--porcelain", "--", "harness", "variants")
        return _git(root, "rev-parse", "--short=12", "HEAD") + "+" * bool(changed_files)
    except OSError:
        return ""


def _git(root: Path, *arguments: str) -> str:
    completed = subprocess.run(  # noqa: S603 (all arguments are written in this file)
        ["git", "-C", str(root), *arguments],  # noqa: S607 (the user's own git)
        capture_output=True,
        text=True,
        check=False,
    )
    return completed.stdout.strip()
