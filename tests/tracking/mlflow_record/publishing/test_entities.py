"""Specs as parameters of MLflow."""

from harness.tracking.mlflow_record.publishing.entities import flatten_params


def test_flatten_params_names_fields_of_inner_specs_and_leaves_out_the_data_directory(study):
    params = flatten_params(study.trials[0])
    assert params["data.name"] == "digits"
    assert params["variant.widths"] == "2-4-8"
    assert "data.root" not in params
