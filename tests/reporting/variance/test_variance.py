"""The table, the answer and the figure of a crossed design, from results with known components."""

import numpy as np
import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.diff.results_diff import compare_results
from harness.reporting.figures.training_curves import draw_training_curves
from harness.reporting.formatting import format_interval
from harness.reporting.page.mlflow_descriptions import describe_variants
from harness.reporting.page.report import render_report
from harness.reporting.variance.analysis import analyse_variance, largest_source
from harness.reporting.variance.figure import draw_variance, has_variance_figure
from harness.reporting.variance.mean_error import estimate_error
from harness.reporting.variance.section import answer_variance, build_variance_section
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR, TEST_ERROR
from harness.tracking.results_csv import read_csv, write_csv

SOURCES = ["initialisation", "order", "split"]
PLAIN, RESIDUAL = "cifar-plain8-w8", "cifar-resnet8-w8"


def study_of(repeats=2, **changes):
    design = {"sources": SOURCES, "levels": 4, "repeats": repeats}
    return make_study(
        **{**TWO_VARIANTS, "contrasts": [], "variance": design, "seeds": list(range(repeats * 16)), **changes}
    )


def plant(study, residual=0.05, **sds):
    """Return results in which each source adds a normal term of this standard deviation to the test error."""
    design, rng = study.experiment.variance, np.random.default_rng(2)
    effects = {source: rng.normal(0, sds.get(source, 0.0), 64) for source in SOURCES}
    errors = [
        10 + rng.normal(0, residual) + sum(effects[s][seed] for s, seed in design.seeds(run).items() if s in SOURCES)
        for run in range(design.runs)
    ]
    flat = [1.0] * design.runs
    return make_results(
        study, {PLAIN: flat, RESIDUAL: flat}, test_errors={PLAIN: errors, RESIDUAL: [e / 2 for e in errors]}
    )


@pytest.fixture(scope="module")
def results():
    return plant(study_of(), split=1.0, order=0.3)


def test_analysis_finds_the_planted_components(results):
    plain, residual = (row.components for row in analyse_variance(results) if row.metric == TEST_ERROR)
    assert plain.runs == 32
    assert plain.freedom == (6, 12)
    for source, sd in {"initialisation": 0.0, "order": 0.3, "split": 1.0}.items():
        component = plain.sources[SOURCES.index(source)]
        assert component.low <= sd <= component.high
    assert [c.sd / 2 for c in plain.sources] == pytest.approx([c.sd for c in residual.sources])
    assert largest_source(results.study.experiment.variance, plain)[0] == "split"


def test_analysis_has_a_row_for_each_measured_error_and_variant(results):
    keys = [(row.metric, row.variant) for row in analyse_variance(results)]
    metrics = (TEST_ERROR, CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR)
    assert keys == [(metric, variant) for metric in metrics for variant in (PLAIN, RESIDUAL)]


def test_experiment_without_a_crossed_design_has_no_section(quickstart):
    assert analyse_variance(quickstart) == []
    assert build_variance_section(quickstart) == {"variance_rows": []}
    assert answer_variance(quickstart) is None
    assert not has_variance_figure(quickstart)


def test_incomplete_block_is_left_out_and_said():
    study = study_of()
    whole = plant(study, split=1.0)
    partial = make_results(study, missing=[(PLAIN, 20)])
    row = analyse_variance(partial)[0]
    assert row.components.runs == 16
    assert build_variance_section(partial)["variance_incomplete"]
    assert not build_variance_section(whole)["variance_incomplete"]
    none = make_results(study, missing=[(v, run) for v in (PLAIN, RESIDUAL) for run in (3, 20)])
    assert {row.components for row in analyse_variance(none)} == {None}
    assert answer_variance(none)[0].startswith("No block of the crossed design is complete")
    assert not has_variance_figure(none)


def test_answer_without_an_established_largest_source_says_so(results):
    """With 8 seeds of each source, the intervals of split and order overlap."""
    found, certainty = answer_variance(results)
    assert found.startswith(
        "Not decided: which source moves the test error most; the split has the largest estimate, in cifar-plain8-w8 ("
    )
    assert found.count("of the variance)") == 2
    assert certainty.startswith("Estimated from 32 trials of each variant, with 8 seeds of each source.")


def test_answer_names_the_source_whose_interval_lies_above_all_others():
    found, _ = answer_variance(plant(study_of(), split=1.0))
    assert found.startswith("The split moves the test error most in cifar-plain8-w8 (")


def test_answer_without_spread_names_no_source():
    study = study_of(repeats=1)
    flat = {PLAIN: [5.0] * 16, RESIDUAL: [5.0] * 16}
    found, _ = answer_variance(make_results(study, flat, test_errors=flat))
    assert found == "No single source measurably moves the test error in cifar-plain8-w8 and cifar-resnet8-w8."


def test_report_of_a_crossed_design_shows_its_table_and_figure(results):
    page = render_report(results, [], ["variance"])
    assert "| Variant | Error | Mean, % | Initialisation | Order | Split | Together | All |" in page
    assert page.count("figures/variance.svg") == 1
    assert "**Not decided: which source moves the test error most; the split has the largest estimate" in page
    assert "split seed: a seed of the crossed design" in page
    assert "2 orthogonal arrays of 16 trials of each variant" in page


def test_intervals_of_a_crossed_design_are_those_of_its_components_everywhere(results):
    """Thirty-two trials with eight seeds of each source: an interval over the trials would be half as wide."""
    study, final = results.study, results.final
    for row in analyse_variance(results):
        variant = next(v for v in study.variants if v.name == row.variant)
        error = estimate_error(study, final, variant, row.metric)
        low, high = max(row.components.low, 0.0), row.components.high
        if row.components.total == 0:
            continue
        assert (error.interval.low, error.interval.high) == (low, high)
        metrics = describe_variants(results, [])[row.variant].metrics
        name = row.metric.replace("/", "_")
        assert (metrics[f"seeds/low_{name}"], metrics[f"seeds/high_{name}"]) == (low, high)
        if row.metric == TEST_ERROR:
            assert high - low > 1.5 * (error.estimate.high - error.estimate.low)
            page = render_report(results, [], ["variance", "variants", "curves"]).replace("\N{NO-BREAK SPACE}", " ")
            # In the table of components and in that of errors.
            assert page.count(f"[{format_interval(low, high)}]") == 2


def test_page_of_a_crossed_design_shows_no_interval_over_trials(results):
    page = render_report(results, [], ["variance", "variants", "curves"])
    assert "% t interval" not in page.replace("\N{NO-BREAK SPACE}", " ")
    assert page.count("takes into account that trials share seeds") == 2
    assert "all intervals on this page take that into account" in page


def test_diff_of_a_crossed_design_says_that_its_intervals_are_too_narrow(results, quickstart):
    text = "share seeds. The tests count them as independent"
    assert any(text in note for note in compare_results(results, results).notes)
    assert not any(text in note for note in compare_results(quickstart, quickstart).notes)


def test_curves_of_a_crossed_design_have_no_bands(results, quickstart):
    from matplotlib.figure import Figure

    for drawn, has_bands in ((results, False), (quickstart, True)):
        figure = Figure(figsize=(9, 3), layout="constrained")
        draw_training_curves(figure, drawn)
        assert any(axes.collections for axes in figure.axes) is has_bands


def test_crossed_design_shows_no_interval_before_all_its_trials_are_recorded():
    study = study_of()
    final = make_results(study, missing=[(PLAIN, 20)]).final
    plain, residual = study.variants
    assert estimate_error(study, final, plain, TEST_ERROR).interval is None
    assert estimate_error(study, final, residual, TEST_ERROR).interval is not None


def test_figure_of_a_crossed_design_names_its_sources_and_variants(results):
    from matplotlib.figure import Figure

    assert has_variance_figure(results)
    figure = Figure(figsize=(9, 3), layout="constrained")
    draw_variance(figure, results)
    first = figure.axes[0]
    assert [axes.get_title() for axes in figure.axes] == [
        METRICS[key].label for key in (TEST_ERROR, CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR)
    ]
    assert [label.get_text() for label in first.get_yticklabels()] == ["Initialisation", "Order", "Split", "Together"]
    # A bar and a point for each variant and row.
    assert len(first.lines) == 2 * 2 * 4
    components = analyse_variance(results)[0].components
    assert list(first.lines[0].get_xdata()) == [components.sources[0].low, components.sources[0].high]


def test_results_csv_of_a_crossed_design_has_the_seed_of_each_source_and_reads_back(results, tmp_path):
    write_csv(results, tmp_path / "results.csv")
    lines = (tmp_path / "results.csv").read_text().splitlines()
    header = lines[0].split(",")
    columns = [header.index(f"{source}_seed") for source in ("initialisation", "order", "augmentation", "split")]
    design = results.study.experiment.variance
    cells = lines[1 + 5].split(",")
    run = int(cells[header.index("seed")])
    expected = design.seeds(run) | {"augmentation": run}
    assert [int(cells[column]) for column in columns] == list(expected.values())
    again = read_csv(tmp_path / "results.csv")
    assert build_variance_section(again) == build_variance_section(results)
