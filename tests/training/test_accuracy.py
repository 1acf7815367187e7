import pytest
import torch
from PIL import Image
from torchvision.transforms import ToTensor

from harness.errors import HarnessError
from harness.training.accuracy import count_correct


@pytest.fixture
def grey_images(tmp_path):
    """Four files of one grey pixel, whose levels are 0 to 3; the label of each is 0."""
    files = [(tmp_path / f"{level}.png", 0) for level in range(4)]
    for level, (path, _) in enumerate(files):
        Image.new("L", (1, 1), level).save(path)
    return files


def level_of(image):
    return torch.tensor([float(image.getpixel((0, 0))[0])])


class Oracle(torch.nn.Module):
    """For levels 0 and 1 the correct class is the most likely one, for level 2 the fifth, for level 3 the sixth."""

    def forward(self, x):
        ranks = [0, 0, 4, 5]
        return torch.stack([torch.tensor([6.5 - ranks[int(level)], 6, 5, 4, 3, 2, 1]) for level in x.flatten()])


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_count_correct_counts_the_most_likely_and_the_five_most_likely_classes(grey_images, batch):
    *_, last = count_correct(Oracle(), grey_images, level_of, batch=batch)
    assert (last.images, last.top1, last.top5) == (4, 2, 3)


def test_count_correct_names_a_damaged_image_without_the_traceback_of_a_worker(grey_images, monkeypatch):
    monkeypatch.setattr("harness.training.accuracy.MIN_IMAGES_FOR_WORKERS", 2)
    grey_images[2][0].write_bytes(b"junk")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))
    with pytest.raises(HarnessError) as caught:
        list(count_correct(network, grey_images, ToTensor(), batch=2, workers=1))
    assert "2.png" in str(caught.value) and "not a readable image" in str(caught.value)
    assert "Traceback" not in str(caught.value)
