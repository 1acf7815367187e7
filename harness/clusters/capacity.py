"""The capacity that the file of a cluster declares: its types of nodes, what a node has, and how many there may be."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, suggest_nearest
from harness.launchers.ray.cluster_hosts import find_obstacle
from harness.launchers.resources import ACCELERATOR_PREFIX, count_workers, describe_resources
from harness.specs import Resources


@dataclass(frozen=True)
class NodeType:
    """A type of node of a cluster.

    Attributes:
        resources: Resources of one node by Ray's names (``CPU``, ``GPU``); None if the file does not declare them.
        min_nodes: Number of such nodes that always run.
        max_nodes: Largest number of such nodes.
    """

    name: str
    resources: dict[str, float] | None
    min_nodes: int
    max_nodes: int

    def count_workers(self, resources: Resources) -> int | None:
        """Return how many workers of trials one node has room for; None if the file does not declare it."""
        if self.resources is None:
            return None
        if not any(key.startswith(ACCELERATOR_PREFIX) for key in self.resources):
            # Ray detects the kind of a GPU by itself, so few files declare it.
            resources = resources.model_copy(update={"accelerator": None})
        return count_workers(resources, self.resources)


@dataclass(frozen=True)
class Capacity:
    """The types of nodes of a cluster.

    Attributes:
        file: The YAML file of the cluster.
        head: The type of the head, of which there is one node.
        workers: The types of the other nodes.
        max_workers: Largest number of nodes beside the head, of all types together.
    """

    file: Path
    head: NodeType
    workers: tuple[NodeType, ...]
    max_workers: int

    @property
    def types(self) -> tuple[NodeType, ...]:
        """The types of all nodes, the head first."""
        return self.head, *self.workers

    @property
    def min_nodes(self) -> int:
        """Number of nodes that run without any work, the head included."""
        return sum(node_type.min_nodes for node_type in self.types)

    @property
    def can_grow(self) -> bool:
        """Whether the autoscaler may start more nodes."""
        return self.max_workers > sum(node_type.min_nodes for node_type in self.workers)

    def count_trials(self, resources: Resources) -> int | None:
        """Return how many trials run at the same time if all nodes are started; None if the file does not declare it.

        Args:
            resources: Resources of one trial.
        """
        if resources.gpus and not any("GPU" in (node_type.resources or {}) for node_type in self.types):
            # Ray detects GPUs by itself. A file that declares the GPUs of one type declares those of all types.
            without_gpus = resources.model_copy(update={"gpus": 0.0, "accelerator": None})
            return None if self.count_trials(without_gpus) != 0 else 0
        on_head = self.head.count_workers(resources)
        per_node = [
            node_type.count_workers(resources)
            for node_type in self.workers
            for _ in range(min(node_type.max_nodes, self.max_workers))
        ]
        declared = sorted((count for count in per_node if count is not None), reverse=True)
        if on_head is None or len(declared) < len(per_node):
            return None
        trials = (on_head + sum(declared[: self.max_workers])) // resources.workers
        return min(trials, resources.max_concurrent or trials)

    def count_awaited_trials(self, resources: Resources) -> int:
        """Return for how many trials at the same time a run requests nodes from the autoscaler.

        It is the number that all nodes have room for. If the file does not declare it, it is the number that fits the
        share of a GPU that a trial uses, with one GPU on each node.
        """
        trials = self.count_trials(resources)
        if trials is not None:
            return trials
        per_node = int(1 / resources.gpus) if 0 < resources.gpus < 1 else 1
        trials = max(1, self.max_workers * per_node // resources.workers)
        return min(trials, resources.max_concurrent or trials)

    def require_room_for(self, resources: Resources) -> None:
        """Check that the cluster can ever run a trial.

        Raises:
            HarnessError: No type of node has the resources of a trial.
        """
        if self.count_trials(resources) != 0:
            return
        types = "; ".join(f"{t.name}: {_format_resources(t.resources or {})}" for t in self.types if t.max_nodes)
        nodes = [node_type.resources or {} for node_type in self.types for _ in range(self._count_nodes(node_type))]
        field, remedy = find_obstacle(resources, nodes, sum(count_workers(resources, node) for node in nodes))
        raise HarnessError(
            f"a trial needs {describe_resources(resources)}, which no type of node in {self.file} has ({types})",
            where=field,
            remedy=f"{remedy} Or add a type of node to the file.",
        )

    def _count_nodes(self, node_type: NodeType) -> int:
        """Return how many nodes of a type there may be."""
        return 1 if node_type is self.head else min(node_type.max_nodes, self.max_workers)


def read_cluster_file(file: Path) -> dict[str, Any]:
    """Read a YAML file of Ray's cluster launcher.

    Raises:
        HarnessError: The file cannot be read, or lacks a field that every such file has.
    """
    from harness.io.yaml_documents import read_document

    content = read_document(file, is_yaml_1_1=True).data
    for field in ("cluster_name", "provider", "auth"):
        if field not in content:
            raise HarnessError(
                f"{field} is missing",
                where=str(file),
                remedy=suggest_nearest(field, content) or "Start from the shipped cluster.yaml.",
            )
    return content


def require_ray_launcher(file: Path) -> None:
    """Check that Ray's cluster launcher can be imported.

    Raises:
        HarnessError: It is not installed.
    """
    try:
        import ray.autoscaler._private.commands  # noqa: F401 (imported only to see whether it exists)
    except ImportError as error:
        raise HarnessError(
            "Ray's cluster launcher is not installed", where=f"--cluster {file}", remedy="Install depthbench[cluster]."
        ) from error


def read_capacity(file: Path) -> Capacity:
    """Read the capacity that a cluster's file declares. Nothing is requested from a cloud.

    Raises:
        HarnessError: The file is not one of Ray's cluster launcher.
    """
    content = read_cluster_file(file)
    require_ray_launcher(file)
    from ray.autoscaler._private.util import prepare_config

    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output):
            config = prepare_config(content)
        return _build_capacity(file, config)
    except Exception as error:
        # Ray does not validate the file here, so any field may have a wrong type and raise any error.
        reason = str(error).strip().partition("\n")[0] or output.getvalue().strip().partition("\n")[0]
        raise HarnessError(
            f"Ray cannot use this file: {reason}", where=str(file), remedy=f"Run `harness cluster check {file}`."
        ) from error


def _build_capacity(file: Path, config: Mapping[str, Any]) -> Capacity:
    """Return the capacity of a cluster from the content of its file, in which Ray has filled in the defaults."""
    types = config.get("available_node_types", {})
    has_one_type = len(types) == 1
    head_name = config["head_node_type"]
    head_resources = _find_resources(types[head_name], config, "head")
    head = NodeType("head" if has_one_type else head_name, head_resources, 1, 1)
    # Head and workers of one type may start Ray with other resources, so the head's type can be listed twice.
    workers = tuple(
        NodeType(
            "worker" if has_one_type else name,
            _find_resources(node_type, config, "worker"),
            int(node_type.get("min_workers", 0)),
            int(node_type.get("max_workers", 0)),
        )
        for name, node_type in types.items()
        if node_type.get("min_workers", 0) or node_type.get("max_workers", 0)
    )
    max_workers = int(config.get("max_workers", sum(worker.max_nodes for worker in workers)))
    return Capacity(file, head, workers, max_workers)


def _find_resources(node_type: Mapping[str, Any], config: Mapping[str, Any], role: str) -> dict[str, float] | None:
    """Return the resources that a type declares, else those in the `ray start` command of its role."""
    if node_type.get("resources"):
        return {key: float(value) for key, value in node_type["resources"].items()}
    return _read_start_resources(config.get(f"{role}_start_ray_commands") or [])


def _read_start_resources(commands: Sequence[str]) -> dict[str, float] | None:
    """Return CPUs and GPUs that a `ray start` command declares; None if it leaves them to Ray's detection."""
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
        return None if cpus is None else {"CPU": float(cpus[1])} | ({"GPU": float(gpus[1])} if gpus else {})
    return None


def _format_resources(resources: Mapping[str, float]) -> str:
    """Return the CPUs, GPUs and kinds of GPU of a node in words."""
    shown = [f"{value:g} {key}" for key, value in resources.items() if key in ("CPU", "GPU")]
    shown += [key.removeprefix(ACCELERATOR_PREFIX) for key in resources if key.startswith(ACCELERATOR_PREFIX)]
    return ", ".join(shown) or "neither CPU nor GPU"
