"""Weights that a network starts from instead of its own initialisation. No torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from harness.errors import HarnessError
from harness.specs.identity import Spec
from harness.text import Line


class Weights(Spec):
    """A state dict, what of it is used, and what of it is trained on.

    The file's content is in a trial's identity, its place is not.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"file"})

    file: Annotated[Line, Field(min_length=1)] = Field(description="What torch.save wrote of a state dict.")
    sha256: Line = Field("", description="Of the file, first 16 hex digits; found where it is left out.")
    head: Literal["new", "keep"] = Field(
        "new", description="new: the classifier begins at its own initialisation. keep: it must fit the classes."
    )
    freeze: Literal["nothing", "body"] = Field(
        "nothing", description="body: only the classifier is trained, and norms keep their statistics."
    )

    def with_content_hash(self) -> Weights:
        """The same with an absolute path and the file's hash.

        Raises:
            HarnessError: There is no such file, or its hash is another one.
        """
        path = Path(self.file).expanduser().absolute()
        found = file_hash(path)
        if self.sha256 not in ("", found):
            raise HarnessError(
                f"this file's sha256 begins with {found}, not with {self.sha256}",
                where=str(path),
                remedy="Give the file that was meant, or leave sha256 out.",
            )
        return self.model_copy(update={"file": str(path), "sha256": found})


OptionalWeights = Annotated[
    Weights | None, BeforeValidator(lambda value: {"file": value} if isinstance(value, str) else value)
]
"""A bare path stands for its file."""


def file_hash(path: Path) -> str:
    """First 16 hex digits of a file's sha256.

    Raises:
        HarnessError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HarnessError(f"cannot be read: {reason}", where=f"{path}, weights", remedy="Check the path.") from error


def identity_with_weights(identity: dict[str, Any], weights: Weights | None) -> dict[str, Any]:
    """A network's identity, in which its weights are what is in them."""
    return identity if weights is None else identity | {"weights": weights.identity()}
