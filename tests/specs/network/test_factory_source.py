"""The source of a python factory: which modules its hash covers, and that a change of each of them is noticed."""

import hashlib
import sys

import pytest

from harness.errors import HarnessError
from harness.specs import ExternalNetwork
from harness.specs.network.factory_source import find_factory_source
from harness.specs.network.import_statements import list_exports

CODE = "from torch import nn\nwidth = 4\ndef body(): return nn.Identity()\n"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def write(directory, files):
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


CASES = {
    "helper beside it": ({"nets.py": "import blocks", "blocks.py": CODE}, ["blocks.py"]),
    "name of a helper": ({"nets.py": "from blocks import body as b", "blocks.py": CODE}, ["blocks.py"]),
    "import inside a function": ({"nets.py": "def make():\n    import blocks", "blocks.py": CODE}, ["blocks.py"]),
    "import in try": (
        {"nets.py": "try:\n    import fast\nexcept ImportError:\n    import slow", "slow.py": CODE},
        ["slow.py"],
    ),
    "helper of a helper": (
        {"nets.py": "import one", "one.py": "import two", "two.py": "import three", "three.py": CODE},
        ["one.py", "three.py", "two.py"],
    ),
    "circle": (
        {"nets.py": "import one", "one.py": "import two\nimport nets", "two.py": "import one"},
        ["one.py", "two.py"],
    ),
    "a.b as c": (
        {"nets.py": "import lib.deep.blocks as c", "lib/__init__.py": "x = 1", "lib/deep/__init__.py": "",
         "lib/deep/blocks.py": CODE, "lib/other.py": CODE},
        ["lib/__init__.py", "lib/deep/blocks.py"],
    ),
    "package and its name": (
        {"nets.py": "from lib import blocks", "lib/__init__.py": "y = 1", "lib/blocks.py": CODE},
        ["lib/__init__.py", "lib/blocks.py"],
    ),
    "relative imports": (
        {"nets.py": "import lib.a", "lib/__init__.py": "", "lib/a.py": "from . import b\nfrom .c import d",
         "lib/b.py": "from ..nothing import x", "lib/c/__init__.py": "from .. import e\nd = 1", "lib/e.py": CODE,
         "lib/f.py": CODE},
        ["lib/a.py", "lib/b.py", "lib/c/__init__.py", "lib/e.py"],
    ),
    "star with __all__": (
        {"nets.py": "from lib import *", "lib/__init__.py": "__all__ = ['a']\n__all__ += ['b']", "lib/a.py": CODE,
         "lib/b.py": CODE, "lib/c.py": CODE},
        ["lib/__init__.py", "lib/a.py", "lib/b.py"],
    ),
    "star with a computed __all__": (
        {"nets.py": "from lib import *", "lib/__init__.py": "__all__ = [x for x in 'ac']", "lib/a.py": CODE,
         "lib/c.py": CODE},
        ["lib/__init__.py", "lib/a.py", "lib/c.py"],
    ),
    "star of a module": ({"nets.py": "from blocks import *", "blocks.py": CODE}, ["blocks.py"]),
    "namespace package": ({"nets.py": "from space.blocks import body", "space/blocks.py": CODE}, ["space/blocks.py"]),
    "import_module": (
        {"nets.py": "import importlib\nlib = importlib.import_module('blocks')\n__import__('more')",
         "blocks.py": CODE, "more.py": CODE},
        ["blocks.py", "more.py"],
    ),
    "declared encoding": (
        {"nets.py": b"# -*- coding: latin-1 -*-\nimport blocks  # \xe9\n", "blocks.py": CODE}, ["blocks.py"],
    ),
    "helper that is not UTF-8": ({"nets.py": "import blocks", "blocks.py": b"# \xe9\nimport more"}, ["blocks.py"]),
    "helper that is no Python": ({"nets.py": "import blocks", "blocks.py": "def ("}, ["blocks.py"]),
    "package before module": (
        {"nets.py": "import blocks", "blocks.py": CODE, "blocks/__init__.py": "z = 1"}, ["blocks/__init__.py"],
    ),
    "name of a stdlib module": ({"nets.py": "import queue, random", "queue.py": CODE, "random.py": CODE}, []),
    "data directory": ({"nets.py": "import numpy", "numpy/readme.txt": "x"}, []),
    "unused file beside it": ({"nets.py": CODE, "blocks.py": CODE}, []),
    "this package": ({"nets.py": "import harness.models\nimport torch, timm.models"}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_source_covers_exactly_the_imported_modules_and_each_of_them_changes_the_hash(work, name):
    files, expected = CASES[name]
    write(work, files)
    loaded = set(sys.modules)
    source = find_factory_source("nets")
    assert sorted(path.relative_to(work).as_posix() for path in source.files) == sorted(["nets.py", *expected])
    assert not ({"nets", "blocks", "lib", "one", "slow", "space"} & (set(sys.modules) - loaded))
    for changed in [*expected, "nets.py"]:
        before = (work / changed).read_bytes()
        (work / changed).write_bytes(before + b"\nw = 2")
        assert find_factory_source("nets").version != source.version, changed
        (work / changed).write_bytes(before)
    assert find_factory_source("nets").version == source.version


@pytest.mark.parametrize("name", [name for name, (_, expected) in CASES.items() if not expected])
def test_source_without_helpers_keeps_the_hash_of_its_one_file(work, name):
    write(work, CASES[name][0])
    expected = hashlib.sha256((work / "nets.py").read_bytes()).hexdigest()[:16]
    assert find_factory_source("nets").version == expected


def test_source_in_a_package_without_code_in_its_init_keeps_the_hash_of_its_one_file(work):
    write(work, {"pk/__init__.py": '"""Networks."""\n', "pk/nets.py": CODE})
    source = find_factory_source("pk.nets")
    assert source.version == hashlib.sha256(CODE.encode()).hexdigest()[:16]
    write(work, {"pk/__init__.py": "import helper", "helper.py": CODE})
    assert find_factory_source("pk.nets").version != source.version


def test_source_of_a_package_keeps_its_hash_and_covers_helpers_outside_of_it(work):
    write(work, {"pk/__init__.py": "from pk.inner import body", "pk/inner.py": CODE})
    digest = hashlib.sha256()
    for name in ("__init__.py", "inner.py"):
        digest.update(name.encode() + b"\0" + hashlib.sha256((work / "pk" / name).read_bytes()).digest())
    assert find_factory_source("pk").version == digest.hexdigest()[:16]
    write(work, {"pk/inner.py": "import helper", "helper.py": CODE})
    before = find_factory_source("pk")
    write(work, {"helper.py": CODE.replace("4", "5")})
    assert find_factory_source("pk").version != before.version
    assert work / "helper.py" in before.files


def test_source_hash_is_the_same_in_another_directory(work, tmp_path, monkeypatch):
    files = CASES["relative imports"][0]
    write(work, files)
    write(tmp_path / "elsewhere", files)
    version = find_factory_source("nets").version
    monkeypatch.chdir(tmp_path)
    assert find_factory_source("nets", str(tmp_path / "elsewhere")).version == version
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    assert find_factory_source("nets").version == version


def test_source_covers_a_helper_on_pythons_path_outside_the_installed_packages(work, tmp_path, monkeypatch):
    write(
        tmp_path,
        {"editable/src/labnets/__init__.py": "from .blocks import body", "editable/src/labnets/blocks.py": CODE},
    )
    write(work, {"nets.py": "from labnets import body"})
    monkeypatch.syspath_prepend(str(tmp_path / "editable" / "src"))
    before = find_factory_source("nets")
    assert len(before.files) == 3
    write(tmp_path, {"editable/src/labnets/blocks.py": CODE + "#"})
    assert find_factory_source("nets").version != before.version


def test_source_covers_a_package_that_an_editable_finder_knows(work, tmp_path, monkeypatch):
    from importlib.util import spec_from_file_location

    write(tmp_path, {"elsewhere/labnets/__init__.py": "from .blocks import body", "elsewhere/labnets/blocks.py": CODE})

    class EditableFinder:
        def find_spec(self, name, path=None, target=None):
            package = tmp_path / "elsewhere" / "labnets"
            return (
                spec_from_file_location(name, package / "__init__.py", submodule_search_locations=[str(package)])
                if name == "labnets"
                else None
            )

    write(work, {"nets.py": "from labnets import body"})
    assert len(find_factory_source("nets").files) == 1
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, EditableFinder()])
    assert [path.name for path in find_factory_source("nets").files] == ["nets.py", "__init__.py", "blocks.py"]


def test_source_identifies_an_installed_package_by_its_version(tmp_path, monkeypatch, work):
    installed = tmp_path / "site-packages"
    write(installed, {"labnets/__init__.py": "", "labnets/nets.py": "from . import blocks", "labnets/alone.py": CODE,
                      "labnets/blocks.py": CODE, "labnets-1.0.dist-info/METADATA": "Name: labnets\nVersion: 1.0\n",
                      "labnets-1.0.dist-info/RECORD": "labnets/__init__.py,,\n"})  # fmt: skip
    monkeypatch.syspath_prepend(str(installed))
    write(work, {"nets.py": "from labnets.nets import blocks"})
    local, one_file, before = (find_factory_source(name).version for name in ("nets", "labnets.alone", "labnets.nets"))
    write(installed, {"labnets/blocks.py": CODE + "#"})
    (installed / "labnets-1.0.dist-info/METADATA").write_text("Name: labnets\nVersion: 1.1\n")
    assert find_factory_source("labnets.nets").version != before
    assert find_factory_source("labnets.alone").version == one_file == hashlib.sha256(CODE.encode()).hexdigest()[:16]
    assert find_factory_source("nets").version == local
    assert len(find_factory_source("nets").files) == 1


def test_source_refuses_a_helper_that_has_the_name_of_an_installed_package(work):
    write(work, {"nets.py": "import tqdm", "tqdm.py": CODE})
    with pytest.raises(HarnessError, match="both a file of its directory and an installed package") as caught:
        find_factory_source("nets")
    assert caught.value.where == str(work / "tqdm.py") and "Rename" in caught.value.remedy


def test_source_follows_symbolic_links_and_ignores_those_to_nowhere(work, tmp_path):
    write(tmp_path, {"shared/blocks.py": CODE})
    write(work, {"nets.py": "import blocks, gone", "pk/__init__.py": ""})
    (work / "blocks.py").symlink_to(tmp_path / "shared" / "blocks.py")
    (work / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (work / "pk" / ".#edited.py").symlink_to("user@host.1234")
    before = find_factory_source("nets").version
    write(tmp_path, {"shared/blocks.py": CODE + "#"})
    assert find_factory_source("nets").version != before
    assert find_factory_source("pk").files == [work / "pk" / "__init__.py"]


def test_source_changes_when_a_helper_is_removed(work):
    write(work, {"nets.py": "import blocks", "blocks.py": CODE})
    before = find_factory_source("nets").version
    (work / "blocks.py").unlink()
    assert find_factory_source("nets").version != before


def test_source_refuses_the_running_program_as_a_module(work):
    write(work, {"__main__.py": CODE})
    with pytest.raises(HarnessError, match="__main__ is the running program"):
        ExternalNetwork(kind="python", factory="__main__:make").with_content_hash()


def test_source_that_cannot_be_read_is_an_error(work, monkeypatch):
    write(work, {"nets.py": "import blocks", "blocks.py": CODE})
    original = type(work).read_bytes

    def read_bytes(path):
        if path.name == "blocks.py":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(type(work), "read_bytes", read_bytes)
    with pytest.raises(HarnessError, match="cannot be read: Permission denied"):
        find_factory_source("nets")


def test_bare_annotation_of_the_exports_names_none():
    assert list_exports(b"__all__: list[str]\nimport torch\n") == []
