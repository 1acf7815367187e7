"""What was declared is kept: each way to a better verdict after the results were seen is flagged, by the real commands.

One experiment of tiny trials is trained and reported once. Each case copies its home and changes what is declared.
"""

import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import HarnessError

pytestmark = pytest.mark.slow
FIRST, COPY = "first.yaml", "copy.yaml"
VARIANTS = {"family": "cifar-resnet", "depth": [8, 14], "shortcut": ["none", "identity"], "set": {"widths": [4, 8, 16]}}
DIFFERENCE = {"kind": "difference", "a": "cifar-resnet8-w4", "b": "cifar-plain8-w4", "metric": "test/error"}
EXPERIMENT = {
    "name": "declared",
    "question": "Does depth help here?",
    "variants": VARIANTS,
    "data": {"name": "digits", "train_images": 512},
    "recipe": {"epochs": 1, "batch": 32, "lr": 0.1},
    "seeds": list(range(8)),
    "contrasts": [
        {"kind": "degradation", "shallow": 8, "deep": 14, "margin": 0.5},
        DIFFERENCE,
        {**DIFFERENCE, "metric": "train/error_clean"},
    ],
}


def harness(work, *arguments):
    """Run the command line in this process; return its output as one line with plain spaces."""
    options = ["--home", work.home, "--tracking-uri", "none"]
    if arguments[0] != "plan":
        options += ["--reports", work.reports]
    if arguments[0] in ("run", "plan"):
        options += ["--launcher", "inline"]
    words = [str(word) for word in (*arguments, *options)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"}, catch_exceptions=False)
    work.exit_code = result.exit_code
    return " ".join((result.output + result.stderr).split())


def write(work, file=FIRST, **changes):
    """Write the experiment with changed fields; return the path of its file."""
    path = work.directory / file
    path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}, sort_keys=False))
    return path


def page(work, name="declared"):
    """Return the report as one line with plain spaces."""
    return " ".join((work.reports / name / "README.md").read_text().replace("\N{NO-BREAK SPACE}", " ").split())


def place(directory):
    return SimpleNamespace(directory=directory, home=directory / "home", reports=directory / "reports", exit_code=None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The experiment, trained and reported as it was declared first."""
    work = place(tmp_path_factory.mktemp("declared"))
    output = harness(work, "run", write(work))
    assert work.exit_code == 0, output
    assert ", exploratory" not in output and ", exploratory" not in page(work)
    return work


@pytest.fixture
def work(trained, tmp_path):
    """A copy of the trained experiment for one case."""
    shutil.copytree(trained.directory, tmp_path / "copy")
    return place(tmp_path / "copy")


def contrasts(*changes):
    """Return the declared contrasts, each with its changes."""
    return [{**contrast, **change} for contrast, change in zip(EXPERIMENT["contrasts"], changes, strict=True)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"contrasts": contrasts({"margin": 1.0}, {}, {})}, ["margin 0.5 → 1"], id="margin"),
        pytest.param({"contrasts": contrasts({}, {"side": "greater"}, {})}, ["side less → greater"], id="side"),
        pytest.param(
            {"contrasts": EXPERIMENT["contrasts"][:1]},
            [
                "removed: difference in test/error between cifar-resnet8-w4 and cifar-plain8-w4",
                "removed: difference in train/error_clean between cifar-resnet8-w4 and cifar-plain8-w4",
            ],
            id="two of three contrasts deleted",
        ),
    ],
)
def test_a_declaration_changed_after_the_report_is_flagged_with_the_first_verdict(work, changes, words):
    require_flagged(work, write(work, **changes), words)


def require_flagged(work, path, words, name="declared"):
    """Check that plan, terminal and report name each change, and that the last two show the first verdict."""
    planned, output = harness(work, "plan", path), harness(work, "run", path)
    report = page(work, name).replace("\\", "")
    assert work.exit_code == 0, output
    assert "will be exploratory" in planned
    for text in (output, report):
        assert "what is declared was changed on " in text and "Under the first declaration, of " in text
        assert ", exploratory" in text
    for word in words:
        assert word in planned and word in output and word in report


def test_the_experiment_copied_under_another_name_is_recognised(work):
    words = ["level 0.05 → 0.2", "in the report of declared"]
    require_flagged(work, write(work, COPY, name="copied", level=0.2), words, "copied")


def test_harmless_changes_are_not_flagged(work):
    reason = {"margin_reason": "Half a point is two of 359 images."}
    changed = list(reversed(contrasts(reason, {}, {})))
    path = write(work, contrasts=changed, question="Another question?", notes="Notes.", resources={"cpus": 2})
    assert "will be exploratory" not in harness(work, "plan", path)
    assert ", exploratory" not in harness(work, "run", path)
    assert "was changed on" not in page(work) and ", exploratory" not in page(work)


def test_a_changed_level_is_flagged_and_the_first_declaration_again_gives_the_first_report(work):
    first = page(work)
    require_flagged(work, write(work, level=0.2), ["level 0.05 → 0.2"])
    assert ", exploratory" not in harness(work, "run", write(work))
    assert page(work) == first


def test_a_results_csv_keeps_what_was_declared_and_shows_a_change_in_it(work):
    table = work.reports / "declared" / "results.csv"
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    study = json.loads(rows.loc[0, "study"])
    assert len(study["analyses"]) == 3 and study["declarations"][0]["level"] == 0.05
    study["experiment"]["level"] = 0.2
    rows.loc[0, "study"] = json.dumps(study)
    edited = work.directory / "edited.csv"
    rows.to_csv(edited, index=False)
    output = harness(work, "report", edited)
    assert "what is declared was changed, after results were seen on " in output and "level 0.05 → 0.2" in output
    assert "Under the first declaration" in page(work)


def test_a_record_that_may_only_be_read_shows_what_it_holds_and_takes_no_new_analysis(work, monkeypatch):
    first = page(work)
    monkeypatch.setattr("harness.tracking.checkpoint_record.os.access", lambda *arguments: False)
    with pytest.warns(UserWarning, match="may only be read"):
        harness(work, "report", "declared")
    assert page(work) == first
    stored = work.home / "studies" / "declared.json"
    study = json.loads(stored.read_text())
    study["experiment"]["level"] = 0.2
    stored.write_text(json.dumps(study))
    with pytest.raises(HarnessError, match="would be a new analysis"):
        harness(work, "report", "declared")
