"""The MLflow UI, started by ``harness ui``, and the report as a page, seen in a real browser."""

import pytest
from e2e.browsing import CHROMIUM, DRIVER, Page, chromium, served, until

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
    with chromium(tmp_path / "chromium") as driver:
        yield Page(driver)


@pytest.fixture
def finished(harness, experiment_file, tmp_path):
    """A finished experiment with its models; returns where it ran."""
    done = harness("run", experiment_file(execution={"log_model": True}), "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    return tmp_path / "work"


@pytest.fixture
def ui(finished):
    """``harness ui`` on it, without its name: it is the only one; the address that it prints."""
    with served(finished) as address:
        yield address


def test_the_ui_compares_variants(ui, page, tmp_path):
    page.open(ui)
    page.shows(*VARIANTS)
    page.shoot(tmp_path / "charts.png")
    assert "Does depth help here?" in page.text, "the question stands on top"
    assert "Undecided within this budget" in page.text, "and its verdict"
    assert "seed 100" not in page.text, "trials are folded under their variants"
    assert "Agent versions" not in page.text, "these are training runs and models"
    # Charts draw what is unfolded, the variants' mean curves; sections are drawn as they are scrolled to.
    assert until(lambda: page.section("train"))
    until(lambda: len(page.all(CURVES)) >= len(VARIANTS))
    page.shoot(tmp_path / "curves.png")

    page.open(ui.replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
    page.shows(*VARIANTS)
    assert "seed 100" not in page.text
    page.unfold()
    page.shows("seed 100", "seed 101")
    page.shoot(tmp_path / "unfolded.png")

    # Two variants side by side: what they are, what came out, and plots of it. Unfolded, one's trials would come along.
    page.unfold()
    until(lambda: "seed 100" not in page.text)
    for name in ("cifar-plain14-w2", "cifar-resnet14-w2"):
        page.select(name)
    page.press("Compare")
    page.shows("Comparing 2 Runs from 1 Experiment", "cifar-plain14-w2", "cifar-resnet14-w2", "cost/macs", "26576")
    assert "cifar-plain8-w2" not in page.text
    until(lambda: page.all(".js-plotly-plot"))
    page.shoot(tmp_path / "compare.png")


def test_a_variant_and_the_models_can_be_read(ui, page, tmp_path):
    page.open(ui)
    page.follow("cifar-resnet14-w2")
    page.shows("residual network (identity shortcuts) of depth 14", "2 of 2 seeds recorded")
    page.shows("cifar-resnet14-w2 seed 100", "digits (")
    page.shoot(tmp_path / "variant.png")
    page.follow("cifar-resnet14-w2 seed 100")
    page.shows("Error after 2 epochs: ", "models:/m-")
    page.open(ui.replace("/runs?", "/models?"))
    page.shows("Models", *(f"{name} seed {seed}" for name in VARIANTS for seed in (100, 101)))
    page.shoot(tmp_path / "models.png")


def test_the_report_shows_every_figure(finished, page, tmp_path):
    """Rendered by a plain Markdown viewer."""
    from markdown_it import MarkdownIt

    report = finished / "reports" / "quick"
    html = MarkdownIt("commonmark").enable("table").render((report / "README.md").read_text())
    (report / "page.html").write_text(f"<meta charset=utf-8><body style='max-width: 60em; margin: auto'>{html}")
    page.driver.set_window_size(1200, 6000)
    page.driver.get((report / "page.html").as_uri())
    images = page.all("img")
    figures = sorted(path.name for path in (report / "figures").glob("*.svg"))
    assert len(figures) >= 2
    assert sorted(image.get_attribute("src").rpartition("/")[2] for image in images) == figures
    for image in images:
        # What cannot be read has no width of its own.
        assert image.get_property("complete") and image.get_property("naturalWidth") > 400, image.get_attribute("src")
    page.shoot(tmp_path / "report.png")
