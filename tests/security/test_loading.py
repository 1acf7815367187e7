"""Loading files executes nothing: no pickles, no YAML tags, and no archive members outside their directory."""

import ast
import io
import os
import pickle
import re
import zipfile

import pytest
from security.hostile import REPOSITORY

from harness.errors import HarnessError

FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open", "dill.loads", "joblib.load",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.Loader", "yaml.UnsafeLoader",
    "yaml.FullLoader", "pd.read_pickle", "pandas.read_pickle", "subprocess.getoutput", "subprocess.getstatusoutput",
    "torch.jit.load", "torch.hub.load", "ssl._create_unverified_context", "tempfile.mktemp", "shutil.unpack_archive",
}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "extract", "from_string", "read_pickle"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "telnetlib", "ftplib"}


def findings(source):
    """Yield the calls and imports in Python source that could execute the content of a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in FORBIDDEN_CALLS or method in FORBIDDEN_METHODS:
            yield name
        if name == "torch.load" and keywords.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if keywords.get("allow_pickle", "False") != "False" or keywords.get("shell", "False") != "False":
            yield f"{name} with a shell or pickles"
        if name.startswith("subprocess.") and (not node.args or isinstance(node.args[0], ast.JoinedStr | ast.BinOp)):
            yield f"{name} of a text"
        if method == "Environment" or name == "Environment":
            yield "jinja2 without autoescape" if keywords.get("autoescape") != "True" else "jinja2"


def test_package_has_no_unsafe_loading_beyond_the_known_exceptions():
    unsafe = {
        (str(path.relative_to(REPOSITORY)), finding)
        for path in sorted((REPOSITORY / "harness").rglob("*.py"))
        for finding in findings(path.read_text())
    }
    # Reports are Markdown, which their filter md escapes. A worker reads its task from the pipe of the process that
    # started it; no file and no port reaches this pipe.
    assert unsafe == {
        ("harness/reporting/page/template.py", "jinja2 without autoescape"),
        ("harness/execution/trial_workers.py", "import pickle"),
        ("harness/execution/worker.py", "import pickle"),
        ("harness/execution/worker.py", "pickle.load"),
    }


@pytest.mark.parametrize(
    "source",
    ["import pickle", "torch.load(x)", "yaml.load(x)", "np.load(x, allow_pickle=True)", "eval(x)", "a.extractall()",
     "subprocess.run(x, shell=True)", "subprocess.run(f'ls {x}')", "os.system(x)"],
)  # fmt: skip
def test_findings_names_each_kind_of_unsafe_loading(source):
    assert list(findings(source))


class Payload:
    """An object that creates a directory when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def save_bytes(value):
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def load_checkpoint(path):
    import torch

    from harness.training.checkpoint_file import load_state

    with path.open("rb") as file:
        return load_state(file, str(path), torch.device("cpu"))


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle"])
def test_loading_a_hostile_checkpoint_executes_nothing(tmp_path, form):
    import torch

    from harness.io.archives import pack_archive

    evil = Payload(tmp_path / "pwned")
    if form == "legacy":
        buffer = io.BytesIO()
        torch.save({"model": evil}, buffer, _use_new_zipfile_serialization=False)
        content = buffer.getvalue()
    else:
        content = save_bytes({"model": evil}) if form == "torch" else pickle.dumps({"model": evil})
    path = tmp_path / "checkpoint-000001.zip"
    path.write_bytes(pack_archive({"history.json": b"{}", "state.pt": content}))
    with pytest.raises(HarnessError, match=re.escape(str(path))):
        load_checkpoint(path)
    assert not (tmp_path / "pwned").exists()
    pickle.loads(pickle.dumps(evil))
    assert (tmp_path / "pwned").exists(), "the payload does work if it is unpickled"


OUTSIDE = {"../../pwned": b"x", "/tmp/pwned-by-a-checkpoint": b"x"}
"""Members of an archive whose names lead out of its directory."""


@pytest.fixture
def checkpoint_path(tmp_path):
    """Path of a checkpoint two levels below the test's directory; check at the end that no other file was written."""
    path = tmp_path / "a" / "b" / "checkpoint-000001.zip"
    path.parent.mkdir(parents=True)
    yield path
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert not os.path.lexists("/tmp/pwned-by-a-checkpoint")


def test_loading_a_checkpoint_writes_none_of_its_members(checkpoint_path):
    import torch

    from harness.io.archives import pack_archive

    state = save_bytes({"x": torch.zeros(1)})
    checkpoint_path.write_bytes(pack_archive({"history.json": b"{}", "state.pt": state, **OUTSIDE}))
    assert set(load_checkpoint(checkpoint_path)) == {"x"}


@pytest.mark.parametrize("name", ["../state.pt", "/state.pt", "other"])
def test_checkpoint_without_a_state_of_the_exact_name_is_refused(checkpoint_path, name):
    import torch

    from harness.io.archives import pack_archive

    checkpoint_path.write_bytes(pack_archive({name: save_bytes({"x": torch.zeros(1)}), **OUTSIDE}))
    with pytest.raises(HarnessError):
        load_checkpoint(checkpoint_path)


def test_compressed_checkpoint_is_refused_before_it_is_unpacked(checkpoint_path):
    with zipfile.ZipFile(checkpoint_path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state.pt", bytes(50_000_000))
        archive.writestr("sha256.json", "{}")
    with pytest.raises(HarnessError, match="compressed"):
        load_checkpoint(checkpoint_path)


def test_cifar_files_other_than_the_published_ones_are_not_unpickled(quiet_place, tmp_path):
    from harness.data.description import describe_data
    from harness.specs import DataSpec

    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "pwned")))
    with pytest.raises(HarnessError, match="checksums"):
        describe_data(DataSpec(name="cifar10", root=str(tmp_path / "data")))
    assert not (tmp_path / "pwned").exists()
