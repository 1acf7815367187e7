"""The MLflow UI that ``harness ui`` starts, and a rendered report, in a real browser."""

import pytest
from e2e.browsing import CHROMIUM, DRIVER, Page, serve_ui, start_chromium, wait_until

VARIANTS = ["cifar-plain8-w2", "cifar-plain14-w2", "cifar-resnet8-w2", "cifar-resnet14-w2"]
CURVES = ".js-plotly-plot .trace.scatter"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="Debian's packages chromium, chromium-driver are not installed"
    ),
]


@pytest.fixture
def page(tmp_path):
    """A page in a new browser with an empty profile."""
    with start_chromium(tmp_path / "chromium") as driver:
        yield Page(driver)


@pytest.fixture
def finished_experiment(harness, experiment_file, tmp_path):
    """Run an experiment that logs its models; return the directory in which it ran."""
    done = harness("run", experiment_file(execution={"log_model": True}), "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    return tmp_path / "work"


@pytest.fixture
def ui(finished_experiment):
    """The address of the UI, started without the experiment's name, because the store holds no other."""
    with serve_ui(finished_experiment) as address:
        yield address


def test_ui_compares_variants_in_charts_and_tables(ui, page, tmp_path):
    page.open(ui)
    page.wait_for_text(*VARIANTS)
    page.save_screenshot(tmp_path / "charts.png")
    assert "Does depth help here?" in page.text, "the page begins with the question"
    assert "Not decided: " in page.text and "Undecided within this budget" in page.text, "the two lines follow"
    assert "seed 100" not in page.text, "the trials are nested under their variants, and hidden"
    assert "Agent versions" not in page.text, "the UI shows its pages for training runs"
    # The charts draw what the table shows: the variants' means. A section is drawn when the user scrolls to it.
    assert wait_until(lambda: page.scroll_to_section("train"))
    wait_until(lambda: len(page.find_all(CURVES)) >= len(VARIANTS))
    page.save_screenshot(tmp_path / "curves.png")

    page.open(ui.replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
    page.wait_for_text(*VARIANTS)
    assert "seed 100" not in page.text
    page.toggle_trials()
    page.wait_for_text("seed 100", "seed 101")
    page.save_screenshot(tmp_path / "unfolded.png")

    # A comparison of two variants shows parameters, metrics and plots. Visible trials would be compared too.
    page.toggle_trials()
    wait_until(lambda: "seed 100" not in page.text)
    for name in ("cifar-plain14-w2", "cifar-resnet14-w2"):
        page.select_run(name)
    page.press_button("Compare")
    page.wait_for_text(
        "Comparing 2 Runs from 1 Experiment", "cifar-plain14-w2", "cifar-resnet14-w2", "cost/macs", "26576"
    )
    assert "cifar-plain8-w2" not in page.text
    wait_until(lambda: page.find_all(".js-plotly-plot"))
    page.save_screenshot(tmp_path / "compare.png")


def test_ui_describes_variants_trials_and_models(ui, page, tmp_path):
    page.open(ui)
    page.follow_link("cifar-resnet14-w2")
    page.wait_for_text("residual network (identity shortcuts) of depth 14", "2 of 2 seeds recorded")
    page.wait_for_text("cifar-resnet14-w2 seed 100", "digits (")
    page.save_screenshot(tmp_path / "variant.png")
    page.follow_link("cifar-resnet14-w2 seed 100")
    page.wait_for_text("Errors after 2 epochs: ", "models:/m-")
    page.open(ui.replace("/runs?", "/models?"))
    page.wait_for_text("Models", *(f"{name} seed {seed}" for name in VARIANTS for seed in (100, 101)))
    page.save_screenshot(tmp_path / "models.png")


def test_report_in_a_markdown_viewer_shows_the_answer_and_every_figure(finished_experiment, page, tmp_path):
    from markdown_it import MarkdownIt

    report = finished_experiment / "reports" / "quick"
    html = MarkdownIt("commonmark").enable("table").render((report / "README.md").read_text())
    (report / "page.html").write_text(f"<meta charset=utf-8><body style='max-width: 60em; margin: auto'>{html}")
    page.driver.set_window_size(1200, 6000)
    page.driver.get((report / "page.html").as_uri())
    images = page.find_all("img")
    figures = sorted(path.name for path in (report / "figures").glob("*.svg"))
    assert len(figures) >= 2
    assert sorted(image.get_attribute("src").rpartition("/")[2] for image in images) == figures
    for image in images:
        # A figure that cannot be read has no natural width.
        assert image.get_property("complete") and image.get_property("naturalWidth") > 400, image.get_attribute("src")
    bold = [element.text for element in page.find_all("strong")]
    assert bold[0].startswith("Not decided: ") and bold[1].startswith("Undecided within this budget")
    assert "Limitations" in page.text and "P(A < B)" not in page.text, "all but the answer is folded"
    page.save_screenshot(tmp_path / "report.png")
