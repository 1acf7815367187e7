"""The spec of an external network: a model of torchvision or timm, or one that the user's own function returns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.errors import HarnessError
from harness.specs.identity import Spec, canonical
from harness.specs.network.factory_source import find_factory_source
from harness.specs.network.weights import OptionalWeights, identity_with_weights
from harness.text import Label, Line

NetworkKind = Literal["torchvision", "timm", "python"]
RESERVED_ARGUMENTS = ("in_channels", "classes", "num_classes", "in_chans", "weights", "checkpoint_path")
"""Arguments of a factory that other fields set. Weights, for example, enter the identity by ``weights`` only."""
AUXILIARY_NETWORKS = ("googlenet", "inception_v3")
"""Models of torchvision that have auxiliary classifiers if ``args`` contains ``aux_logits: true``."""
INSTALL_COMMANDS = {"torchvision": "pip install torchvision", "timm": "pip install 'depthbench[timm]'"}


class ExternalNetwork(Spec):
    """A network that a library or the user's own function returns. It is trained like any other variant.

    Besides name and arguments, its identity holds the version of the library, or a hash of the source of the user's
    function: of its module, and of the modules that this one imports from outside the installed packages.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "family", "layers", "path"})
    shortcut: ClassVar[str] = "–"
    block: ClassVar[str] = "–"
    is_plain: ClassVar[bool] = False

    name: Label = Field("", description="Name in reports; not part of the identity.")
    family: Label = Field("", description="Name of the network's family in variants/; not part of the identity.")
    kind: NetworkKind
    factory: Annotated[Line, Field(min_length=1)] = Field(
        description="torchvision, timm: the name of a model. python: package.module:function; the function is called "
        "with in_channels, classes and args, and returns a torch.nn.Module that maps images (N, in_channels, H, W) to "
        "logits (N, classes)."
    )
    args: dict[str, Any] = Field({}, description="Other arguments of the factory.")
    version: Line = Field("", description="Version of the library, or hash of the source of a python factory.")
    path: Line = Field("", description="Directory that a python factory is imported from; not part of the identity.")
    layers: int = Field(0, description="Number of convolutions and linear layers, once counted: the depth in reports.")
    in_channels: Annotated[int, Field(gt=0, le=65536)] = 3
    classes: Annotated[int, Field(gt=1, le=1_000_000)] = 1000
    weights: OptionalWeights = Field(None, description="Pretrained weights that the network starts from.")
    auxiliary_weight: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="torchvision's googlenet and inception_v3 with aux_logits: weight of the loss of each auxiliary "
        "classifier, which is added to the loss of the network's output. With 0 they are removed.",
    )

    @model_validator(mode="after")
    def _check_factory_and_args(self) -> ExternalNetwork:
        if self.kind == "python" and not all(self._module_and_function()):
            raise ValueError(f"'{self.factory[:60]}' is not a factory: write package.module:function")
        for name in self.args:
            if name in RESERVED_ARGUMENTS or name.startswith("pretrained"):
                raise ValueError(f"args contains '{name}', which the data set or weights sets: remove it")
        has_auxiliary = (
            self.kind == "torchvision" and self.factory in AUXILIARY_NETWORKS and self.args.get("aux_logits")
        )
        if self.auxiliary_weight and not has_auxiliary:
            raise ValueError(
                "auxiliary_weight needs auxiliary classifiers: kind torchvision, name "
                f"{' or '.join(AUXILIARY_NETWORKS)}, and args: {{aux_logits: true}}"
            )
        try:
            json.dumps(self.args, allow_nan=False, default=str)
        except (ValueError, TypeError) as error:
            raise ValueError("args may contain only finite numbers, text, lists and mappings") from error
        return self

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide results; pretrained weights are identified by their content."""
        return identity_with_weights(super().identity(), self.weights)

    def __hash__(self) -> int:
        return hash(canonical(self.model_dump(mode="json")))

    def _module_and_function(self) -> tuple[str, str]:
        """Return (module, function) of a python factory; two empty texts if it is not a valid one."""
        module, _, function = self.factory.partition(":")
        if not function:
            module, _, function = self.factory.rpartition(".")
        is_valid = all(part.isidentifier() for part in [*module.split("."), function])
        return (module, function) if is_valid else ("", "")

    @property
    def module(self) -> str:
        """Module of the python factory."""
        return self._module_and_function()[0]

    @property
    def function(self) -> str:
        """Name of the python factory in its module."""
        return self._module_and_function()[1]

    @property
    def depth(self) -> int:
        """Number of convolutions and linear layers on all paths; 0 until they were counted."""
        return self.layers

    @property
    def is_stochastic(self) -> bool:
        """Whether the network may draw random numbers in training, for example for dropout."""
        return True

    def with_content_hash(self) -> ExternalNetwork:
        """Return a copy with the installed version of its library, or with the present hash of its source.

        Raises:
            HarnessError: The library is not installed, or the module does not exist or cannot be read.
        """
        weights = self.weights.with_content_hash() if self.weights is not None else None
        if self.kind == "python":
            source = find_factory_source(self.module)
            return self.model_copy(update={"version": source.version, "path": source.directory, "weights": weights})
        return self.model_copy(update={"version": library_version(self.kind, self.factory), "weights": weights})


def list_source_files(variants: Iterable[Any]) -> dict[str, list[str]]:
    """Return the files that the hash covers, by the name of each variant that is a network of Python code.

    Files in the working directory are relative to it.
    """
    here, files = Path.cwd(), {}
    for variant in variants:
        if isinstance(variant, ExternalNetwork) and variant.kind == "python":
            source = find_factory_source(variant.module, variant.path)
            files[variant.name] = [str(f.relative_to(here) if f.is_relative_to(here) else f) for f in source.files]
    return files


def library_version(kind: str, factory: str) -> str:
    """Return the installed version of a library, without the part that names the build and changes no network.

    Raises:
        HarnessError: The library is not installed.
    """
    try:
        return version(kind).partition("+")[0]
    except PackageNotFoundError as error:
        raise HarnessError(
            f"the network {factory} needs {kind}, which is not installed",
            where="kind",
            remedy=f"Install it ({INSTALL_COMMANDS[kind]}), or remove this network.",
        ) from error
