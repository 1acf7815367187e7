"""Nothing that is loaded runs: no pickle, no YAML tag, no archive that leaves its place."""

import ast
import io
import os
import pickle
import re
import zipfile

import pytest
from security.hostile import (
    REPOSITORY,
)

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
    """What in Python source loads or runs what others wrote."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in FORBIDDEN_CALLS or method in FORBIDDEN_METHODS:
            yield name
        if name == "torch.load" and given.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if given.get("allow_pickle", "False") != "False" or given.get("shell", "False") != "False":
            yield f"{name} with a shell or pickles"
        if name.startswith("subprocess.") and (not node.args or isinstance(node.args[0], ast.JoinedStr | ast.BinOp)):
            yield f"{name} of a text"
        if method == "Environment" or name == "Environment":
            yield "jinja2 without autoescape" if given.get("autoescape") != "True" else "jinja2"


def test_nothing_in_the_harness_loads_unsafely():
    found = {
        (str(path.relative_to(REPOSITORY)), finding)
        for path in sorted((REPOSITORY / "harness").rglob("*.py"))
        for finding in findings(path.read_text())
    }
    # A report is Markdown: its filter md escapes for HTML and for Markdown (the tests above).
    # A worker of a trial reads its job from the pipe of the process that started it, which no file or port reaches.
    assert found == {
        ("harness/reporting/page/template.py", "jinja2 without autoescape"),
        ("harness/execution/worker_group.py", "import pickle"),
        ("harness/execution/worker.py", "import pickle"),
        ("harness/execution/worker.py", "pickle.load"),
    }


@pytest.mark.parametrize(
    "source",
    ["import pickle", "torch.load(x)", "yaml.load(x)", "np.load(x, allow_pickle=True)", "eval(x)", "a.extractall()",
     "subprocess.run(x, shell=True)", "subprocess.run(f'ls {x}')", "os.system(x)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source):
    assert list(findings(source))


class Payload:
    """Unpickled, it makes the file ``pwned``."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def _saved(value):
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _load(path):
    import torch

    from harness.training.checkpoint import load_state

    with path.open("rb") as file:
        return load_state(file, str(path), torch.device("cpu"))


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle"])
def test_a_checkpoint_executes_nothing(tmp_path, form):
    import torch

    from harness.io.archives import pack_archive

    evil = Payload(tmp_path / "pwned")
    if form == "legacy":
        buffer = io.BytesIO()
        torch.save({"model": evil}, buffer, _use_new_zipfile_serialization=False)
        content = buffer.getvalue()
    else:
        content = _saved({"model": evil}) if form == "torch" else pickle.dumps({"model": evil})
    path = tmp_path / "checkpoint-000001.zip"
    path.write_bytes(pack_archive({"history.json": b"{}", "state.pt": content}))
    with pytest.raises(HarnessError, match=re.escape(str(path))):
        _load(path)
    assert not (tmp_path / "pwned").exists()
    pickle.loads(pickle.dumps(evil))
    assert (tmp_path / "pwned").exists(), "the payload works where it is let"


def test_a_checkpoint_writes_nothing_and_is_never_inflated(tmp_path):
    import torch

    from harness.io.archives import pack_archive

    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    path = home / "checkpoint-000001.zip"
    good = _saved({"x": torch.zeros(1)})
    outside = {"../../pwned": b"x", str(tmp_path / "pwned"): b"x"}
    path.write_bytes(pack_archive({"history.json": b"{}", "state.pt": good, **outside}))
    assert set(_load(path)) == {"x"}
    for members in ({"../state.pt": good}, {"/state.pt": good}, {}):
        path.write_bytes(pack_archive({**members, **outside}))
        with pytest.raises(HarnessError):
            _load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state.pt", bytes(50_000_000))
        archive.writestr("sha256.json", "{}")
    with pytest.raises(HarnessError, match="compressed"):
        _load(path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_cifar_files_that_are_not_the_published_ones_are_not_unpickled(quiet_place, tmp_path):
    from harness.data.description import describe_data
    from harness.specs import DataSpec

    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "pwned")))
    with pytest.raises(HarnessError, match="checksums"):
        describe_data(DataSpec(name="cifar10", root=str(tmp_path / "data")))
    assert not (tmp_path / "pwned").exists()
