import torch

from harness.data.description import describe_data
from harness.data.loader import BatchLoader
from harness.data.splits import ImageStream, InMemoryImages, load_splits
from harness.specs import DataSpec, Recipe

RECIPE = Recipe(epochs=1, batch=32, lr=0.1, augment="crop-flip", crop_padding=1)


def test_load_splits_of_an_image_folder_decodes_to_the_declared_size(image_folder):
    _, spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))
    assert load_splits(spec).train.images.shape == (57, 3, 12, 12)


def test_streamed_images_equal_those_in_memory(image_folder, monkeypatch):
    _, spec = describe_data(DataSpec(name="imagefolder", root=str(image_folder()), image_size=12))

    def images_of(kind):
        load_splits.cache_clear()
        splits = load_splits(spec)
        assert isinstance(splits.train, kind)
        loader = BatchLoader(splits.train, splits, torch.contiguous_format, torch.device("cpu"))
        return torch.cat([images for images, _ in loader.training_batches(RECIPE, 1, 1)])

    in_memory = images_of(InMemoryImages)
    monkeypatch.setattr("harness.data.decode_cache.MEMORY_LIMIT", 0)
    assert torch.equal(images_of(ImageStream), in_memory)


def test_image_stream_yields_empty_batches_at_the_end(image_folder):
    """Where the last batch has fewer images than there are workers, a worker's shard of it is empty."""
    files = tuple((path, 1) for path in image_folder(classes=2, each=2).rglob("*.png"))
    batches = [torch.arange(3), torch.arange(0)]
    shapes = [tuple(images.shape) for images, _, _ in ImageStream(files, 8).fetch(batches)]
    assert shapes == [(3, 3, 8, 8), (0, 3, 8, 8)]
