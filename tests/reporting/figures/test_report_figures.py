"""Which figures a report has. Their look is for eyes."""

import subprocess
import sys

import pandas as pd
import pytest
from reporting_helpers import make_results, make_study

from harness.reporting.figures.report_figures import FIGURE_NAMES, draw_figures
from harness.reporting.page.report import write_report
from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.results_csv import read_csv, write_csv
from harness.tracking.results_table import LAYERS_COLUMN

DIFFERENCE = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}


def test_figures_of_the_quickstart_are_in_the_order_of_the_report(quickstart):
    names = list(draw_figures(quickstart, decide_contrasts(quickstart)))
    assert names == ["depth", "costs", "effects", "curves", "layers", "gradients"]
    assert names == [name for name in FIGURE_NAMES if name in names]


def test_variants_of_one_depth_have_a_row_each():
    study = make_study(variants=[{"family": "cifar-resnet", "depth": 8}], contrasts=[])
    figures = draw_figures(make_results(study))
    assert "variants" in figures and "depth" not in figures


@pytest.mark.parametrize(
    ("contrasts", "has_effects"),
    [([DIFFERENCE], False), ([DIFFERENCE, {**DIFFERENCE, "metric": "test/error", "side": "two-sided"}], True)],
    ids=["one component", "two components"],
)
def test_effects_have_a_figure_from_two_components_on(contrasts, has_effects):
    results = make_results(make_study(contrasts=contrasts))
    assert ("effects" in draw_figures(results, decide_contrasts(results))) is has_effects


def test_a_contrast_without_values_has_no_figure_of_effects():
    study = make_study()
    missing = [(variant.name, seed) for variant in study.variants[1:] for seed in study.experiment.seeds]
    results = make_results(study, missing=missing)
    assert "effects" not in draw_figures(results, decide_contrasts(results))


def test_layers_are_drawn_where_all_trials_of_a_variant_diverged():
    results = make_results(make_study(), diverged=[("cifar-plain32-w8", seed) for seed in range(10, 18)])
    assert "layers" in draw_figures(results)


def test_an_older_table_without_layer_profiles_has_no_figure_of_layers(quickstart, tmp_path):
    path = tmp_path / "results.csv"
    write_csv(quickstart, path)
    pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=LAYERS_COLUMN).to_csv(path, index=False)
    older = read_csv(path)
    assert set(draw_figures(older)) == set(draw_figures(quickstart)) - {"layers"}
    write_report(older, tmp_path / "report")
    page = (tmp_path / "report" / "README.md").read_text()
    assert "responses" in page and "layers.svg" not in page


def test_drawing_needs_no_torch_ray_mlflow_or_pyplot():
    code = (
        "import sys, harness.reporting.page.report, harness.reporting.figures.report_figures; "
        "print(sorted({'torch', 'ray', 'mlflow', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
