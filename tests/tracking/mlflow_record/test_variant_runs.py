"""The run of each variant: its trials nested under it, means over seeds, a report's description."""

from tracking.helpers import make_history, publish_all, read_metric

from harness.tracking.mlflow_record.descriptions import VariantDescription
from harness.tracking.mlflow_record.tags import NOTE_TAG


def histories_of(variant, histories):
    return [history for history in histories if history.trial.variant.name == variant.name]


def find_run(record, variant):
    (run,) = [run for run in record.list_runs("variant") if run.data.tags["variant"] == variant.name]
    return run


def test_variant_runs_hold_the_means_and_have_their_trials_nested(record, study):
    histories = publish_all(record, study)
    for variant in study.variants:
        record.write_seed_means(study, variant, histories_of(variant, histories))
    record.refresh_runs()
    variants = {run.info.run_id: run for run in record.list_runs("variant")}
    assert {run.data.tags["variant"] for run in variants.values()} == {v.name for v in study.variants}
    assert len(record.list_runs("trial")) == 4
    for run in record.list_runs("trial"):
        parent = variants[run.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["variant"] == run.data.tags["variant"]
        assert run.data.params["variant.widths"] == "2-4-8"
        assert run.inputs.dataset_inputs[0].dataset.name == "digits"
    for run in variants.values():
        assert run.data.params["variant.widths"] == "2-4-8"
        assert run.inputs.dataset_inputs[0].dataset.digest == study.data.fingerprint
        assert [row[:2] for row in read_metric(record, run.info.run_id, "train/error")] == [(1, 50.5), (2, 25.5)]
        assert run.data.metrics["seeds/n"] == 2
        assert run.info.status == "FINISHED"


def test_variant_run_after_more_seeds_is_replaced_and_keeps_its_trials(record, study):
    variant = study.variants[0]
    histories = histories_of(variant, publish_all(record, study))
    for some in (histories[:1], histories):
        record.write_seed_means(study, variant, some)
        record.refresh_runs()
    run = find_run(record, variant)
    assert [row[1] for row in read_metric(record, run.info.run_id, "train/error")] == [50.5, 25.5]
    children = [child for child in record.list_runs("trial") if child.data.tags["variant"] == variant.name]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {run.info.run_id}


def test_variant_run_after_a_rerun_of_the_same_seeds_has_the_new_means(sqlite_record, study):
    variant = study.variants[0]
    histories = histories_of(variant, publish_all(sqlite_record, study))
    sqlite_record.write_seed_means(study, variant, histories)
    sqlite_record.refresh_runs()
    sqlite_record.write_seed_means(study, variant, [make_history(h.trial, offset=20) for h in histories])
    sqlite_record.refresh_runs()
    assert find_run(sqlite_record, variant).data.metrics["train/error"] == 45


def test_describe_variants_replaces_the_description_and_sends_each_number_once(record, study):
    first, second = study.variants
    description = VariantDescription("**It** is deep.", {"seeds/low_test_error": 8.5, "bench/latency_s": 1 / 3})
    for _ in range(2):
        record.refresh_runs()
        record.describe_variants(study, {first.name: description})
    record.refresh_runs()
    run = find_run(record, first)
    assert run.data.tags[NOTE_TAG] == "**It** is deep."
    assert [row[:2] for row in read_metric(record, run.info.run_id, "bench/latency_s")] == [(0, 1 / 3)]
    other_note = find_run(record, second).data.tags[NOTE_TAG]
    assert other_note.startswith(f"**{second.name}**: residual network (identity shortcuts)")
    record.describe_variants(study, {first.name: VariantDescription("again", {"bench/latency_s": 0.25})})
    assert record.client.get_run(run.info.run_id).data.metrics["bench/latency_s"] == 0.25
