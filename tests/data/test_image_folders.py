"""Which files of a folder are images of which class, whatever else lies in it."""

import os
import socket
import subprocess

import pytest
from image_trees import write_image, write_tree
from PIL import Image, features

from harness.data.description import describe_data
from harness.data.folders.entries import SYSTEM_NAMES
from harness.data.image_files import read_rgb
from harness.data.image_folders import scan_image_folder
from harness.errors import HarnessError
from harness.specs import DataSpec


def describe(root, **fields):
    fields = {"test_fraction": 0.5, **fields}
    return describe_data(DataSpec(name="imagefolder", root=str(root), image_size=4, **fields))[0]


def count(root):
    """Return the number of images of each class, and what is said of the others."""
    folder = scan_image_folder(root)
    labels = [label for _, label in folder.images]
    return {name: labels.count(number) for number, name in enumerate(folder.classes)}, " | ".join(folder.notes)


@pytest.mark.parametrize(
    ("tree", "fingerprint", "train", "test"),
    [("plain", "502f9302d43d9973", 18, 5), ("split", "17de3fdd8ec2706c", 10, 10)],
)
def test_fingerprint_of_an_image_folder_equals_that_of_earlier_versions(tmp_path, tree, fingerprint, train, test):
    """The values were printed by the commit c6c9416."""

    def write(folder, each=5):
        folder.mkdir(parents=True)
        for k in range(each):
            pixels = bytes((len(folder.name) * 17 + k * 7 + i * 3) % 256 for i in range(48))
            (folder / f"{k}.ppm").write_bytes(b"P6 4 4 255\n" + pixels)

    if tree == "plain":
        for name in ("ant", "bee", "9", "10"):
            write(tmp_path / name)
        write(tmp_path / "ant" / "more" / "deep", 2)
        (tmp_path / "ant" / "link.ppm").symlink_to("0.ppm")
    else:
        for split in ("train", "val"):
            for name in ("ant", "bee"):
                write(tmp_path / split / name)
    info = describe(tmp_path, test_fraction=0.2)
    assert (info.fingerprint, info.train, info.test) == (fingerprint, train, test)


HIDDEN = [".ipynb_checkpoints", ".git", "._bee", ".Trash-1000", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found",
          "System Volume Information", "#recycle", "__pycache__"]  # fmt: skip


@pytest.mark.parametrize("place", ["", "train", "val", "test", "train/ant", "val/bee", "train/ant/deep"])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_hidden_directory_changes_nothing(tmp_path, hidden, place):
    splits = [f"{split}/{name}" for split in ("train", "val", "test") for name in ("ant", "bee")]
    root = write_tree(tmp_path / "root", *splits, "train/ant/deep")
    before = scan_image_folder(root)
    write_tree(root / place / hidden, "", "ant", "bee")
    assert scan_image_folder(root) == before


@pytest.mark.parametrize("name", ["._0.ppm", ".DS_Store", ".hidden.png", "Thumbs.db", "THUMBS.DB", "desktop.ini",
                                  "Desktop.ini", "ehthumbs.db", "Icon\r", ".~lock.0.ppm#"])  # fmt: skip
@pytest.mark.parametrize("place", ["", "ant", "ant/deep"])
def test_hidden_file_changes_nothing(tmp_path, name, place):
    root = write_tree(tmp_path / "root", "ant", "bee", "ant/deep")
    before = scan_image_folder(root)
    (root / place / name).write_bytes((root / "ant" / "0.ppm").read_bytes())
    assert scan_image_folder(root) == before


def test_root_below_a_hidden_directory_is_read(tmp_path):
    assert describe(write_tree(tmp_path / ".hidden" / "@eaDir", "ant", "bee", each=5)).class_names == ("ant", "bee")


def test_system_names_are_in_lower_case():
    assert {name.casefold() for name in SYSTEM_NAMES} == SYSTEM_NAMES


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((f"x{suffix}", "JPEG") for suffix in (".jpg", ".JPG", ".Jpeg", ".jpe", ".jfif", ".jif", "", ".jpg_large")),
        *((f"x{suffix}", "PNG") for suffix in (".png", ".PNG", ".jpg", ".apng", "", ".dat", ".img", ".0")),
        *((f"x{suffix}", "GIF") for suffix in (".gif", ".GIF", "")),
        *((f"x{suffix}", "BMP") for suffix in (".bmp", ".dib", "")),
        *((f"x{suffix}", "TIFF") for suffix in (".tif", ".TIFF", "")),
        *((f"x{suffix}", "WEBP") for suffix in (".webp", "")),
        *((f"x{suffix}", "PPM") for suffix in (".ppm", ".pnm", "")),
        *((f"x{suffix}", "AVIF") for suffix in (".avif", "")),
        *((f"x{suffix}", "JPEG2000") for suffix in (".jp2", "")),
    ],
)
def test_image_of_each_format_and_name_is_counted(tmp_path, name, kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    root = write_tree(tmp_path / "root", "ant", "bee")
    Image.new("RGB", (12, 12), "red").save(root / "ant" / name, format=kind)
    assert count(root) == ({"ant": 3, "bee": 2}, "")
    assert read_rgb(root / "ant" / name).size == (12, 12)


@pytest.mark.parametrize("name", ["x.avif", "x.jp2", "x"])
def test_image_of_a_format_that_this_pillow_lacks_is_left_out_and_said(tmp_path, name, monkeypatch):
    monkeypatch.setattr("harness.data.folders.entries._has_feature", lambda name: False)
    root = write_tree(tmp_path / "root", "ant", "bee")
    content = b"\0\0\0\x20ftypavif" if name == "x" else b"anything"
    (root / "bee" / name).write_bytes(content + bytes(40))
    assert count(root) == ({"ant": 2, "bee": 2}, f"files left out because they are no images: 1 (bee/{name})")


@pytest.mark.parametrize("name", ["notes.txt", "labels.csv", "README", "x.heic", "x.svg", "x.pdf", "x.mp4",
                                  "empty", "0.ppm~", "0.ppm.part", "0.png.crdownload", "raw.NEF"])  # fmt: skip
def test_file_that_is_no_image_is_left_out_and_said(tmp_path, name):
    root = write_tree(tmp_path / "root", "ant", "bee")
    before = scan_image_folder(root)
    is_copy = name.startswith(("0.", "raw"))
    content = (root / "ant" / "0.ppm").read_bytes() if is_copy else b"" if name == "empty" else b"P3 is no picture"
    (root / "ant" / name).write_bytes(content)
    after = scan_image_folder(root)
    assert after.notes == (f"files left out because they are no images: 1 (ant/{name})",)
    assert after.images == before.images


def test_notes_name_three_examples_and_the_number(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    for number in range(1200):
        (root / "ant" / f"{number:04}.xml").touch()
    assert count(root)[1] == (
        "files left out because they are no images: 1,200 (ant/0000.xml, ant/0001.xml, ant/0002.xml, ...)"
    )


def test_notes_are_printable_lines_whatever_the_files_are_called(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    for name in ("\x1b[31mred.txt", "a\nb.txt", " " * 9 + "x" * 200 + ".txt"):
        (root / "ant" / name).touch()
    open(os.fsencode(root) + b"/bee/caf\xe9.txt", "w").close()  # noqa: PTH123
    (note,) = describe(root).notes
    assert note.isprintable() and len(note) <= 300 and note.startswith("files left out because they are no images: 4")


def test_pipe_and_socket_are_left_out_and_not_read(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "root", "ant", "bee")
    os.mkfifo(root / "ant" / "pipe")
    os.mkfifo(root / "ant" / "pipe.png")
    monkeypatch.chdir(root / "bee")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
    assert count(root)[0] == {"ant": 2, "bee": 2}
    assert "no images: 3" in count(root)[1]


def test_image_outside_of_the_class_folders_is_left_out_and_said(tmp_path):
    root = write_tree(tmp_path / "root", "train/ant", "train/bee", "val/ant", "val/bee")
    for place in ("", "train", "val"):
        write_image(root / place / "stray.ppm")
    assert count(root)[1] == (
        "images left out because they are in no class folder: 3 (stray.ppm, train/stray.ppm, val/stray.ppm)"
    )


# Links


def test_linked_directory_is_followed(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    (root / "bee" / "more").symlink_to(write_tree(tmp_path / "elsewhere", "deep", "deep/deeper", each=3))
    assert count(root) == ({"ant": 2, "bee": 8}, "")


def test_fingerprint_of_a_linked_directory_is_that_of_a_copy(tmp_path):
    linked, copied = (write_tree(tmp_path / name, "ant", "bee") for name in ("linked", "copied"))
    (linked / "bee" / "more").symlink_to(write_tree(tmp_path / "pool", "x") / "x")
    write_tree(copied, "bee/more")
    assert describe(linked).fingerprint == describe(copied).fingerprint


def test_class_folder_that_is_a_link_is_a_class(tmp_path):
    root = write_tree(tmp_path / "root", "ant")
    (root / "bee").symlink_to(write_tree(tmp_path / "pool", "x", each=3) / "x")
    assert count(root) == ({"ant": 2, "bee": 3}, "")


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "/", "../ant", "deep/back"])
def test_circle_of_links_is_left_out_and_said(tmp_path, target):
    root = write_tree(tmp_path / "root", "ant", "bee", "ant/deep")
    if target == "deep/back":
        (root / "ant" / "deep" / "back").symlink_to("..")
    (root / "ant" / "loop").symlink_to(target)
    counts, notes = count(root)
    assert counts == {"ant": 4, "bee": 2}
    assert notes.startswith("links left out because they lead back to a folder above them: ")
    assert "ant/loop" in notes


def test_links_of_two_classes_to_each_other_end(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    (root / "ant" / "bee").symlink_to("../bee")
    (root / "bee" / "ant").symlink_to("../ant")
    counts, notes = count(root)
    assert counts == {"ant": 4, "bee": 4}
    assert "lead back to a folder above them: 2 (ant/bee/ant, bee/ant/bee)" in notes
    assert "same file as another one, by a link: 4" in notes


def test_class_folder_that_leads_back_to_the_root_is_no_class(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    (root / "all").symlink_to(".")
    (root / "parent").symlink_to("..")
    assert count(root) == (
        {"ant": 2, "bee": 2},
        "links left out because they lead back to a folder above them: 2 (all, parent)",
    )


def test_directory_that_two_links_of_a_class_lead_to_is_counted_once(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee", "bee/zoo")
    pool = write_tree(tmp_path / "pool", "x", each=3) / "x"
    for name in ("first", "second"):
        (root / "ant" / name).symlink_to(pool)
    (root / "bee" / "alias").symlink_to("zoo")
    folder = scan_image_folder(root)
    assert [str(path.relative_to(root)) for path, _ in folder.images if path.parent.parent != root] == [
        "ant/first/0.ppm", "ant/first/1.ppm", "ant/first/2.ppm", "bee/zoo/0.ppm", "bee/zoo/1.ppm"
    ]  # fmt: skip
    assert folder.notes == (
        "folders left out because their class counts them already, by a link or beside it: 2 (ant/second, bee/alias)",
    )


def test_link_to_a_file_is_an_image_of_its_own_as_in_earlier_versions(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    (root / "ant" / "again.ppm").symlink_to("0.ppm")
    write_image(tmp_path / "pool.ppm")
    (root / "bee" / "other.ppm").symlink_to(tmp_path / "pool.ppm")
    assert count(root) == (
        {"ant": 3, "bee": 3},
        "images that are the same file as another one, by a link: 1 (ant/again.ppm)",
    )


def test_test_images_that_are_training_images_are_said(tmp_path):
    root = write_tree(tmp_path / "root", "train/ant", "train/bee")
    (root / "val").symlink_to("train")
    counts, notes = count(root)
    assert counts == {"ant": 4, "bee": 4}
    assert notes.startswith("images that are the same file as another one, by a link: 4 (val/ant/0.ppm")


def test_link_that_leads_nowhere_is_left_out_and_said(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    before = describe(root)
    (root / "ant" / "gone.ppm").symlink_to("nothing.ppm")
    (root / "bee" / "gone").symlink_to(tmp_path / "nowhere")
    (root / "self").symlink_to("self")
    (root / "bee" / "x.ppm").symlink_to("y.ppm")
    (root / "bee" / "y.ppm").symlink_to("x.ppm")
    after = describe(root)
    assert after.notes == ("links left out because they lead nowhere: 5 (self, ant/gone.ppm, bee/gone, ...)",)
    assert after.fingerprint == before.fingerprint


def test_class_whose_links_all_lead_nowhere_is_refused_with_the_reason(tmp_path):
    root = write_tree(tmp_path / "root", "ant")
    (root / "bee").mkdir()
    (root / "bee" / "0.jpg").symlink_to("../.git/annex/objects/0")
    with pytest.raises(HarnessError, match=r"'bee' has no images.*lead nowhere: 1 \(bee/0\.jpg\)"):
        scan_image_folder(root)


# Classes


def test_scan_image_folder_refuses_a_single_class(tmp_path):
    with pytest.raises(HarnessError, match="1 class folder;"):
        scan_image_folder(write_tree(tmp_path / "root", "ant"))


def test_scan_image_folder_with_the_classes_one_level_deeper_names_the_right_root(tmp_path):
    with pytest.raises(HarnessError, match=f"give --data-root {tmp_path}/root/data"):
        scan_image_folder(write_tree(tmp_path / "root", "data/ant", "data/bee"))


def test_scan_image_folder_names_all_classes_without_images(tmp_path):
    root = write_tree(tmp_path / "root", "ant", "bee")
    (root / "empty").mkdir()
    with pytest.raises(HarnessError, match="the class folder 'empty' has no images"):
        scan_image_folder(root)
    (root / "void" / "deep").mkdir(parents=True)
    (root / "void" / "x.txt").touch()
    with pytest.raises(HarnessError, match="the class folders 'empty' and 'void' have no images"):
        scan_image_folder(root)


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        ("ab", "a", "val/ lacks the class 'b'"),
        (["a", "b", "c", "d"], "a", "val/ lacks the classes 'b', 'c' and 'd'"),
        ("ab", "abc", "train/ lacks the class 'c'"),
        ("abx", "aby", "val/ lacks the class 'x', and train/ lacks the class 'y'"),
        (["Cat", "dog"], ["cat", "dog"], "val/ lacks the class 'Cat', and train/ lacks the class 'cat'"),
    ],
)
def test_class_that_one_split_lacks_is_named(tmp_path, train, val, message):
    root = write_tree(tmp_path / "root", *(f"train/{name}" for name in train), *(f"val/{name}" for name in val))
    with pytest.raises(HarnessError) as caught:
        scan_image_folder(root)
    assert caught.value.what == message


def test_class_without_images_in_one_split_is_named(tmp_path):
    root = write_tree(tmp_path / "root", "train/a", "train/b", "val/a")
    (root / "val" / "b").mkdir()
    with pytest.raises(HarnessError, match="the class folder 'b' has no images") as caught:
        scan_image_folder(root)
    assert str(root / "val") in caught.value.where


def test_order_of_classes_with_integers_as_names_stays_that_of_text_and_is_said(tmp_path):
    folder = scan_image_folder(write_tree(tmp_path / "root", *map(str, range(11))))
    assert folder.classes == ["0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"]
    assert folder.notes == ("the classes are in the order of their names as text: 0, 1, 10, 2, ...",)


@pytest.mark.parametrize("classes", [["0", "1", "2"], ["00", "01", "10"], ["1", "10", "2x"], ["ant", "bee"]])
def test_order_of_classes_is_not_mentioned_where_it_is_clear(tmp_path, classes):
    assert scan_image_folder(write_tree(tmp_path / "root", *classes)).notes == ()


@pytest.mark.parametrize("place", ["ant", "ant/deep", "val", "ant/0.ppm", "ant/bare"])
def test_directory_or_file_that_may_not_be_read_is_named(place, monkeypatch):
    # pytest's own directories may be closed to other users.
    root = write_tree(subprocess.check_output(["mktemp", "-d"], text=True).strip(), "ant", "bee", "ant/deep")
    root.chmod(0o755)
    cache = root.with_name(f"{root.name}-cache")
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(cache))
    (root / place).mkdir() if place == "val" else (root / "ant" / "bare").write_bytes(b"no suffix")
    (root / place).chmod(0)
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(HarnessError, match="cannot be read: Permission denied") as caught:
            describe(root, layout="classes")
    finally:
        os.seteuid(uid)
        subprocess.run(["rm", "-rf", str(root), str(cache)], check=True)
    assert caught.value.where.startswith(str(root / place))


def test_damaged_image_is_refused_when_the_folder_is_described(image_folder):
    root = image_folder()
    damaged = root / "digit-0" / "000.png"
    damaged.write_bytes(b"no image")
    with pytest.raises(HarnessError, match="not a readable image") as caught:
        describe(root)
    assert caught.value.where == str(damaged)


def test_class_named_recycled_is_a_class(tmp_path):
    root = write_tree(tmp_path / "root", "compost", "landfill", "recycled")
    assert scan_image_folder(root).classes == ["compost", "landfill", "recycled"]
