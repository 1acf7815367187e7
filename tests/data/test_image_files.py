import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.image_files import ImageFiles, read_rgb, stream_batches
from harness.errors import HarnessError

CPU = torch.device("cpu")


def test_read_rgb_scales_16_bit_grey_to_8_bits(tmp_path):
    grey = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    levels = np.asarray(read_rgb(tmp_path / "grey.png"))
    assert (levels.min(), levels.max()) == (0, 255)
    assert 120 < levels.mean() < 135


@pytest.mark.parametrize("largest", [255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("form", ["P5", "P2"])
def test_read_rgb_scales_pgm_files_of_any_depth(tmp_path, form, largest):
    levels = [0, largest // 2, largest]
    width = 1 if largest < 256 else 2
    plain = " ".join(map(str, levels)).encode() + b"\n"
    raw = b"".join(level.to_bytes(width, "big") for level in levels)
    (tmp_path / "x.pgm").write_bytes(f"{form}\n3 1\n{largest}\n".encode() + (plain if form == "P2" else raw))
    assert np.asarray(read_rgb(tmp_path / "x.pgm"))[0].tolist() == [[0] * 3, [127] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "The file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"x", "Repair it"),
    ],
)
def test_read_rgb_tells_how_to_mend_a_file_without_an_image(tmp_path, content, remedy):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(HarnessError, match="cannot identify image file") as caught:
        read_rgb(tmp_path / "x.png")
    assert remedy in caught.value.remedy and "BytesIO" not in str(caught.value)


def test_read_rgb_drops_transparency(tmp_path):
    Image.fromarray(np.full((4, 6, 4), 9, np.uint8)).save(tmp_path / "transparent.png")
    assert read_rgb(tmp_path / "transparent.png").mode == "RGB"


def test_read_rgb_turns_an_image_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (4, 6)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_rgb(tmp_path / "turned.jpg").size == (6, 4)


def test_read_rgb_refuses_a_truncated_image(tmp_path):
    path = tmp_path / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(HarnessError, match="not a readable image") as caught:
        read_rgb(path)
    assert caught.value.where == str(path)


def test_random_crops_do_not_depend_on_the_number_of_workers(image_folder, monkeypatch):
    monkeypatch.setattr("harness.data.image_files.MIN_IMAGES_FOR_WORKERS", 1)
    files = [(path, 0) for path in sorted(image_folder(classes=2, each=4).rglob("*.png"))]
    images = ImageFiles(files, 8, crop_seed=5)
    state = torch.random.get_rng_state()
    here, in_worker = (
        torch.cat([pixels for pixels, _, _ in stream_batches(images, [torch.arange(8)], workers, CPU)])
        for workers in (0, 1)
    )
    assert torch.equal(here, in_worker)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("damage", [2, 5, 7])
def test_damaged_file_is_an_error_whatever_pillow_raises(tmp_path, damage):
    path = tmp_path / "image.tif"
    Image.new("RGB", (9, 7)).save(path)
    content = bytearray(path.read_bytes())
    content[72] = damage
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="not a readable image"):
        read_rgb(path)
