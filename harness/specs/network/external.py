"""Architectures that are not built from the layer plan: torchvision's, timm's, and a user's own factory. No torch."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.errors import HarnessError
from harness.specs.identity import Spec, canonical
from harness.specs.network.weights import OptionalWeights, identity_with_weights
from harness.text import Label, Line

Kind = Literal["torchvision", "timm", "python"]
TAKEN = ("in_channels", "classes", "num_classes", "in_chans", "weights", "checkpoint_path")
"""Arguments that no user gives: content of a file, for one, is in the identity only by ``weights``."""
INSTALL = {"torchvision": "pip install torchvision", "timm": "pip install 'depthbench[timm]'"}


class ExternalNetwork(Spec):
    """A network that a library or the user's own function makes. It goes through trials as any variant does.

    What decides its results beside its name and arguments is in its identity: the library's version, or a hash of
    the source file of the user's function.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "family", "layers", "path"})
    shortcut: ClassVar[str] = "–"
    block: ClassVar[str] = "–"
    is_plain: ClassVar[bool] = False

    name: Label = Field("", description="What reports call it; not part of the identity.")
    family: Label = Field("", description="The YAML family it came from; not part of the identity.")
    kind: Kind
    factory: Annotated[Line, Field(min_length=1)] = Field(
        description="torchvision, timm: the name of a model. python: package.module:function, which is called with "
        "in_channels, classes and args, and returns a torch.nn.Module from images (N, in_channels, H, W) to logits "
        "(N, classes)."
    )
    args: dict[str, Any] = Field({}, description="More arguments of the factory.")
    version: Line = Field("", description="Of the library; of a python factory a hash of its source file.")
    path: Line = Field("", description="Directory from which a python factory is imported; not part of the identity.")
    layers: int = Field(0, description="Convolutions and linear layers, once they were counted; reports' depth.")
    in_channels: Annotated[int, Field(gt=0, le=65536)] = 3
    classes: Annotated[int, Field(gt=1, le=1_000_000)] = 1000
    weights: OptionalWeights = Field(None, description="What it starts from in place of its initialisation.")

    @model_validator(mode="after")
    def _factory_fits(self) -> ExternalNetwork:
        if self.kind == "python" and not all(self._module_and_function()):
            raise ValueError(f"'{self.factory[:60]}' is no factory: write package.module:function")
        for name in self.args:
            if name in TAKEN or name.startswith("pretrained"):
                raise ValueError(f"args holds '{name}', which is set by the data set or by weights: leave it out")
        try:
            json.dumps(self.args, allow_nan=False, default=str)
        except (ValueError, TypeError) as error:
            raise ValueError("args holds a value that is no finite number, text, list or mapping") from error
        return self

    def identity(self) -> dict[str, Any]:
        """Without labels; of weights their content, not their place."""
        return identity_with_weights(super().identity(), self.weights)

    def __hash__(self) -> int:
        return hash(canonical(self.model_dump(mode="json")))

    def _module_and_function(self) -> tuple[str, str]:
        module, _, function = self.factory.partition(":")
        if not function:
            module, _, function = self.factory.rpartition(".")
        good = all(part.isidentifier() for part in [*module.split("."), function])
        return (module, function) if good else ("", "")

    @property
    def module(self) -> str:
        """Where a python factory is imported from."""
        return self._module_and_function()[0]

    @property
    def function(self) -> str:
        """The python factory's name in its module."""
        return self._module_and_function()[1]

    @property
    def depth(self) -> int:
        """Convolutions and linear layers, on all paths together; 0 until they were counted."""
        return self.layers

    @property
    def is_stochastic(self) -> bool:
        """Whether it may draw random numbers in training, such as for dropout."""
        return True

    def with_content_hash(self) -> ExternalNetwork:
        """The same with its version: what is installed here, or the source as it is now.

        Raises:
            HarnessError: The library is not installed, or there is no such module.
        """
        weights = self.weights.with_content_hash() if self.weights is not None else None
        if self.kind == "python":
            directory, source = find_source(self.module)
            return self.model_copy(update={"version": source_hash(source), "path": directory, "weights": weights})
        return self.model_copy(update={"version": library_version(self.kind, self.factory), "weights": weights})


def library_version(kind: str, factory: str) -> str:
    """What is installed of a library; without the part that names a build, which changes no network.

    Raises:
        HarnessError: It is not installed.
    """
    try:
        return version(kind).partition("+")[0]
    except PackageNotFoundError as error:
        raise HarnessError(
            f"{factory} needs {kind}, which is not installed",
            where="kind",
            remedy=f"{INSTALL[kind]}, or leave it out.",
        ) from error


def find_source(module: str) -> tuple[str, Path]:
    """(directory to import from, file) of a module: in the working directory, then on Python's path; imports nothing.

    Raises:
        HarnessError: There is none.
    """
    relative = Path(*module.split("."))
    for entry in dict.fromkeys([str(Path.cwd()), *(str(Path(place).absolute()) for place in sys.path if place)]):
        for file in (Path(entry) / relative.with_suffix(".py"), Path(entry) / relative / "__init__.py"):
            if file.is_file():
                return entry, file
    raise HarnessError(
        f"there is no module '{module}' in the working directory or on Python's path",
        where="factory",
        remedy="Run from the directory that holds it, or set PYTHONPATH.",
    )


def source_hash(file: Path) -> str:
    """First 16 hex digits of a sha256 over the source: the file, or all Python files of a package."""
    if file.name != "__init__.py":
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    total = hashlib.sha256()
    for part in sorted(file.parent.rglob("*.py")):
        total.update(part.relative_to(file.parent).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(part.read_bytes()).digest())
    return total.hexdigest()[:16]
