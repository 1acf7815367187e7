"""Makes the pictures of docs/mlflow.md from a recorded experiment: look at each of them before it is committed.

harness run quickstart --set execution.log_model=true
PYTHONPATH=tests python -m e2e.screenshots quickstart        # reads .depthbench, writes docs/images
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from e2e.browsing import REPOSITORY, Page, chromium, served, until

IMAGES = REPOSITORY / "docs" / "images"
CURVES = ".js-plotly-plot .trace.scatter"
LARGEST = 250_000
TRIALS = "tags.depthbench.kind = 'trial'"


def shoot(page, name):
    """A picture, once what is drawn has come to rest."""
    from selenium.webdriver import ActionChains

    # A cursor would blink, and what the mouse is on be marked.
    page.driver.execute_script("document.activeElement.blur()")
    ActionChains(page.driver).move_by_offset(2, 2).perform()
    ActionChains(page.driver).reset_actions()
    sizes = []

    def at_rest():
        page.shoot(IMAGES / name)
        sizes.append((IMAGES / name).stat().st_size)
        return len(sizes) > 4 and len(set(sizes[-3:])) == 1

    until(at_rest)
    assert sizes[-1] < LARGEST, f"{name} has {sizes[-1]:,} bytes"
    print(f"{name}: {sizes[-1]:,} bytes")


def main(experiment):
    """All pictures: the variants, one of them, and their seeds."""
    with TemporaryDirectory() as profile, served(Path.cwd(), experiment) as ui, chromium(profile, 1500, 900) as driver:
        page = Page(driver)
        # Remembered for the pages of runs too, unlike what an address says.
        page.open(ui.partition("?")[0])
        page.press("Model training")
        page.open(ui)
        page.shows("report")
        names = [link.text for link in page.all("a") if "/runs/" in (link.get_attribute("href") or "")]
        variants = [name for name in names if name not in ("", "report")]
        page.search_charts("train/error")
        until(lambda: len(page.all(CURVES)) >= len(variants))
        shoot(page, "mlflow-variants.png")

        page.follow(variants[0])
        page.shows("seeds recorded")
        page.press("Show more")
        shoot(page, "mlflow-variant.png")

        page.open(f"{ui}&searchFilter={quote(TRIALS)}")
        page.shows("seed")
        page.press("Group by")
        until(lambda: [item for item in page.all("[role=menuitemcheckbox]") if item.text == "variant"])[0].click()
        page.shows("Group: ")
        until(lambda: len(page.all(CURVES)) >= len(variants))
        shoot(page, "mlflow-seeds.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
