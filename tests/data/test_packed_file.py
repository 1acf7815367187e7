"""A packed file is the same data set as the original: the same fingerprint, the same images, the same trials."""

import functools
import http.server
import os
import threading
import zipfile

import pytest
import torch

from harness.api.data import pack_data
from harness.data.description import describe_data
from harness.data.packed_file import fetch_packed
from harness.data.splits import load_splits
from harness.errors import HarnessError
from harness.io.archives import CHECKSUMS, pack_archive
from harness.specs import DataSpec

FINGERPRINT = "4762797d5258adf1"
"""Of the digits."""


@pytest.fixture
def digits(tmp_path):
    """The path of a packed file with the digits."""
    path = tmp_path / "packed" / "digits.pack"
    pack_data("digits", str(path))
    return path


def assert_same_splits(splits, others):
    for name in ("train", "val", "test"):
        split, other = getattr(splits, name), getattr(others, name)
        assert torch.equal(split.images, other.images)
        assert torch.equal(split.labels, other.labels)
    assert (splits.mean, splits.std) == (others.mean, others.std)


def test_packed_digits_equal_the_digits(digits):
    spec = DataSpec(name="digits", val_fraction=0.1, root=str(digits))
    packed_info, packed = describe_data(spec)
    info, original = describe_data(spec.model_copy(update={"root": None}))
    assert packed_info == info
    assert packed.identity() == original.identity()
    assert_same_splits(load_splits(packed), load_splits(original))


def test_packed_digits_in_a_bucket_equal_the_digits(bucket):
    pack_data("digits", f"{bucket}/digits.pack")
    spec = DataSpec(name="digits", val_fraction=0.1)
    packed, original = (
        describe_data(spec.model_copy(update={"root": root}))[1] for root in (f"{bucket}/digits.pack", None)
    )
    assert_same_splits(load_splits(packed), load_splits(original))


@pytest.fixture
def packed_images(image_folder, tmp_path):
    """(spec of an image folder, spec of the same folder packed)."""
    root, path = image_folder(), tmp_path / "images.pack"
    pack_data("imagefolder", str(path), root, image_size=16)
    spec = DataSpec(name="imagefolder", image_size=16, root=str(root))
    return spec, spec.model_copy(update={"root": str(path)})


def test_packed_image_folder_equals_the_image_folder(packed_images):
    spec, packed = packed_images
    assert describe_data(packed)[0] == describe_data(spec)[0]
    assert_same_splits(load_splits(describe_data(packed)[1]), load_splits(describe_data(spec)[1]))


def test_packed_image_folder_of_another_size_is_refused(packed_images):
    _, packed = packed_images
    with pytest.raises(HarnessError, match="holds imagefolder at 16 pixels, not imagefolder at 64 pixels"):
        describe_data(packed.model_copy(update={"image_size": None}))


def test_packed_image_folder_refuses_an_augmentation_of_image_files(packed_images):
    _, packed = packed_images
    with pytest.raises(HarnessError, match="works on image files, which a packed file does not have"):
        load_splits(packed, "resized-crop-flip")


def test_packed_file_of_another_data_set_is_refused(digits):
    with pytest.raises(HarnessError, match="holds digits, not cifar10"):
        describe_data(DataSpec(name="cifar10", root=str(digits)))


def test_packed_file_with_another_fingerprint_than_declared_is_refused(digits):
    with pytest.raises(HarnessError, match=rf"has the fingerprint {FINGERPRINT}, and the experiment declares 00"):
        describe_data(DataSpec(name="digits", root=str(digits), fingerprint="00"))


def test_packed_file_with_a_changed_byte_is_refused(digits):
    content = bytearray(digits.read_bytes())
    content[len(content) // 2] ^= 1
    digits.write_bytes(content)
    with pytest.raises(HarnessError, match=r"train_images\.npy"):
        describe_data(DataSpec(name="digits", root=str(digits)))


def test_packed_file_that_is_cut_short_is_refused(digits):
    digits.write_bytes(digits.read_bytes()[:1000])
    with pytest.raises(HarnessError, match="not a readable archive"):
        describe_data(DataSpec(name="digits", root=str(digits)))


def test_packed_file_without_checksums_is_refused(digits):
    with zipfile.ZipFile(digits, "w") as archive:
        archive.writestr("facts.json", "{}")
    with pytest.raises(HarnessError, match="not a readable archive"):
        describe_data(DataSpec(name="digits", root=str(digits)))


@pytest.fixture
def server(digits):
    """(URL of the packed digits on an HTTP server, the paths that it was asked for)."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(digits.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/digits.pack", requests
        server.shutdown()


def test_fetch_packed_downloads_a_url_once_for_several_threads(server, cache):
    url, requests = server
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch_packed(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    info, spec = describe_data(DataSpec(name="digits", root=url))
    assert len(paths) == 4 and len(set(paths)) == 1
    assert paths[0].parent == cache / "staged"
    # fsspec may ask for the size of the file with one request of its own.
    assert requests.count("/digits.pack") <= 2
    assert (info.fingerprint, spec.root) == (FINGERPRINT, url)


@pytest.mark.parametrize("header", ["Last-Modified", "nothing"])
def test_file_replaced_at_a_url_at_equal_size_is_downloaded_again(server, digits, monkeypatch, header):
    """Only the time of change tells the two files apart, or where the server does not send it, their content."""
    if header == "nothing":
        send_header = http.server.SimpleHTTPRequestHandler.send_header
        monkeypatch.setattr(
            http.server.SimpleHTTPRequestHandler,
            "send_header",
            lambda self, name, value: None if name == "Last-Modified" else send_header(self, name, value),
        )
    url, _ = server
    first = fetch_packed(url)
    old = digits.read_bytes()
    with zipfile.ZipFile(digits) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != CHECKSUMS}
    members["facts.json"] = members["facts.json"].replace(FINGERPRINT.encode(), b"0" * 16)
    digits.write_bytes(pack_archive(members))
    assert digits.stat().st_size == len(old)
    if header == "Last-Modified":
        os.utime(digits, (10**9, 10**9))
    second = fetch_packed(url)
    assert first != second and first.read_bytes() == old
    assert fetch_packed(url) == second


def test_address_with_a_password_and_a_signature_is_fetched_and_shown_and_recorded_without_them(server, cache):
    url = server[0].replace("http://", "http://ada:secret@") + "?signature=hidden"
    info, spec = describe_data(DataSpec(name="digits", root=url))
    assert (info.fingerprint, spec.root) == (FINGERPRINT, url)
    assert "/digits.pack?signature=hidden" in server[1]
    assert spec.model_dump()["root"] == server[0].replace("http://", "http://***@") + "?***"
    with pytest.raises(HarnessError, match="cannot be downloaded") as error:
        fetch_packed(url.replace("digits", "letters"))
    assert "letters.pack" in str(error.value)
    for secret in ("secret", "hidden"):
        assert secret not in str(error.value) and secret not in spec.model_dump_json()


def test_fetch_packed_refuses_a_url_without_a_file(server):
    with pytest.raises(HarnessError, match="cannot be downloaded"):
        fetch_packed(server[0].replace("digits", "letters"))


def test_packed_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="this file does not exist"):
        describe_data(DataSpec(name="digits", root=str(tmp_path / "nothing.pack")))


def test_pack_data_refuses_a_target_with_another_ending(tmp_path):
    with pytest.raises(HarnessError, match=r"ends in \.pack"):
        pack_data("digits", str(tmp_path / "digits.zip"))


def test_pack_data_refuses_a_data_set_that_is_packed_already(digits, tmp_path):
    with pytest.raises(HarnessError, match="packed already"):
        pack_data("digits", str(tmp_path / "copy.pack"), str(digits))
