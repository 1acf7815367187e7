"""Take the pictures of docs/mlflow.md from a recorded experiment. Look at each picture before you commit it.

harness run quickstart --set execution.log_model=true
PYTHONPATH=tests python -m e2e.screenshots quickstart        # reads .depthbench, writes docs/images
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from e2e.browsing import REPOSITORY, Page, serve_ui, start_chromium, wait_until

IMAGES = REPOSITORY / "docs" / "images"
CURVES = ".js-plotly-plot .trace.scatter"
LARGEST_PICTURE = 250_000
TRIALS = "tags.depthbench.kind = 'trial'"


def take_picture(page, name):
    """Write a picture once the page does not change any more."""
    from selenium.webdriver import ActionChains

    # A cursor would blink, and the page marks the element under the mouse.
    page.driver.execute_script("document.activeElement.blur()")
    ActionChains(page.driver).move_by_offset(2, 2).perform()
    ActionChains(page.driver).reset_actions()
    sizes = []

    def is_unchanged():
        page.save_screenshot(IMAGES / name)
        sizes.append((IMAGES / name).stat().st_size)
        return len(sizes) > 4 and len(set(sizes[-3:])) == 1

    wait_until(is_unchanged)
    assert sizes[-1] < LARGEST_PICTURE, f"{name} has {sizes[-1]:,} bytes"
    print(f"{name}: {sizes[-1]:,} bytes")


def main(experiment):
    """Take all pictures: the variants, one variant, and the seeds of each."""
    with (
        TemporaryDirectory() as profile,
        serve_ui(Path.cwd(), experiment) as ui,
        start_chromium(profile, 1500, 900) as driver,
    ):
        page = Page(driver)
        # MLflow keeps this choice also for the pages of runs; a choice in the address holds for one page.
        page.open(ui.partition("?")[0])
        page.press_button("Model training")
        page.open(ui)
        page.wait_for_text("report")
        names = [link.text for link in page.find_all("a") if "/runs/" in (link.get_attribute("href") or "")]
        variants = [name for name in names if name not in ("", "report")]
        page.search_charts("train/error")
        wait_until(lambda: len(page.find_all(CURVES)) >= len(variants))
        take_picture(page, "mlflow-variants.png")

        page.follow_link(variants[0])
        page.wait_for_text("seeds recorded")
        page.press_button("Show more")
        take_picture(page, "mlflow-variant.png")

        page.open(f"{ui}&searchFilter={quote(TRIALS)}")
        page.wait_for_text("seed")
        page.press_button("Group by")
        wait_until(lambda: [item for item in page.find_all("[role=menuitemcheckbox]") if item.text == "variant"])[
            0
        ].click()
        page.wait_for_text("Group: ")
        wait_until(lambda: len(page.find_all(CURVES)) >= len(variants))
        take_picture(page, "mlflow-seeds.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
