"""State dicts: loaded safely, held against the network, and put into it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import HarnessError, nearest
from harness.specs.weights import Weights, file_hash

WRITTEN = "Give what torch.save(net.state_dict()) wrote."
SHOWN = 4
"""Keys of each kind that an error names."""
WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Under which training scripts put the state dict beside other things."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names; nothing in it is executed.

    Raises:
        HarnessError: It cannot be read, or holds no state dict.
    """
    try:
        content = torch.load(BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise HarnessError(
            f"cannot be loaded as weights: {reason}",
            where=str(path),
            remedy="Give what torch.save(net.state_dict()) wrote.",
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise HarnessError("holds no state dict", where=str(path), remedy=WRITTEN)
    # Networks that were trained in torch's DataParallel call everything so.
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def head_of(network: nn.Module) -> str:
    """Name of the classifier: the last linear layer.

    Raises:
        HarnessError: There is none.
    """
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise HarnessError(
            "this network has no linear classifier", where="weights", remedy="Use weights with head: keep."
        )
    return names[-1]


def fill(network: nn.Module, state: dict[str, Tensor], where: str, keep_head: bool = True) -> None:
    """Put a state dict into a network; without ``keep_head`` all but the classifier.

    Raises:
        HarnessError: They do not fit; the keys that differ are named.
    """
    own = network.state_dict()
    if not keep_head:
        head = f"{head_of(network)}."
        own, state = ({k: v for k, v in each.items() if not k.startswith(head)} for each in (own, state))
    # Counted by newer versions of torch alone, and of no use in evaluation.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} ({_shape(state[key])} in the file, {_shape(own[key])} in the network)"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if missing or unexpected or shapes:
        said = [
            f"{len(keys)} {what}: {', '.join(keys[:SHOWN])}{', ...' * (len(keys) > SHOWN)}"
            for keys, what in (
                (missing, "the network has and the file lacks"),
                (unexpected, "the file has and the network lacks"),
                (shapes, "of another shape"),
            )
            if keys
        ]
        raise HarnessError(
            f"these weights are of another network; {'; '.join(said)}",
            where=where,
            remedy="Name the variant that they are of, or use head: new where only the classifier differs.",
        )
    network.load_state_dict(own | state if keep_head else network.state_dict() | state)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def start_from(network: nn.Module, weights: Weights) -> None:
    """Put a spec's weights into a network; a frozen body is no longer trained.

    Raises:
        HarnessError: The file is not what it was when the trial was planned, or does not fit.
    """
    path = Path(weights.file)
    if weights.sha256 and file_hash(path) != weights.sha256:
        raise HarnessError(
            "this file is not what it was when these trials were planned", where=str(path), remedy="Put it back."
        )
    fill(network, read_state_dict(path), str(path), weights.head == "keep")
    if weights.freeze == "body":
        head = f"{head_of(network)}."
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(head))


def torchvision_weights(name: str, enum: str, download: bool = False) -> Path:
    """The file of torchvision's own pretrained weights, in its cache.

    Args:
        name: Of the model, such as resnet34.
        enum: Of the weights, such as IMAGENET1K_V1.
        download: Whether they may be fetched.

    Raises:
        HarnessError: torchvision has no such weights, or they are not in its cache.
    """
    entry = published(name, enum)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(entry.url).name
    if not file.is_file() and download:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(entry.url, str(file), hash_prefix=file.stem.rpartition("-")[2])
        except (OSError, RuntimeError) as error:
            raise HarnessError(f"{file.name} could not be downloaded: {error}", where="--download") from error
    if not file.is_file():
        raise HarnessError(
            f"{enum} of {name} is not in torchvision's cache ({file})",
            where="--weights",
            remedy="Give its file, or --download.",
        )
    return file


def published(name: str, enum: str) -> Any:
    """torchvision's entry of pretrained weights: their address, transforms and published accuracy.

    Raises:
        HarnessError: torchvision has no such model or weights.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise HarnessError(
            f"torchvision has no weights for '{name}'", where="--weights", remedy="Give a file of yours."
        )
    entries = {entry.name: entry for entry in models.get_model_weights(name)}
    if enum not in entries:
        raise HarnessError(
            f"torchvision has no weights '{enum}' of {name}", where="--weights", remedy=nearest(enum, entries)
        )
    return entries[enum]
