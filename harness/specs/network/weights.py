"""The spec of pretrained weights: a network starts from them instead of its own initialisation."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from harness.errors import HarnessError
from harness.settings.user_paths import resolve_path, working_directory
from harness.specs.identity import Spec
from harness.text import Line


class Weights(Spec):
    """A file with a state dict, which part of it is used, and which part is trained further.

    The content of the file is part of a trial's identity; its path is not.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"file"})

    file: Annotated[Line, Field(min_length=1)] = Field(description="File that torch.save wrote of a state dict.")
    sha256: Line = Field("", description="First 16 hex digits of the file's sha256; computed if left out.")
    head: Literal["new", "keep"] = Field(
        "new",
        description="new: the classifier starts from its own initialisation. keep: it comes from the file, and must "
        "have one output for each class.",
    )
    freeze: Literal["nothing", "body"] = Field(
        "nothing", description="body: train only the classifier; norms keep their running statistics."
    )

    def with_content_hash(self) -> Weights:
        """Return a copy with the absolute path and the hash of the file.

        Raises:
            HarnessError: The file cannot be read, or has another hash than the declared one.
        """
        path = working_directory("weights") / resolve_path(self.file, "weights")
        sha256 = file_hash(path)
        if self.sha256 not in ("", sha256):
            raise HarnessError(
                f"the sha256 of this file begins with {sha256}, not with the declared {self.sha256}",
                where=str(path),
                remedy="Give the right file, or remove sha256.",
            )
        return self.model_copy(update={"file": str(path), "sha256": sha256})


OptionalWeights = Annotated[
    Weights | None, BeforeValidator(lambda value: {"file": value} if isinstance(value, str) else value)
]
"""Weights, or none; in YAML a plain path stands for its file."""


def file_hash(path: Path) -> str:
    """Return the first 16 hex digits of a file's sha256.

    Raises:
        HarnessError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HarnessError(
            f"this file of weights cannot be read: {reason}", where=f"{path}, weights", remedy="Check the path."
        ) from error


def identity_with_weights(identity: dict[str, Any], weights: Weights | None) -> dict[str, Any]:
    """Return a network's identity with the weights identified by their content, not by their path."""
    return identity if weights is None else identity | {"weights": weights.identity()}
