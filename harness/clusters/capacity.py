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

from harness.errors import HarnessError, suggest_nearest
from harness.launchers.resources import ACCELERATOR_PREFIX, describe_resources, count_workers
from harness.specs import Resources


@dataclass(frozen=True)
class NodeType:
    """A type of node.

    Attributes:
        resources: Of one node, by Ray's names (``CPU``, ``GPU``); None where the file does not say.
        least: Nodes that are always there.
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
        if not any(key.startswith(ACCELERATOR_PREFIX) for key in self.resources):
            # Ray finds the kind of a GPU by itself; few files say it.
            wanted = wanted.model_copy(update={"accelerator": None})
        return count_workers(wanted, self.resources)


@dataclass(frozen=True)
class Capacity:
    """The head of a file, and its types of workers.

    Attributes:
        most: Workers that there may be, whatever their types allow.
    """

    file: Path
    head: NodeType
    workers: tuple[NodeType, ...]
    most: int

    @property
    def types(self) -> tuple[NodeType, ...]:
        """Of all nodes."""
        return self.head, *self.workers

    @property
    def least(self) -> int:
        """Nodes that the cluster has without any work, the head included."""
        return sum(kind.least for kind in self.types)

    @property
    def grows(self) -> bool:
        """Whether nodes are started when there is work for them."""
        return self.most > sum(kind.least for kind in self.workers)

    def at_once(self, wanted: Resources) -> int | None:
        """Most trials that all nodes of the file take at once; None where it does not say."""
        if wanted.gpus and not any("GPU" in (kind.resources or {}) for kind in self.types):
            # Ray finds GPUs by itself. A file that names those of one type names them of all.
            return None if self.at_once(wanted.model_copy(update={"gpus": 0.0, "accelerator": None})) != 0 else 0
        on_head = self.head.holds(wanted)
        each = [kind.holds(wanted) for kind in self.workers for _ in range(min(kind.most, self.most))]
        known = sorted((count for count in each if count is not None), reverse=True)
        if on_head is None or len(known) < len(each):
            return None
        most = (on_head + sum(known[: self.most])) // wanted.workers
        return min(most, wanted.max_concurrent or most)

    def worth_waiting(self, wanted: Resources) -> int:
        """Most trials at once that hosts are waited for, where nodes are started for them: as many as all nodes take,
        or, where the file does not say, as many as share the GPUs of one node, on each."""
        known = self.at_once(wanted)
        if known is not None:
            return known
        each = int(1 / wanted.gpus) if 0 < wanted.gpus < 1 else 1
        most = max(1, self.most * each // wanted.workers)
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
            f"a trial asks for {describe_resources(wanted)}, which no type of node in {self.file} has ({types})",
            where="resources",
            remedy="Ask for less with --set resources.cpus=1, or add a type of node to the file.",
        )


def read_cluster_file(file: Path) -> dict[str, Any]:
    """The content of a file of Ray's launcher.

    Raises:
        HarnessError: It cannot be read, or is no mapping.
    """
    from harness.io.yaml_documents import read_document

    content = read_document(file).data
    for field in ("cluster_name", "provider", "auth"):
        if field not in content:
            raise HarnessError(
                f"{field} is missing", where=str(file), remedy=suggest_nearest(field, content) or "Start from cluster.yaml."
            )
    return content


def require_ray_launcher(file: Path) -> None:
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


def read_capacity(file: Path) -> Capacity:
    """What a file promises; reads nothing else, and asks no provider.

    Raises:
        HarnessError: The file is none of Ray's launcher.
    """
    content = read_cluster_file(file)
    require_ray_launcher(file)
    from ray.autoscaler._private.util import prepare_config

    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            config = prepare_config(content)
        return _promised(file, config)
    except Exception as error:
        # Of a file that Ray does not validate here, any field may be of any kind.
        reason = str(error).strip().partition("\n")[0] or said.getvalue().strip().partition("\n")[0]
        raise HarnessError(
            f"Ray cannot use this file: {reason}", where=str(file), remedy="See `harness cluster check`."
        ) from error


def _promised(file: Path, config: dict[str, Any]) -> Capacity:
    types = config.get("available_node_types", {})
    one = len(types) == 1
    first = config["head_node_type"]
    head = NodeType("head" if one else first, _holds(types[first], config, "head"), 1, 1)
    # What one type holds may differ by how Ray is started on it.
    workers = tuple(
        NodeType("worker" if one else name, _holds(kind, config, "worker"), *map(int, _range(kind)))
        for name, kind in types.items()
        if any(_range(kind))
    )
    return Capacity(file, head, workers, int(config.get("max_workers", sum(kind.most for kind in workers))))


def _range(kind: dict[str, Any]) -> tuple[int, int]:
    """Workers of a type that there always are, and that there may be."""
    return kind.get("min_workers", 0), kind.get("max_workers", 0)


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
        # Processors that it is not told of, Ray finds by itself.
        return None if cpus is None else {"CPU": float(cpus[1])} | ({"GPU": float(gpus[1])} if gpus else {})
    return None


def _listed(resources: dict[str, float]) -> str:
    return ", ".join(f"{value:g} {key}" for key, value in resources.items() if key in ("CPU", "GPU")) or "neither"
