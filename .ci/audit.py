"""Look every version in constraints.txt up for known vulnerabilities, with pip-audit.

pip-audit gets an environment of its own (``.audit/``): its dependencies would otherwise take part in the
resolution of the project's. A finding fails; where no service answers, that is said in one line and passes.
What cannot be mended is listed in ``.ci/audit-ignore`` with its reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS, IGNORED, HOME = ROOT / "constraints.txt", ROOT / ".ci" / "audit-ignore", ROOT / ".audit"
TOOL = "pip-audit==2.10.1"
SERVICES = ("pypi", "osv")
SECONDS = 240
"""In all, for each of: the installation, one service."""


def ignored(text: str) -> dict[str, str]:
    """Reason by id; ``#`` begins a comment.

    Raises:
        ValueError: An id has no reason.
    """
    reasons = {}
    for line in text.splitlines():
        name, _, reason = line.partition("#")[0].strip().partition(" ")
        if name and not reason.strip():
            raise ValueError(f"{name} has no reason")
        if name:
            reasons[name] = reason.strip()
    return reasons


def judge(dependencies: list[dict[str, Any]], reasons: dict[str, str]) -> tuple[int, list[str]] | None:
    """(exit status, lines to print) of a service's answer; None where it knew none of the packages.

    A registry's mirror without the data answers so: "not found" for each, and pip-audit then finds nothing.
    """
    seen = [dependency for dependency in dependencies if "skip_reason" not in dependency]
    if not seen:
        return None
    lines, status, met = [], 0, set()
    for dependency in seen:
        for found in dependency.get("vulns", []):
            names = {found["id"], *found.get("aliases", [])} & set(reasons)
            met |= names
            if names:
                continue
            status = 1
            mended = ", ".join(found.get("fix_versions", [])) or "no version"
            lines.append(f"{dependency['name']} {dependency['version']}: {found['id']}, mended in {mended}")
    lines += [
        f"{name} is listed in .ci/audit-ignore and not found any more: remove it" for name in reasons.keys() - met
    ]
    skipped = [dependency["name"] for dependency in dependencies if "skip_reason" in dependency]
    unknown = f"; unknown to the service: {', '.join(skipped)}" if skipped else ""
    lines.append(f"audit: {len(seen)} packages looked up, {len(met)} findings listed as they are{unknown}.")
    return status, lines


def tool() -> Path:
    """pip-audit's interpreter; installed the first time."""
    python = HOME / "bin" / "python"
    ready = HOME / TOOL
    if not ready.exists():
        _call([sys.executable, "-m", "venv", "--clear", str(HOME)])
        _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", TOOL])
        ready.touch()
    return python


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603 (fixed words)


def ask(python: Path, service: str) -> list[dict[str, Any]] | None:
    """A service's answer; None where there is none. pip-audit ends with 1 for findings and for troubles alike."""
    command = [str(python), "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    command += ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603
        answer = json.loads(done.stdout)["dependencies"]
        assert isinstance(answer, list)
        return answer
    except (ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None


def main() -> int:
    """Exit status: 1 for a finding."""
    try:
        reasons = ignored(IGNORED.read_text())
    except ValueError as error:
        print(f".ci/audit-ignore: {error}")
        return 1
    try:
        python = tool()
    except (subprocess.SubprocessError, OSError):
        print(f"audit: skipped, {TOOL} can not be installed here.")
        return 0
    for service in SERVICES:
        answer = ask(python, service)
        verdict = judge(answer, reasons) if answer is not None else None
        if verdict is not None:
            print("\n".join(verdict[1]))
            return verdict[0]
    print(f"audit: skipped, no vulnerability service ({', '.join(SERVICES)}) answers here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
