"""What the file of a cluster promises: its types of nodes, what they hold, and how many there may be."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, nearest
from harness.launching.resources import ACCELERATOR, fitting, in_words
from harness.specs import Resources


@dataclass(frozen=True)
class NodeType:
    """A type of node.

    Attributes:
        resources: Of one node, by Ray's names (``CPU``, ``GPU``); None where the file does not say.
        least: Nodes that are always there, the head included.
        most: Nodes that there may be.
    """

    name: str
    resources: dict[str, float] | None
    least: int
    most: int

    def holds(self, wanted: Resources) -> int | None:
        """How many workers of trials one node takes at once; None where the file does not say."""
        if self.resources is None:
            return None
        if not any(key.startswith(ACCELERATOR) for key in self.resources):
            # Ray finds the kind of a GPU by itself; few files say it.
            wanted = wanted.model_copy(update={"accelerator": None})
        return fitting(wanted, self.resources)


@dataclass(frozen=True)
class Capacity:
    """All types of nodes of a file."""

    file: Path
    types: tuple[NodeType, ...]

    @property
    def least(self) -> int:
        """Nodes that the cluster has without any work, the head included."""
        return sum(kind.least for kind in self.types)

    def at_once(self, wanted: Resources) -> int | None:
        """Most trials that all nodes of the file take at once; None where it does not say."""
        each = [kind.holds(wanted) for kind in self.types]
        if None in each:
            return None
        most = sum(kind.most * (count or 0) for kind, count in zip(self.types, each, strict=True)) // wanted.workers
        return min(most, wanted.max_concurrent or most)

    def require(self, wanted: Resources) -> None:
        """Refuse what no type of node can ever serve.

        Raises:
            HarnessError: It is so.
        """
        if self.at_once(wanted) != 0:
            return
        types = "; ".join(f"{kind.name}: {_listed(kind.resources or {})}" for kind in self.types if kind.most)
        raise HarnessError(
            f"a trial asks for {in_words(wanted)}, which no type of node in {self.file} has ({types})",
            where="resources",
            remedy="Ask for less with --set resources.cpus=1, or add a type of node to the file.",
        )


def read_cluster(file: Path) -> dict[str, Any]:
    """The content of a file of Ray's launcher.

    Raises:
        HarnessError: It cannot be read, or is no mapping.
    """
    from harness.specs.loading import read

    content = read(file).data
    for field in ("cluster_name", "provider", "auth"):
        if field not in content:
            raise HarnessError(
                f"{field} is missing", where=str(file), remedy=nearest(field, content) or "Start from cluster.yaml."
            )
    return content


def require_launcher(file: Path) -> None:
    """Make sure that Ray's cluster launcher can be imported.

    Raises:
        HarnessError: It is not installed.
    """
    try:
        import ray.autoscaler._private.commands  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise HarnessError(
            "Ray's launcher is not installed", where=f"--cluster {file}", remedy="Install depthbench[cluster]."
        ) from error


def capacity(file: Path) -> Capacity:
    """What a file promises; reads nothing else, and asks no provider.

    Raises:
        HarnessError: The file is none of Ray's launcher.
    """
    content = read_cluster(file)
    require_launcher(file)
    from ray.autoscaler._private.util import prepare_config

    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            config = prepare_config(content)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or said.getvalue().strip().partition("\n")[0]
        raise HarnessError(
            f"Ray cannot use this file: {reason}", where=str(file), remedy="See `harness cluster check`."
        ) from error
    types = config.get("available_node_types", {})
    head = config.get("head_node_type")
    found = []
    for name, kind in types.items():
        workers = kind.get("min_workers", 0), kind.get("max_workers", 0)
        if len(types) == 1:
            # One type for head and workers: what they hold may differ by how Ray is started on them.
            found.append(NodeType("head", _holds(kind, config, "head"), 1, 1))
            found.append(NodeType("worker", _holds(kind, config, "worker"), *workers))
        else:
            here = int(name == head)
            found.append(
                NodeType(name, _holds(kind, config, "head" if here else "worker"), workers[0] + here, workers[1] + here)
            )
    return Capacity(file, tuple(found))


def _holds(kind: dict[str, Any], config: dict[str, Any], role: str) -> dict[str, float] | None:
    """Of a type of node: what the file says of it, else what Ray is told when it is started there."""
    if kind.get("resources"):
        return {key: float(value) for key, value in kind["resources"].items()}
    return _told(config.get(f"{role}_start_ray_commands") or [])


def _told(commands: Sequence[str]) -> dict[str, float] | None:
    for command in commands:
        words = re.search(r"\bray\s+start\b(.*)", str(command), re.DOTALL)
        if words is None:
            continue
        try:
            options = " ".join(shlex.split(words[1]))
        except ValueError:
            return None
        cpus = re.search(r"--num-cpus[ =](\d+(?:\.\d+)?)", options)
        gpus = re.search(r"--num-gpus[ =](\d+(?:\.\d+)?)", options)
        # GPUs that it is not told of, Ray finds by itself; so it does with processors.
        return None if cpus is None else {"CPU": float(cpus[1]), "GPU": float(gpus[1]) if gpus else 0.0}
    return None


def _listed(resources: dict[str, float]) -> str:
    return ", ".join(f"{value:g} {key}" for key, value in resources.items() if key in ("CPU", "GPU")) or "neither"
