"""A run in which all free text is hostile leaves files where they belong, and text where it is shown."""

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
    from harness.reporting.page.report import write_report
    from harness.tracking.results_csv import read_csv

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
    from harness.reporting.page.report import render_report
    from harness.reporting.verdicts.decision import decide_contrasts
    from harness.tracking.results_csv import read_csv

    results = read_csv(csv)
    return render_report(results, decide_contrasts(results), ["variants", "curves"])


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
        # Words, code spans and tables of ours; nothing that would be built of a stranger's text.
        kinds = {kind for kind, *_ in structure(run.data.tags["mlflow.note.content"])}
        assert not kinds & {"html_inline", "html_block", "link_open", "image", "s_open", "heading_open"}
        assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home / "artifacts" / "hostile")


def test_the_note_before_a_verdict_is_text(quick_study, tmp_path):
    from harness.tracking.mlflow_record.writer import MlflowRecord

    study = quick_study(question=EVERYTHING[:500])
    store = MlflowRecord(f"sqlite:///{tmp_path / 'mlflow.db'}", study.experiment.name)
    store.prepare_runs(study)
    note = store.client.get_experiment(store.experiment_id).tags["mlflow.note.content"]
    assert_inert(note)


def test_reports_and_home_may_be_links_and_a_link_below_is_refused(hostile_run, tmp_path):
    from harness.reporting.page.report import write_report
    from harness.tracking.results_csv import read_csv

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
