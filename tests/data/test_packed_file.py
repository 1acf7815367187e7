"""A packed data set is the data set: the same fingerprint, the same images, the same trials."""

import functools
import http.server
import threading
import zipfile

import pytest
import torch

from harness.api.data import pack_data
from harness.data.description import describe_data
from harness.data.loader import load_splits
from harness.data.packed_file import local_copy
from harness.errors import HarnessError
from harness.specs import DataSpec


@pytest.fixture
def digits(tmp_path):
    """The digits in one file."""
    path = tmp_path / "place" / "digits.pack"
    pack_data("digits", str(path))
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of one's own, as another machine has it."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _equal(one, other):
    for part in ("train", "val", "test"):
        mine, its = getattr(one, part), getattr(other, part)
        assert torch.equal(mine.images, its.images)
        assert torch.equal(mine.labels, its.labels)
    assert (one.mean, one.std) == (other.mean, other.std)


def test_packed_digits_are_the_digits(digits, cache):
    spec = DataSpec(name="digits", val_fraction=0.1, root=str(digits))
    info, found = describe_data(spec)
    original, plain = describe_data(spec.model_copy(update={"root": None}))
    assert info == original
    assert found.identity() == plain.identity()
    _equal(load_splits(found), load_splits(plain))


def test_packed_digits_in_a_bucket_are_the_digits(bucket, cache):
    pack_data("digits", f"{bucket}/digits.pack")
    _, found = describe_data(DataSpec(name="digits", val_fraction=0.1, root=f"{bucket}/digits.pack"))
    _equal(
        load_splits(found), load_splits(describe_data(found.model_copy(update={"root": None, "fingerprint": None}))[1])
    )


def test_a_packed_image_folder_is_what_is_decoded(image_folder, tmp_path, cache):
    root, path = image_folder(), tmp_path / "images.pack"
    pack_data("imagefolder", str(path), root, image_size=16)
    spec = DataSpec(name="imagefolder", image_size=16, root=str(root))
    packed = spec.model_copy(update={"root": str(path)})
    assert describe_data(packed)[0] == describe_data(spec)[0]
    _equal(load_splits(describe_data(packed)[1]), load_splits(describe_data(spec)[1]))
    with pytest.raises(HarnessError, match="holds imagefolder at 16 pixels, not imagefolder at 64 pixels"):
        describe_data(packed.model_copy(update={"image_size": None}))
    with pytest.raises(HarnessError, match="works on image files, which a packed file does not have"):
        load_splits(packed, "resized-crop-flip")


def test_another_data_set_or_other_bytes_are_refused(digits, cache):
    spec = DataSpec(name="digits", root=str(digits))
    with pytest.raises(HarnessError, match="holds digits, not cifar10"):
        describe_data(DataSpec(name="cifar10", root=str(digits)))
    with pytest.raises(HarnessError, match=r"fingerprint on .* is 4762797d5258adf1, the experiment declares 00"):
        describe_data(spec.model_copy(update={"fingerprint": "00"}))
    content = bytearray(digits.read_bytes())
    content[len(content) // 2] ^= 1
    digits.write_bytes(content)
    with pytest.raises(HarnessError, match=r"train_images\.npy"):
        describe_data(spec)
    digits.write_bytes(content[:1000])
    with pytest.raises(HarnessError, match="not a readable archive"):
        describe_data(spec)
    with zipfile.ZipFile(digits, "w") as archive:
        archive.writestr("facts.json", "{}")
    with pytest.raises(HarnessError, match="not a readable archive"):
        describe_data(spec)


def test_a_url_is_fetched_once_however_many_ask(digits, cache):
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(digits.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/digits.pack"
        found = []
        threads = [threading.Thread(target=lambda: found.append(local_copy(url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        info, spec = describe_data(DataSpec(name="digits", root=url))
        with pytest.raises(HarnessError, match=r"it cannot be fetched"):
            local_copy(url.replace("digits", "letters"))
        server.shutdown()
    assert len(set(found)) == 1
    assert found[0].parent == cache / "staged"
    assert len([path for path in asked if path == "/digits.pack"]) <= 2, "a look at its size, and the content"
    assert (info.fingerprint, spec.root) == ("4762797d5258adf1", url)


def test_what_cannot_be_packed(digits, tmp_path):
    with pytest.raises(HarnessError, match=r"known by its ending \.pack"):
        pack_data("digits", str(tmp_path / "digits.zip"))
    with pytest.raises(HarnessError, match="packed already"):
        pack_data("digits", str(tmp_path / "again.pack"), str(digits))
    with pytest.raises(HarnessError, match="there is no such file"):
        describe_data(DataSpec(name="digits", root=str(tmp_path / "nothing.pack")))
