"""Print pip constraints for the lowest versions that pyproject.toml names: of the dependencies, and of all extras.

The tools of the extra `dev` are left out; users do not install them.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?>=(?P<version>[^,;\s]+)")


def list_constraints(project: dict) -> list[str]:
    """Return ``name==version`` for each direct dependency, sorted.

    Raises:
        SystemExit: A dependency has no lower bound, or two different ones.
    """
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    lowest: dict[str, str] = {}
    for requirement in requirements:
        match = REQUIREMENT.match(requirement)
        if match is None:
            sys.exit(f"pyproject.toml: {requirement} names no lowest version; write {requirement}>=VERSION.")
        name, version = match["name"].lower(), match["version"]
        if lowest.setdefault(name, version) != version:
            sys.exit(f"pyproject.toml: {name} has two lowest versions, {lowest[name]} and {version}.")
    return [f"{name}=={version}" for name, version in sorted(lowest.items())]


if __name__ == "__main__":
    print("\n".join(list_constraints(tomllib.loads(PYPROJECT.read_text())["project"])))
