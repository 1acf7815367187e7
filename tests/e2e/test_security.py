"""What a file brings is text and nothing else: no path, no markup, no code, no shell, no open port."""

import ast
import io
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

from harness.errors import HarnessError
from harness.text import code, escaped, one_line, shown

REPOSITORY = Path(__file__).resolve().parents[2]
MARKUP = {
    "parent": "../../x",
    "absolute": "/tmp/pwned/x",
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "x --> <!-- ]]> </svg>",
    "link": "[click](javascript:alert(1))",
    "picture": "![x](http://127.0.0.1/x.png)",
    "reference": "[a]: http://127.0.0.1/ 'x'",
    "autolink": "<javascript:alert(1)>",
    "table": "| pipe | table |",
    "backticks": "`code` ``` ~~~",
    "heading": "# heading",
    "list": "1. item",
    "quote": "> **supported**",
    "shell": "$(touch pwned); touch pwned | sh & `touch pwned`",
    "rm": "; rm -rf pwned",
    "rich": "[red]x[/red] [/bold] [link=file:///etc/passwd]x[/link]",
    "jinja": "{{ 7*7 }}{% include '/etc/passwd' %}",
    "mathematics": "$\\frac{1}{0}$ \\",
    "entity": "&lt;script&gt; &#60;b&#62;",
}
"""Text that a report shows as it is."""
LINES = {
    "newline": "x\n\n## Forged\n\n- y",
    "setext": "x\n===\n",
    "rule": "x\n\n---\n\n    code\n",
    "html": "x\n<script>\nalert(1)\n</script>\n",
}
"""Text of several lines, which a question and notes may have."""
CONTROL = {
    "NUL": "x\0y",
    "escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "C1": "x\x9b31my",
    "backspace": "safe\x08\x08\x08\x08evil",
}
FORMULAS = {"formula": "=HYPERLINK(1)", "at": "@SUM(1)", "dash": "- item", "plus": "+ item"}
HOSTILE = MARKUP | LINES | CONTROL | FORMULAS
EVERYTHING = " ".join(MARKUP.values())
BENIGN = "Some plain words"


def structure(markdown):
    """The tokens of Markdown without their text: what a reader's browser would build of it."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = []
    for token in renderer.parse(markdown):
        found.append((token.type, token.tag, str(token.attrs), token.content if token.type == "html_block" else ""))
        for child in token.children or ():
            if child.type != "text":
                content = child.content if child.type == "html_inline" else ""
                found.append((child.type, child.tag, str(child.attrs), content))
    return found


def assert_inert(markdown):
    """It is one paragraph of text, whatever is in it."""
    kinds = {kind for kind, *_ in structure(markdown)}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close", "strong_open", "strong_close"}, markdown


@pytest.mark.parametrize("kind", HOSTILE)
def test_escaped_text_is_text(kind):
    text = HOSTILE[kind]
    assert_inert(escaped(text))
    assert structure(f"| a | b |\n| - | - |\n| {escaped(text)} | {code(text)} |\n") == structure(
        "| a | b |\n| - | - |\n| x | `x` |\n"
    )
    rendered = MarkdownIt().render(escaped(text))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        rendered = rendered.replace(entity, character)
    assert rendered == f"<p>{one_line(text)}</p>\n", "it shows what was written"


# --- YAML files ------------------------------------------------------------------------------------------------

CHOICES = [{"name": "cifar-plain8", "label": "a", "set": {"widths": [2, 4, 8]}}]
CHOICES += [{"name": "cifar-resnet8", "label": "b", "set": {"widths": [2, 4, 8]}}]
DIFFERENCE = {"kind": "difference", "a": "a", "b": "b"}
SMALL = {"variants": CHOICES, "contrasts": [DIFFERENCE], "recipe": {"epochs": 1, "batch": 64, "lr": 0.05}}
FREE = ("question", "notes", "variants.0.label")
"""The fields that take any text; all others are looked up, or are names by a pattern."""
FIELDS = (
    "name", *FREE, "variants.0.name", "variants.0.set.norm", "variants.0.set.name", "data.name", "data.root",
    "data.fingerprint", "contrasts.0.a", "contrasts.0.kind", "contrasts.0.metric", "recipe.optimiser",
    "execution.memory_format", "recipe.{}", "variants.0.set.{}", "{}",
)  # fmt: skip


def changed(content, field, value):
    """``content`` with one field changed; ``{}`` stands for a key that is itself the value."""
    content = json.loads(json.dumps(content))
    *parents, last = [int(part) if part.isdigit() else part for part in field.split(".")]
    inside = content
    for part in parents:
        inside = inside.setdefault(part, {}) if isinstance(inside, dict) else inside[part]
    inside[value if last == "{}" else last] = value
    return content


@pytest.fixture
def quiet_place(tmp_path, monkeypatch):
    """A working directory of its own, with a cache of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    return work


def _accepts(field, kind):
    if field not in FREE or kind in CONTROL:
        return False
    return field != "variants.0.label" or kind not in LINES | FORMULAS


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_field_is_refused_by_name_or_is_text(quiet_place, experiment_file, field):
    from harness.verbs import load_study

    for kind, text in HOSTILE.items():
        content = changed({"data": {"name": "digits", "train_images": 256}, **SMALL}, field, text)
        if field == "variants.0.label":
            content["contrasts"] = [{**DIFFERENCE, "a": text}]
        path = experiment_file(**content)
        if _accepts(field, kind):
            assert load_study(str(path)).experiment.model_dump()
            continue
        with pytest.raises(HarnessError) as caught:
            load_study(str(path))
        assert str(path) in str(caught.value), kind
        assert field.partition(".")[0].replace("{}", "") in str(caught.value), kind
        printed = shown(caught.value.where + caught.value.what + caught.value.remedy)
        assert not [c for c in printed if not c.isprintable() and c != "\n"], kind
    assert list(quiet_place.iterdir()) == []


@pytest.mark.parametrize("field", ["family", "prefix", "twin.prefix", "twin.shortcut", "members.{}", "depth.basic"])
def test_a_hostile_family_is_refused_by_name(quiet_place, field):
    from harness.specs import Catalogue

    family = {
        "family": "mine",
        "input_size": 8,
        "base": {"stem": "conv3x3", "block": "basic", "widths": [4], "shortcut": "projection"},
        "members": {"mine8": {"blocks": [1]}},
        "twin": {"prefix": "plain-mine"},
    }
    (quiet_place / "variants").mkdir()
    path = quiet_place / "variants" / "mine.yaml"
    path.write_text(yaml.safe_dump(family))
    assert "mine8" in {variant.name for variant in Catalogue.load().members()}
    for kind, text in HOSTILE.items():
        path.write_text(yaml.safe_dump(changed(family, field, text)))
        with pytest.raises(HarnessError) as caught:
            list(Catalogue.load().members())
        assert "mine.yaml" in str(caught.value), kind
        # What no file may hold is refused with its line, before there are fields.
        assert field.partition(".")[0] in str(caught.value) or re.search(r"mine\.yaml:\d+: ", str(caught.value)), kind


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "a\\b", "a\n", "\na", "a b", "A", "é", "a\0", "", "a" * 65, "-a", "~", "con", "nul.x", "com1",
     "a.", "a..", "results.csv", "a.yaml", "a.yml"],
)  # fmt: skip
def test_a_name_is_one_plain_directory(quiet_place, experiment_file, name):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="name"):
        load_experiment(experiment_file(name=name))


def test_names_that_are_fine(experiment_file):
    from harness.specs import load_experiment

    for name in ("a", "0", "a..b", "quick-2.1_x", "contrast", "a" * 64):
        assert load_experiment(experiment_file(name=name))[0].name == name


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "!!python/object/apply:os.system [touch pwned]", "2024-99-99", "[" * 3000]
)
def test_an_override_is_plain_yaml(quiet_place, experiment_file, text):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="--set question"):
        load_experiment(experiment_file(), [f"question={text}"])
    assert list(quiet_place.iterdir()) == []


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path):
    from harness.specs.loading import read

    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(HarnessError, match="its aliases written out"):
        read(tmp_path / "bomb.yaml")


def test_a_record_is_asked_by_name_not_by_path(quiet_place):
    from harness.verbs import Settings, collect

    (quiet_place / "secret.json").write_text("{}")
    for name in ("../../secret", "/etc/passwd", "a/b", "..\0"):
        with pytest.raises(HarnessError, match="not the name of an experiment"):
            collect(name, Settings(tracking_uri="none"))


# --- a whole run -----------------------------------------------------------------------------------------------

SPY = """
import os, sys
def spy(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        with open(os.environ["SPY_LOG"], "a") as log:
            log.write(repr((event, arguments)) + "\\n")
sys.addaudithook(spy)
"""


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """One real run of an experiment in which all free text is hostile: (its root, the process, listing before)."""
    root = tmp_path_factory.mktemp("hostile")
    work = root / "deep" / "down" / "inside"
    work.mkdir(parents=True)
    labels = [MARKUP["image"] + MARKUP["rich"], MARKUP["script"] + MARKUP["shell"]]
    content = {
        "name": "hostile",
        "question": EVERYTHING[:500],
        "notes": EVERYTHING + "\n\n" + "\n\n".join([*LINES.values(), *FORMULAS.values()]),
        "data": {"name": "digits", "train_images": 256},
        "seeds": [0],
        **SMALL,
        "variants": [{**choice, "label": label} for choice, label in zip(CHOICES, labels, strict=True)],
        "contrasts": [{**DIFFERENCE, "a": labels[0], "b": labels[1]}],
    }
    (root / "hostile.yaml").write_text(yaml.safe_dump(content))
    (root / "spy").mkdir()
    (root / "tmp").mkdir()
    (root / "spy" / "sitecustomize.py").write_text(SPY)
    (root / "spy.log").write_text("")
    before = {path.relative_to(root) for path in root.rglob("*")}
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'spy'}:{REPOSITORY}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DEPTHBENCH_CACHE": str(root / "cache"),
        "SPY_LOG": str(root / "spy.log"),
        "TMPDIR": str(root / "tmp"),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(root / "hostile.yaml"), "--launcher", "inline"],
        cwd=work, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root, done, before


def test_files_lie_where_they_belong(hostile_run):
    root, _, before = hostile_run
    work = Path("deep/down/inside")
    made = {path.relative_to(root) for path in root.rglob("*")} - before
    places = (work / ".depthbench", work / "reports", Path("cache"), Path("tmp"))
    assert not {path for path in made if not any(path.is_relative_to(place) for place in places)}
    assert {path.name for path in (root / work / "reports").iterdir()} == {"hostile"}
    assert not [path for path in root.rglob("*") if "pwned" in path.name]


def test_no_process_saw_what_the_file_says(hostile_run):
    spied = (hostile_run[0] / "spy.log").read_text()
    assert "rev-parse" in spied, "the spy sees our own call of git"
    for word in ("pwned", "alert(1)", "hostile.yaml", "click"):
        assert word not in spied
    assert "os.system" not in spied


def test_the_terminal_is_sent_text(hostile_run):
    _, done, _ = hostile_run
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "[red]x[/red] [/bold]" in done.stdout, "shown literally, not taken for rich's markup"


def test_a_plan_shows_the_question_literally(harness, experiment_file):
    done = harness("plan", experiment_file(question="[red]x[/red] [/bold] \\", **SMALL))
    assert done.returncode == 0, done.stderr
    assert "[red]x[/red] [/bold] \\" in done.stdout


def _report(csv, directory):
    from harness.reporting.render import write_report
    from harness.tracking.table import read_csv

    write_report(read_csv(csv), directory)
    return (directory / "README.md").read_text()


def _planted(source, target, text, labels):
    """A results.csv of the run with ``text`` wherever text can be."""
    frame = pd.read_csv(source, dtype="str", keep_default_na=False)
    study = json.loads(frame["study"][0])
    study["experiment"] |= {"question": text, "notes": text}
    study["data"]["source"] = "x"
    for index, label in enumerate(labels):
        old = study["variants"][index]["name"]
        frame.loc[frame["variant"] == old, "variant"] = label
        study["variants"][index]["name"] = label
        study["experiment"]["variants"][index]["label"] = label
        study["experiment"]["contrasts"][0]["ab"[index]] = label
    for column in ("counter", "device", "memory_format", "kernels", "software", "revision", "at", "precision"):
        frame[column] = text
    frame["study"] = [json.dumps(study), *[""] * (len(frame) - 1)]
    frame.to_csv(target, index=False)
    return target


def _markdown(csv):
    from harness.reporting.render import markdown
    from harness.reporting.verdicts import verdicts
    from harness.tracking.table import read_csv

    results = read_csv(csv)
    return markdown(results, verdicts(results), ["variants", "curves"])


@pytest.mark.parametrize("kind", MARKUP | LINES | FORMULAS)
def test_a_report_of_hostile_text_is_built_like_one_of_plain_words(hostile_run, tmp_path, kind):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    text = HOSTILE[kind]
    labels = [f"{text} 1", f"{text} 2"] if kind in MARKUP else ["a", "b"]
    hostile = _markdown(_planted(source, tmp_path / "hostile.csv", text, labels))
    plain = _markdown(_planted(source, tmp_path / "plain.csv", BENIGN, ["a", "b"]))
    assert structure(hostile) == structure(plain)


def test_a_table_with_control_characters_shows_none(hostile_run, tmp_path):
    """They are refused where the experiment is read, and left out where a machine's name might bring them."""
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    for text in CONTROL.values():
        _planted(source, tmp_path / "a.csv", text, ["a", "b"])
        with pytest.raises(HarnessError):
            _markdown(tmp_path / "a.csv")
    frame = pd.read_csv(source, dtype="str", keep_default_na=False)
    frame["device"] = CONTROL["escape"]
    frame.to_csv(tmp_path / "b.csv", index=False)
    assert "\x1b" not in _report(tmp_path / "b.csv", tmp_path / "b")


def test_a_table_whose_study_or_ids_are_hostile_is_refused(hostile_run, tmp_path):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    frame = pd.read_csv(source, dtype="str", keep_default_na=False)
    for kind, text in HOSTILE.items():
        changed_id = frame.assign(trial=text)
        study = json.loads(frame["study"][0])
        study["experiment"]["name"] = text
        renamed = frame.assign(study=[json.dumps(study), *[""] * (len(frame) - 1)])
        for number, table in enumerate((changed_id, renamed)):
            path = tmp_path / f"{number}.csv"
            table.to_csv(path, index=False)
            with pytest.raises(HarnessError, match=re.escape(str(path))):
                _report(path, tmp_path / "reports" / kind)
    assert not (tmp_path / "reports").exists()


def test_figures_hold_no_markup_of_the_text(hostile_run):
    figures = hostile_run[0] / "deep/down/inside/reports/hostile/figures"
    seen = list(figures.glob("*.svg"))
    assert seen
    for path in seen:
        for element in ElementTree.parse(path).iter():
            tag = element.tag.rpartition("}")[2]
            assert tag not in ("script", "a", "image", "img", "foreignObject", "iframe", "text"), path
            for name, value in element.attrib.items():
                assert not name.lower().startswith("on")
                assert "javascript:" not in value and "alert" not in value
                assert name.rpartition("}")[2] != "href" or value.startswith("#"), (path, value)


def test_mlflow_is_sent_text(hostile_run):
    """MLflow's pages render the note of an experiment or a run as Markdown; all else they show as text."""
    from harness.tracking.client import connect

    home = hostile_run[0] / "deep/down/inside/.depthbench"
    client = connect(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("hostile")
    note = experiment.tags["mlflow.note.content"]
    plain = f"**{BENIGN}** **{BENIGN}** {BENIGN}"
    inner = [kind for kind, *_ in structure(note)]
    assert {kind for kind, *_ in structure(plain)} == set(inner), note
    assert experiment.artifact_location == (home / "artifacts" / "hostile").as_uri()
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 5
    for run in runs:
        assert "mlflow.note.content" not in run.data.tags
        assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home / "artifacts" / "hostile")


def test_the_note_before_a_verdict_is_text(quick_study, tmp_path):
    from harness.tracking.store import Store

    study = quick_study(question=EVERYTHING[:500])
    store = Store(f"sqlite:///{tmp_path / 'mlflow.db'}", study.experiment.name)
    store.prepare(study)
    note = store.client.get_experiment(store.experiment_id).tags["mlflow.note.content"]
    assert_inert(note)


def test_class_folders_are_counted_not_named(quiet_place, image_folder):
    from harness.data.info import describe
    from harness.specs import DataSpec

    root = image_folder(classes=2)
    odd = [os.fsencode(text) for text in HOSTILE.values() if "/" not in text and "\0" not in text]
    for folder in [*odd, b"caf\xe9"]:
        target = os.path.join(os.fsencode(root), folder)  # noqa: PTH118 (bytes)
        os.mkdir(target)  # noqa: PTH102
        picture = (root / "digit-0" / "000.png").read_bytes()
        for number in range(5):
            Path(os.fsdecode(target), f"{number}.png").write_bytes(picture)
    info, spec = describe(DataSpec(name="imagefolder", root=str(root)))
    assert info.classes == len(odd) + 3
    assert re.fullmatch("[0-9a-f]{16}", info.fingerprint)
    seen = info.model_dump_json() + spec.model_copy(update={"root": None}).model_dump_json()
    assert not [text for text in HOSTILE.values() if text in seen]


def test_a_class_folder_in_an_error_sends_no_codes(harness, image_folder):
    root = image_folder(classes=2)
    (root / "\x1b[31mred [red][bold]").mkdir()
    done = harness("plan", "own-images", "--data-root", root)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert "[red][bold]' holds no images" in done.stderr


# --- links -----------------------------------------------------------------------------------------------------


def test_reports_and_home_may_be_links_and_a_link_below_is_refused(hostile_run, tmp_path):
    from harness.reporting.render import write_report
    from harness.tracking.table import read_csv

    results = read_csv(hostile_run[0] / "deep/down/inside/reports/hostile/results.csv")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "reports").symlink_to(outside)
    write_report(results, tmp_path / "reports" / "x")
    assert (outside / "x" / "README.md").is_file()

    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "README.md").write_text("mine")
    (outside / "linked").symlink_to(victim)
    (outside / "half").mkdir()
    (outside / "half" / "figures").symlink_to(victim)
    for name in ("linked", "half"):
        with pytest.raises(HarnessError, match="not written through a link"):
            write_report(results, tmp_path / "reports" / name)
    (outside / "file").mkdir()
    (outside / "file" / "README.md").symlink_to(victim / "README.md")
    write_report(results, tmp_path / "reports" / "file")
    assert [(p.name, p.read_text()) for p in victim.iterdir()] == [("README.md", "mine")]


# --- safe loading ----------------------------------------------------------------------------------------------

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
    assert found == {("harness/reporting/render.py", "jinja2 without autoescape")}


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

    from harness.files import pack

    evil = Payload(tmp_path / "pwned")
    if form == "legacy":
        buffer = io.BytesIO()
        torch.save({"model": evil}, buffer, _use_new_zipfile_serialization=False)
        content = buffer.getvalue()
    else:
        content = _saved({"model": evil}) if form == "torch" else pickle.dumps({"model": evil})
    path = tmp_path / "checkpoint-000001.zip"
    path.write_bytes(pack({"history.json": b"{}", "state.pt": content}))
    with pytest.raises(HarnessError, match=re.escape(str(path))):
        _load(path)
    assert not (tmp_path / "pwned").exists()
    pickle.loads(pickle.dumps(evil))
    assert (tmp_path / "pwned").exists(), "the payload works where it is let"


def test_a_checkpoint_writes_nothing_and_is_never_inflated(tmp_path):
    import torch

    from harness.files import pack

    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    path = home / "checkpoint-000001.zip"
    good = _saved({"x": torch.zeros(1)})
    outside = {"../../pwned": b"x", str(tmp_path / "pwned"): b"x"}
    path.write_bytes(pack({"history.json": b"{}", "state.pt": good, **outside}))
    assert set(_load(path)) == {"x"}
    for members in ({"../state.pt": good}, {"/state.pt": good}, {}):
        path.write_bytes(pack({**members, **outside}))
        with pytest.raises(HarnessError):
            _load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state.pt", bytes(50_000_000))
        archive.writestr("sha256.json", "{}")
    with pytest.raises(HarnessError, match="compressed"):
        _load(path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_cifar_files_that_are_not_the_published_ones_are_not_unpickled(quiet_place, tmp_path):
    from harness.data.info import describe
    from harness.specs import DataSpec

    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "pwned")))
    with pytest.raises(HarnessError, match="checksums"):
        describe(DataSpec(name="cifar10", root=str(tmp_path / "data")))
    assert not (tmp_path / "pwned").exists()


# --- ports -----------------------------------------------------------------------------------------------------


def test_the_ui_is_told_to_stay_on_loopback(tmp_path, monkeypatch):
    from rich.console import Console

    from harness.tracking import serving

    started = {}

    class Server:
        def __init__(self, command, env):
            started.update(command=command, env=env)

        def wait(self):
            return 0

    monkeypatch.setattr(serving, "open_store", lambda uri: None)
    monkeypatch.setattr(serving.subprocess, "Popen", Server)
    (tmp_path / "mlflow.db").write_text("")
    assert serving.serve(None, tmp_path, None, 5099, Console(file=io.StringIO())) == 0
    command = started["command"]
    assert isinstance(command, list)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    serving.serve("postgresql://me:secret@host/db", tmp_path, None, 5099, Console(file=io.StringIO()))
    assert "secret" not in " ".join(started["command"]), "arguments can be read by all users of a machine"
    assert started["env"]["MLFLOW_BACKEND_STORE_URI"].endswith("@host/db")


def test_ray_is_started_without_its_dashboard(monkeypatch):
    import ray

    from harness.launching.ray_tune import RayLauncher
    from harness.specs import Resources

    calls = []
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **given: calls.append(given))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    RayLauncher(Resources(), None)
    assert calls[0]["include_dashboard"] is False
    assert calls[0].get("dashboard_host", "127.0.0.1") in ("127.0.0.1", "localhost")


def _listening(port):
    """Local addresses that listen on a port, as Linux has them: hexadecimal."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                found.add(address.rpartition(":")[0])
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's table of sockets")
def test_the_ui_listens_on_loopback_alone(hostile_run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = hostile_run[0] / "deep/down/inside"
    server = subprocess.Popen(
        [sys.executable, "-m", "harness", "ui", "--port", str(port)],
        cwd=work, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(240):
            if _listening(port):
                break
            assert server.poll() is None
            signal.sigtimedwait([], 0.5)
        assert _listening(port) == {"0100007F"}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
