"""A batch in parts that fit the memory of the device, whose gradients add up to one update."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


def split_into_micro_batches(images: Tensor, labels: Tensor, size: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) of each part; the whole batch where ``size`` is None.

    Parts have ``size`` images, the last one the rest. A rest of one image is added to the part before it, because
    BatchNorm has no variance of a single value.
    """
    if size is None or len(labels) <= size:
        yield images, labels
        return
    full_parts, rest = divmod(len(labels), size)
    sizes = [size] * full_parts + [rest] * (rest > 0)
    if rest == 1:
        sizes[-2:] = [size + 1]
    yield from zip(images.split(sizes), labels.split(sizes), strict=True)
