"""Pretrained weights: state dicts that are read safely, compared with a network and loaded into it."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import HarnessError, suggest_nearest
from harness.io.archives import read_member
from harness.models.external import GreyAsColour
from harness.specs.network.weights import Weights, file_hash

REMEDY = "Give a file that torch.save(network.state_dict(), ...) wrote."
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Prefixes of torchvision's auxiliary classifiers. Files of weights have them; few networks here do."""
MOST_KEYS = 4
"""Keys of each kind that an error lists."""
WRAPPERS = ("state_dict", "model", "model_state_dict", "network")
"""Keys under which training scripts save the state dict together with other data."""
CHECKPOINT_MEMBER = "state.pt"
"""Member of a Depthbench checkpoint that holds the state dict."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, without executing anything in it.

    Raises:
        HarnessError: The file cannot be read, or contains no state dict.
    """
    try:
        data = path.read_bytes()
        if CHECKPOINT_MEMBER in _list_members(data):
            # It is a checkpoint of Depthbench, so verify its checksum.
            data = read_member(BytesIO(data), CHECKPOINT_MEMBER, str(path))
        content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except HarnessError:
        raise
    except Exception as error:
        # A damaged file makes torch and pickle raise errors of many classes.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise HarnessError(
            f"this file cannot be loaded as weights: {reason}", where=str(path), remedy=REMEDY
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise HarnessError("this file contains no state dict", where=str(path), remedy=REMEDY)
    # torch's DataParallel adds this prefix.
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _list_members(data: bytes) -> list[str]:
    return zipfile.ZipFile(BytesIO(data)).namelist() if zipfile.is_zipfile(BytesIO(data)) else []


def find_classifier(network: nn.Module, classes: int) -> str:
    """Return the name of the classifier: the last linear layer or 1x1 convolution with one output for each class.

    Raises:
        HarnessError: The network has no such layer.
    """
    names = [name for name, module in network.named_modules() if _count_outputs(module) == classes]
    if not names:
        raise HarnessError(
            f"no layer of this network has {classes} outputs, so its classifier is unknown",
            where="weights",
            remedy="Write head: keep and freeze: nothing in weights.",
        )
    return names[-1]


def _count_outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
        return module.out_channels
    return None


def load_weights(network: nn.Module, state: dict[str, Tensor], where: str, new_head: str = "") -> None:
    """Load a state dict into a network, except the layer ``new_head``.

    Args:
        where: Path of the file, for the error.

    Raises:
        HarnessError: The state dict does not fit the network; the error lists the keys that differ.
    """
    own = network.state_dict()
    state = {key: value for key, value in state.items() if key in own or not key.startswith(AUXILIARY)}
    if new_head:
        # Auxiliary classifiers have as many outputs as the classifier, so they start anew with it.
        heads = (f"{new_head}.", *AUXILIARY)
        own, state = ({k: v for k, v in each.items() if not k.startswith(heads)} for each in (own, state))
    # Only newer versions of torch save num_batches_tracked, and evaluation does not use it.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} ({_shape(state[key])} in the file, {_shape(own[key])} in the network)"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if missing or unexpected or shapes:
        differences = [
            f"{len(keys)} keys {what}: {', '.join(keys[:MOST_KEYS])}{', ...' * (len(keys) > MOST_KEYS)}"
            for keys, what in (
                (missing, "are missing in the file"),
                (unexpected, "are missing in the network"),
                (shapes, "have another shape"),
            )
            if keys
        ]
        raise HarnessError(
            f"these weights do not fit the network: {'; '.join(differences)}",
            where=where,
            remedy="Use the variant that the weights belong to, or write head: new if only the classifier differs.",
        )
    network.load_state_dict(network.state_dict() | state)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def apply_weights(network: nn.Module, weights: Weights, classes: int) -> None:
    """Load the weights of a spec into a network; with ``freeze: body`` only the classifier stays trainable.

    Raises:
        HarnessError: The file has changed since the trial was planned, or does not fit the network.
    """
    path = Path(weights.file)
    if weights.sha256 and file_hash(path) != weights.sha256:
        raise HarnessError(
            "this file of weights has changed since the trials were planned",
            where=str(path),
            remedy="Restore the file, or run the experiment again: trials with other weights get new ids.",
        )
    # The weights are those of the inner network, which GreyAsColour wraps.
    network = network.network if isinstance(network, GreyAsColour) else network
    head = find_classifier(network, classes) if weights.head == "new" or weights.freeze == "body" else ""
    load_weights(network, read_state_dict(path), str(path), head if weights.head == "new" else "")
    if weights.freeze == "body":
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(f"{head}."))


def find_torchvision_weights(name: str, enum: str, download: bool = False) -> Path:
    """Return the file of torchvision's pretrained weights in torchvision's cache.

    Args:
        name: Name of the model, such as resnet34.
        enum: Name of the weights, such as IMAGENET1K_V1.
        download: Whether to download them if the cache lacks them.

    Raises:
        HarnessError: torchvision has no such weights, or they are not in its cache and are not downloaded.
    """
    entry = find_published_weights(name, enum)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(entry.url).name
    if not file.is_file() and download:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(entry.url, str(file), hash_prefix=file.stem.rpartition("-")[2])
        except (OSError, RuntimeError) as error:
            raise HarnessError(
                f"{file.name} could not be downloaded: {error}",
                where="--download",
                remedy="Check the network connection, or give a local file.",
            ) from error
    if not file.is_file():
        raise HarnessError(
            f"the weights {enum} of {name} are not in torchvision's cache ({file})",
            where="--weights",
            remedy="Add --download, or give a local file.",
        )
    return file


def find_published_weights(name: str, enum: str) -> Any:
    """Return torchvision's entry for pretrained weights: their URL, transforms and published accuracy.

    Raises:
        HarnessError: torchvision has no such model or weights.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise HarnessError(f"torchvision has no weights for '{name}'", where="--weights", remedy="Give a local file.")
    entries = {entry.name: entry for entry in models.get_model_weights(name)}
    if enum not in entries:
        raise HarnessError(
            f"torchvision has no weights '{enum}' of {name}", where="--weights", remedy=suggest_nearest(enum, entries)
        )
    return entries[enum]
