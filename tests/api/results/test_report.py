"""Reports from the record, with the analyses that it keeps."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from reporting_helpers import TWO_VARIANTS, make_histories, make_results, make_study, read_files

from harness.api import Settings, report
from harness.api.results.report import record_analyses
from harness.errors import HarnessError
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.tracking.history import HISTORY_FILE
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_checkpoint_folder, open_record
from harness.tracking.results_csv import read_csv


def record_trials(settings, record, study):
    """Add every trial of the experiment that the record does not hold."""
    recorded = record.read_trials()
    for history in make_histories(study, gradients=False):
        if history.id in recorded:
            continue
        if isinstance(record, MlflowRecord):
            record.publish_history(record.create_trial_run(study, history.trial), history)
        else:
            content = pack_archive({HISTORY_FILE: history.model_dump_json().encode()})
            (open_checkpoint_folder(settings) / history.id).write(Checkpoint(1, 1).name, content)


@pytest.mark.parametrize("uri", ["none", None], ids=["checkpoint record", "SQLite"])
def test_report_on_eight_nine_and_eight_seeds_again_reproduces_each_report(tmp_path, uri):
    settings = Settings(tmp_path / "home", tracking_uri=uri, reports=tmp_path / "reports")
    record = open_record(settings, "quickstart")

    def report_on(n):
        study = make_study(**TWO_VARIANTS, seeds=list(range(10, 10 + n)))
        record.prepare_runs(study if record.is_new else study.with_looks_of(record.read_experiment()))
        record.refresh_runs()
        record_trials(settings, record, study)
        (verdict,), page = report("quickstart", settings)
        return verdict, read_files(page.parent)

    first, eight = report_on(8)
    assert first.exploratory == ""
    assert report_on(8)[1] == eight
    second, nine = report_on(9)
    assert "already computed with 8 seeds (declared then: no looks)" in second.exploratory
    page = nine["README.md"].decode()
    assert (
        ", exploratory:" in page and "already computed with 8 seeds" in page and "Under the first declaration" in page
    )
    assert "Analyses so far, and what was declared" in page
    assert report_on(9)[1] == nine
    table = tmp_path / "reports" / "quickstart" / "results.csv"
    assert [len(analysis.seeds) for analysis in read_csv(table).study.analyses] == [8, 9]
    report(str(table), replace(settings, reports=tmp_path / "from table"))
    assert read_files(tmp_path / "from table" / "quickstart") == nine
    assert report_on(8)[1] == eight
    assert ", exploratory" not in eight["README.md"].decode()
    study = open_record(settings, "quickstart").read_experiment()
    assert [len(analysis.seeds) for analysis in study.analyses] == [8, 9]


def test_report_lists_three_earlier_previews_of_other_seeds(tmp_path):
    settings = Settings(tmp_path / "home", tracking_uri="none", reports=tmp_path / "reports")
    record = open_record(settings, "quickstart")
    for first_seed, n in ((100, 7), (200, 7), (300, 7), (10, 8)):
        study = make_study(**TWO_VARIANTS, seeds=list(range(first_seed, first_seed + n)))
        record.prepare_runs(study if record.is_new else study.with_looks_of(record.read_experiment()))
        record.refresh_runs()
        record_trials(settings, record, study)
        (verdict,), page = report("quickstart", settings)
    text = page.read_text()
    assert text.count("| too few seeds |") == 3
    assert "| 100 to 106 |" in text and "| 300 to 306 |" in text
    # They were no choice among the seeds of this report, which had no preview.
    assert (verdict.exploratory, verdict.earlier_batches) == ("", ())


@pytest.mark.parametrize("n", [7, 8])
def test_record_that_may_only_be_read_gives_a_preview_but_no_new_test(n):
    results = make_results(make_study(**TWO_VARIANTS, seeds=list(range(10, 10 + n))), gradients=False)
    record = SimpleNamespace(is_read_only=True, address="a copy", read_other_analyses=list)
    if n == 7:
        assert record_analyses(results, record).study.analyses == ()
    else:
        with pytest.raises(HarnessError, match="new analysis of the results"):
            record_analyses(results, record)
