import torch
import torch.nn.functional as F

from harness.data.augment import AugmentationDraws
from harness.specs import Recipe

RECIPE = Recipe(epochs=1, batch=32, lr=0.1, augment="crop-flip", crop_padding=1)


def test_apply_equals_crops_and_flips_of_one_image_at_a_time():
    images = torch.arange(3 * 2 * 4 * 5, dtype=torch.uint8).view(3, 2, 4, 5)
    draws = AugmentationDraws(torch.tensor([[0, 0], [2, 1], [1, 1]]), torch.tensor([False, True, True]), padding=1)
    padded = F.pad(images, [1] * 4)
    crops = [padded[n, :, top : top + 4, left : left + 5] for n, (top, left) in enumerate(draws.offsets.tolist())]
    expected = [crop.flip(-1) if flip else crop for crop, flip in zip(crops, draws.flips.tolist(), strict=True)]
    assert torch.equal(draws.apply(images, torch.arange(3)), torch.stack(expected))


def test_draws_depend_on_the_image_and_not_on_its_position_in_a_batch():
    draws = AugmentationDraws.draw(RECIPE, 10, seed=1, epoch=1, device=torch.device("cpu"))
    images = torch.randint(0, 255, (10, 1, 8, 8), dtype=torch.uint8)
    whole = draws.apply(images, torch.arange(10))
    assert torch.equal(whole[4:7], draws.apply(images[4:7], torch.arange(4, 7)))
