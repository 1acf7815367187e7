"""State dicts: loaded safely, held against the network, and put into it."""

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

WRITTEN = "Give what torch.save(net.state_dict()) wrote."
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
SHOWN = 4
"""Keys of each kind that an error names."""
WRAPPERS = ("state_dict", "model", "model_state_dict", "network")
CHECKPOINT = "state.pt"
"""Under which training scripts put the state dict beside other things."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names; nothing in it is executed.

    Raises:
        HarnessError: It cannot be read, or holds no state dict.
    """
    try:
        data = path.read_bytes()
        if CHECKPOINT in _members(data):
            # A checkpoint of a trial of ours, whose checksums are looked at.
            data = read_member(BytesIO(data), CHECKPOINT, str(path))
        content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except HarnessError:
        raise
    except Exception as error:
        # A damaged file makes torch and pickle raise whatever they stumble over.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise HarnessError(f"cannot be loaded as weights: {reason}", where=str(path), remedy=WRITTEN) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise HarnessError("holds no state dict", where=str(path), remedy=WRITTEN)
    # Networks that were trained in torch's DataParallel call everything so.
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _members(data: bytes) -> list[str]:
    return zipfile.ZipFile(BytesIO(data)).namelist() if zipfile.is_zipfile(BytesIO(data)) else []


def find_classifier(network: nn.Module, classes: int) -> str:
    """Name of the classifier: the last layer, linear or a 1x1 convolution, with as many outputs as classes.

    Raises:
        HarnessError: There is none.
    """
    names = [name for name, module in network.named_modules() if _outputs(module) == classes]
    if not names:
        raise HarnessError(
            f"no layer of this network has {classes} outputs, so nobody knows its classifier",
            where="weights",
            remedy="Use weights with head: keep, and freeze: nothing.",
        )
    return names[-1]


def _outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
        return module.out_channels
    return None


def load_weights(network: nn.Module, state: dict[str, Tensor], where: str, new_head: str = "") -> None:
    """Put a state dict into a network, all but its layer ``new_head``.

    Raises:
        HarnessError: They do not fit; the keys that differ are named.
    """
    # What torchvision trains beside the classifier, and no network here has.
    state = {key: value for key, value in state.items() if not key.startswith(AUXILIARY)}
    own = network.state_dict()
    if new_head:
        head = f"{new_head}."
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
    network.load_state_dict(network.state_dict() | state)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def apply_weights(network: nn.Module, weights: Weights, classes: int) -> None:
    """Put a spec's weights into a network; a frozen body is no longer trained.

    Raises:
        HarnessError: The file is not what it was when the trial was planned, or does not fit.
    """
    path = Path(weights.file)
    if weights.sha256 and file_hash(path) != weights.sha256:
        raise HarnessError(
            "this file is not what it was when these trials were planned", where=str(path), remedy="Put it back."
        )
    # Weights are of the network itself, also where it stands in one that makes grey images coloured.
    network = network.network if isinstance(network, GreyAsColour) else network
    head = find_classifier(network, classes) if weights.head == "new" or weights.freeze == "body" else ""
    load_weights(network, read_state_dict(path), str(path), head if weights.head == "new" else "")
    if weights.freeze == "body":
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(f"{head}."))


def find_torchvision_weights(name: str, enum: str, download: bool = False) -> Path:
    """The file of torchvision's own pretrained weights, in its cache.

    Args:
        name: Of the model, such as resnet34.
        enum: Of the weights, such as IMAGENET1K_V1.
        download: Whether they may be fetched.

    Raises:
        HarnessError: torchvision has no such weights, or they are not in its cache.
    """
    entry = published_weights(name, enum)
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


def published_weights(name: str, enum: str) -> Any:
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
            f"torchvision has no weights '{enum}' of {name}", where="--weights", remedy=suggest_nearest(enum, entries)
        )
    return entries[enum]
