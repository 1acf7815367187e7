"""A run in which all free text is hostile writes files only where it should, and shows the text literally."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from security.hostile import (
    BENIGN,
    CONTROL,
    EVERYTHING,
    FORMULAS,
    HOSTILE,
    LINES,
    MARKUP,
    SMALL,
    assert_inert,
    structure,
)

from harness.errors import HarnessError


def test_hostile_run_writes_files_only_in_its_own_directories(hostile_run):
    root, _, before = hostile_run
    work = Path("deep/down/inside")
    created = {path.relative_to(root) for path in root.rglob("*")} - before
    places = (work / ".depthbench", work / "reports", Path("cache"), Path("tmp"))
    assert not {path for path in created if not any(path.is_relative_to(place) for place in places)}
    assert {path.name for path in (root / work / "reports").iterdir()} == {"hostile"}
    assert not [path for path in root.rglob("*") if "pwned" in path.name]


def test_hostile_run_passes_no_text_to_other_processes(hostile_run):
    calls = (hostile_run[0] / "spy.log").read_text()
    assert "rev-parse" in calls, "the log must contain the call of git"
    for word in ("pwned", "alert(1)", "hostile.yaml", "click"):
        assert word not in calls
    assert "os.system" not in calls


def test_hostile_run_prints_its_text_literally(hostile_run):
    _, done, _ = hostile_run
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "[red]x[/red] [/bold]" in done.stdout


def test_plan_prints_the_question_literally(harness, experiment_file):
    done = harness("plan", experiment_file(question="[red]x[/red] [/bold] \\", **SMALL))
    assert done.returncode == 0, done.stderr
    assert "[red]x[/red] [/bold] \\" in done.stdout


def write_report_of(csv, directory):
    from harness.reporting.page.report import write_report
    from harness.tracking.results_csv import read_csv

    write_report(read_csv(csv), directory)
    return (directory / "README.md").read_text()


def write_hostile_table(source, target, text, labels):
    """Write a results.csv with ``text`` in every field that can hold text; return its path."""
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


def render_markdown(csv):
    from harness.reporting.page.report import render_report
    from harness.reporting.verdicts.decision import decide_contrasts
    from harness.tracking.results_csv import read_csv

    results = read_csv(csv)
    return render_report(results, decide_contrasts(results), ["variants", "curves"])


@pytest.mark.parametrize("kind", MARKUP | LINES | FORMULAS)
def test_report_of_hostile_text_has_the_structure_of_one_with_plain_words(hostile_run, tmp_path, kind):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    text = HOSTILE[kind]
    labels = [f"{text} 1", f"{text} 2"] if kind in MARKUP else ["a", "b"]
    hostile = render_markdown(write_hostile_table(source, tmp_path / "hostile.csv", text, labels))
    plain = render_markdown(write_hostile_table(source, tmp_path / "plain.csv", BENIGN, ["a", "b"]))
    assert structure(hostile) == structure(plain)


@pytest.mark.parametrize("kind", CONTROL)
def test_table_with_control_characters_in_its_experiment_is_refused(hostile_run, tmp_path, kind):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    write_hostile_table(source, tmp_path / "a.csv", CONTROL[kind], ["a", "b"])
    with pytest.raises(HarnessError):
        render_markdown(tmp_path / "a.csv")


def test_report_leaves_out_control_characters_in_the_name_of_a_device(hostile_run, tmp_path):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    frame = pd.read_csv(source, dtype="str", keep_default_na=False)
    frame["device"] = CONTROL["escape"]
    frame.to_csv(tmp_path / "b.csv", index=False)
    assert "\x1b" not in write_report_of(tmp_path / "b.csv", tmp_path / "b")


@pytest.mark.parametrize("field", ["trial id", "name of the experiment"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_table_with_a_hostile_trial_id_or_experiment_name_is_refused(hostile_run, tmp_path, kind, field):
    source = hostile_run[0] / "deep/down/inside/reports/hostile/results.csv"
    frame = pd.read_csv(source, dtype="str", keep_default_na=False)
    if field == "trial id":
        frame["trial"] = HOSTILE[kind]
    else:
        study = json.loads(frame["study"][0])
        study["experiment"]["name"] = HOSTILE[kind]
        frame["study"] = [json.dumps(study), *[""] * (len(frame) - 1)]
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(HarnessError, match=re.escape(str(path))):
        write_report_of(path, tmp_path / "reports" / "a")
    assert not (tmp_path / "reports").exists()


def test_figures_contain_no_active_elements(hostile_run):
    figures = hostile_run[0] / "deep/down/inside/reports/hostile/figures"
    files = list(figures.glob("*.svg"))
    assert files
    for path in files:
        for element in ElementTree.parse(path).iter():
            tag = element.tag.rpartition("}")[2]
            assert tag not in ("script", "a", "image", "img", "foreignObject", "iframe", "text"), path
            for name, value in element.attrib.items():
                assert not name.lower().startswith("on")
                assert "javascript:" not in value and "alert" not in value
                assert name.rpartition("}")[2] != "href" or value.startswith("#"), (path, value)


def test_notes_in_mlflow_render_as_text(hostile_run):
    """MLflow renders the notes of experiments and runs as Markdown, and shows everything else as text."""
    from harness.tracking.mlflow_record.store.client import create_client

    home = hostile_run[0] / "deep/down/inside/.depthbench"
    client = create_client(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("hostile")
    note = experiment.tags["mlflow.note.content"]
    plain = f"**{BENIGN}** **{BENIGN}** {BENIGN}"
    inner = [kind for kind, *_ in structure(note)]
    assert {kind for kind, *_ in structure(plain)} == set(inner), note
    assert experiment.artifact_location == (home / "artifacts" / "hostile").as_uri()
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 5
    for run in runs:
        # The notes have words, code spans and tables of Depthbench; hostile text would add the elements below.
        kinds = {kind for kind, *_ in structure(run.data.tags["mlflow.note.content"])}
        assert not kinds & {"html_inline", "html_block", "link_open", "image", "s_open", "heading_open"}
        assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home / "artifacts" / "hostile")


def test_note_of_an_experiment_without_results_renders_as_text(quick_study, tmp_path):
    from harness.tracking.mlflow_record.writer import MlflowRecord

    study = quick_study(question=EVERYTHING[:500])
    store = MlflowRecord(f"sqlite:///{tmp_path / 'mlflow.db'}", study.experiment.name)
    store.prepare_runs(study)
    note = store.client.get_experiment(store.experiment_id).tags["mlflow.note.content"]
    assert_inert(note)


@pytest.fixture
def write_to(hostile_run, tmp_path):
    """Return a function that writes the report of the hostile run to a directory below ``reports``.

    ``reports`` is a link. After the test, the directory ``victim`` must be unchanged.
    """
    from harness.reporting.page.report import write_report
    from harness.tracking.results_csv import read_csv

    results = read_csv(hostile_run[0] / "deep/down/inside/reports/hostile/results.csv")
    (tmp_path / "outside").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "outside")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "README.md").write_text("mine")
    yield lambda name: write_report(results, tmp_path / "reports" / name)
    assert [(p.name, p.read_text()) for p in victim.iterdir()] == [("README.md", "mine")]


def test_report_is_written_to_a_directory_of_reports_that_is_a_link(write_to, tmp_path):
    write_to("x")
    assert (tmp_path / "outside" / "x" / "README.md").is_file()


def test_report_is_not_written_to_its_own_directory_through_a_link(write_to, tmp_path):
    (tmp_path / "outside" / "linked").symlink_to(tmp_path / "victim")
    with pytest.raises(HarnessError, match="not written through a link"):
        write_to("linked")


def test_report_is_not_written_to_a_directory_of_figures_that_is_a_link(write_to, tmp_path):
    (tmp_path / "outside" / "half").mkdir()
    (tmp_path / "outside" / "half" / "figures").symlink_to(tmp_path / "victim")
    with pytest.raises(HarnessError, match="not written through a link"):
        write_to("half")


def test_report_replaces_a_file_that_is_a_link(write_to, tmp_path):
    (tmp_path / "outside" / "file").mkdir()
    (tmp_path / "outside" / "file" / "README.md").symlink_to(tmp_path / "victim" / "README.md")
    write_to("file")
