"""Looking and then adding seeds: what the record remembers, and what becomes of the verdict."""

from dataclasses import replace

import pytest

from harness.api import Settings, report, report_due
from harness.errors import HarnessError
from harness.experiments.driver import RunResult
from harness.experiments.planning.plan import make_plan, require_trainable
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.reporting.verdicts.interim_looks import add_looks
from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import HISTORY_FILE
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_checkpoint_folder
from harness.tracking.results_csv import read_csv

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
CONTRAST = {"kind": "difference", "a": A, "b": B, "metric": "test/error"}
TWO = {
    "variants": [
        {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [8, 16, 32]}}
    ],
    "recipe": {"epochs": 1, "batch": 128, "lr": 0.05},
    "contrasts": [CONTRAST],
}


@pytest.fixture
def seen(study, planted):
    """Report an experiment of ``n`` seeds after ``before``, another study; its verdict, and the study of the record."""

    def look(n, before=None, first=10, lower=1.0, **changes):
        s = study(**{**TWO, "seeds": list(range(first, first + n)), **changes}).with_looks_of(before)
        tests = {A: [3.0 + 0.1 * i for i in range(n)], B: [3.0 + lower + 0.1 * i for i in range(n)]}
        results = planted(s, tests=tests, gradients=False)
        recorded, then = add_looks(results, decide_contrasts(results))
        (verdict,) = decide_contrasts(replace(results, study=then))
        return verdict, recorded

    return look


def test_the_first_look_is_none_too_many(seen):
    verdict, record = seen(8)
    assert (verdict.state, verdict.exploratory, verdict.notes) == ("supported", "", ())
    assert [(len(look.seeds), look.declared) for look in record.looks] == [(8, ())]
    again, after = seen(8, record)
    assert (again, after.looks) == (verdict, record.looks)


def test_seeds_added_after_a_look_make_it_exploratory(seen):
    _, record = seen(8)
    verdict, record = seen(12, record)
    assert verdict.conclusion.startswith("Supported within this budget (1 epoch), exploratory: ")
    assert verdict.notes[0].startswith("Exploratory: this verdict was looked at before with 8 seeds (declared then: no")
    assert [len(look.seeds) for look in record.looks] == [8, 12]
    verdict, record = seen(16, record)
    assert "with 8 seeds (declared then: no looks) and 12 seeds (declared then: no looks)" in verdict.exploratory
    first, record = seen(8, record)
    assert first.exploratory == "", "what was seen first stays what it was"
    assert [len(look.seeds) for look in record.looks] == [8, 12, 16]


def test_fewer_seeds_after_more_are_a_choice_too(seen):
    _, record = seen(12)
    assert "with 12 seeds" in seen(8, record)[0].exploratory


def test_below_eight_seeds_nothing_was_seen(seen):
    _, record = seen(7)
    assert record.looks == ()
    assert seen(12, record)[0].exploratory == ""


@pytest.mark.parametrize(
    "other",
    [
        {"first": 100},
        {"recipe": {"epochs": 2, "batch": 128, "lr": 0.05}},
        {"contrasts": [{**CONTRAST, "metric": "train/error"}]},
    ],
)
def test_other_seeds_recipes_and_metrics_are_other_verdicts(seen, other):
    _, record = seen(8)
    verdict, record = seen(12, record, **other)
    assert (verdict.exploratory, len(record.looks)) == ("", 2)


@pytest.mark.parametrize(
    "other", [{"level": 0.01}, {"name": "renamed"}, {"contrasts": [{**CONTRAST, "a": B, "b": A, "side": "greater"}]}]
)
def test_what_was_seen_stays_seen_under_another_level_name_or_side(seen, other):
    _, record = seen(8)
    assert "with 8 seeds" in seen(12, record, **other)[0].exploratory


def test_declared_looks_share_the_level(seen):
    looks = [8, 12, 16]
    verdict, record = seen(8, looks=looks)
    assert (verdict.state, verdict.exploratory, verdict.level) == ("supported", "", pytest.approx(0.05 / 3 * 0.75))
    verdict, record = seen(12, record, looks=looks)
    assert (verdict.exploratory, len(record.looks)) == ("", 2)
    assert seen(16, record, looks=looks)[0].exploratory == ""
    stray, _ = seen(10, looks=looks)
    assert stray.exploratory == "Exploratory: looks are declared at 8, 12 and 16 seeds, and this one is at 10."


def test_looks_declared_after_looking_are_not_declared(seen):
    _, record = seen(8)
    assert "8 seeds (declared then: no looks)" in seen(12, record, looks=[8, 12])[0].exploratory
    _, record = seen(8, looks=[8, 12])
    assert "8 seeds (declared then: 8 and 12)" in seen(12, record)[0].exploratory


def test_a_share_of_the_level_decides(study, planted):
    """Seven seeds for it and the smallest difference against: 2/256 lies between the share of a look and the level."""
    s = study(**{**TWO, "seeds": list(range(8))})
    tests = {A: [1.0] * 8, B: [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.5]}
    (alone,) = decide_contrasts(planted(s, tests=tests))
    s = study(**{**TWO, "seeds": list(range(8)), "looks": [8, 16, 24, 32, 40]})
    (first,) = decide_contrasts(planted(s, tests=tests))
    assert alone.p == first.p == 2 / 256
    assert (alone.state, first.state) == ("supported", "undecided")
    assert "not established at level 0.0075" in first.conclusion


@pytest.mark.parametrize(
    ("changes", "says", "remedy"),
    [
        ({"looks": [8, 12, 16]}, "not at 10", "--seeds 8, 12 or 16"),
        ({"looks": [8, 9, 10], "level": 0.01}, "8 seeds: the smallest p is 1/2^8", "at least 9 seeds"),
        ({"level": 0.001}, "10 seeds: the smallest p is 1/2^10", "at least 11 seeds"),
    ],
)
def test_looks_that_can_never_decide_are_refused_in_the_plan(study, changes, says, remedy):
    with pytest.raises(HarnessError) as caught:
        require_trainable(study(**{**TWO, "seeds": list(range(10)), **changes}))
    assert says in caught.value.what and remedy in caught.value.remedy
    assert caught.value.where == ("looks" if "looks" in changes else "seeds")


def test_a_preview_claims_nothing_and_passes(study):
    require_trainable(study(**{**TWO, "seeds": list(range(7)), "looks": [8, 12]}))


def test_a_directional_family_is_refused_where_its_side_cannot_reach_its_share(study):
    """At eight seeds 1/256 passes 0.05 * 3/4 over nine verdicts, not over ten."""
    s = study(**{**TWO, "seeds": list(range(8))})
    contrast = s.experiment.contrasts[0]

    def family(n):
        several = tuple(contrast.model_copy(update={"smallest_effect": 1.0 + i}) for i in range(n))
        return s.model_copy(update={"experiment": s.experiment.model_copy(update={"contrasts": several})})

    require_trainable(family(9))
    with pytest.raises(HarnessError, match=r"10 verdicts at level 0\.0375 can never be reached with 8 seeds"):
        require_trainable(family(10))


def test_the_plan_warns_before_seeds_are_spent(seen, study, tmp_path):
    _, record = seen(8)
    for n, words in ((12, "looked at with 8 seeds"), (8, "")):
        s = study(**{**TWO, "seeds": list(range(10, 10 + n))}).with_looks_of(record)
        warning = make_plan(s, CheckpointRecord(tmp_path, "x", Folder.from_location(tmp_path)), Folder.from_location(tmp_path), 1).warning
        assert words in warning and bool(words) == bool(warning)


def test_a_run_that_is_stopped_takes_no_look_by_itself(study):
    stopped = RunResult(trained=9, stopped=["cifar-plain8-w8 seed 17"], ended="Ctrl-C")
    assert not report_due(study(**TWO), stopped)
    assert report_due(study(**{**TWO, "seeds": [1, 2]}), stopped)
    assert report_due(study(**{**TWO, "contrasts": []}), stopped)
    assert report_due(study(**TWO), RunResult(trained=15, failed={"cifar-plain8-w8 seed 17": "broken"}))
    one = study(**{**TWO, "seeds": [1]})
    assert not report_due(one, RunResult(stopped=[trial.label for trial in one.trials]))


def _files(directory):
    return {path.relative_to(directory): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("uri", ["none", None], ids=["journals", "SQLite"])
def test_the_record_remembers(study, planted_histories, tmp_path, uri):
    """Eight seeds, nine, eight again: each report comes out as it was first written, from the record and the table."""
    here = Settings(tmp_path / "home", tracking_uri=uri, reports=tmp_path / "reports")
    record = here.record("quickstart")

    def run(n):
        s = study(**TWO, seeds=list(range(10, 10 + n)))
        record.prepare_runs(s if n == 8 and record.is_new else s.with_looks_of(record.read_experiment()))
        record.refresh_runs()
        for history in planted_histories(s, gradients=False):
            if history.id in record.read_trials():
                continue
            if isinstance(record, MlflowRecord):
                record.publish_history(record.create_trial_run(s, history.trial), history)
            else:
                content = pack_archive({HISTORY_FILE: history.model_dump_json().encode()})
                (open_checkpoint_folder(here) / history.id).write(Checkpoint(1, 1).name, content)
        (verdict,), path = report("quickstart", here)
        return verdict, _files(path.parent)

    assert run(8)[0].exploratory == ""
    _, eight = run(8)
    verdict, nine = run(9)
    assert "with 8 seeds (declared then: no looks)" in verdict.exploratory
    readme = nine[next(path for path in nine if path.name == "README.md")].decode()
    assert ", exploratory:**" in readme and ", exploratory.**" in readme and "looked at before with 8 seeds" in readme
    assert run(9)[1] == nine
    table = tmp_path / "reports" / "quickstart" / "results.csv"
    assert [len(look.seeds) for look in read_csv(table).study.looks] == [8, 9]
    report(str(table), replace(here, reports=tmp_path / "alone"))
    assert _files(tmp_path / "alone" / "quickstart") == nine
    assert run(8)[1] == eight
    assert "exploratory" not in eight[next(path for path in eight if path.name == "README.md")].decode().split("##")[1]
    assert [len(look.seeds) for look in here.record("quickstart").read_experiment().looks] == [8, 9]
