"""The MLflow UI, started by ``harness ui`` and seen in a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--window-size=1600,1200"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="Debian's packages chromium, chromium-driver are not installed"
    ),
]


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(2)
    yield driver
    driver.quit()


@pytest.fixture
def served(harness, experiment_file, tmp_path):
    """A finished experiment, and ``harness ui`` on it; yields the page that it names."""
    done = harness("run", experiment_file(), "--launcher", "inline")
    assert done.returncode == 0, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "harness", "ui", "quick", "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=tmp_path / "work", env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    page = server.stdout.readline().split()[2]
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield page
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def _until(condition, seconds=60):
    """Wait for what a page shows only after its scripts have run."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("the page never showed it")


def test_the_ui_compares_variants_as_it_opens(served, browser, tmp_path):
    from selenium.webdriver.common.by import By

    def text():
        return browser.find_element(By.TAG_NAME, "body").text

    browser.get(served)
    variants = ["cifar-plain8-w2", "cifar-plain14-w2", "cifar-resnet8-w2", "cifar-resnet14-w2"]
    _until(lambda: all(name in text() for name in variants))
    browser.save_screenshot(str(tmp_path / "charts.png"))
    assert "Does depth help here?" in text(), "the question stands on top"
    assert "Undecided within this budget" in text(), "and its verdict"
    assert "seed 100" not in text(), "trials are folded under their variants"
    # Charts draw what is unfolded, the variants' mean curves; sections are drawn as they are scrolled to.
    assert _until(lambda: _section(browser, "train"))
    _until(lambda: len(browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .trace.scatter")) >= len(variants))
    browser.save_screenshot(str(tmp_path / "curves.png"))

    browser.get(served.replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
    _until(lambda: all(name in text() for name in variants))
    assert "seed 100" not in text()
    _until(lambda: browser.find_elements(By.CSS_SELECTOR, "button[data-component-id*='runnamecellrenderer']"))[
        0
    ].click()
    _until(lambda: "seed 100" in text())
    browser.save_screenshot(str(tmp_path / "unfolded.png"))


def _section(browser, name):
    """Scroll to the last section of charts that is there; whether one of that name has come."""
    from selenium.webdriver.common.by import By

    headers = browser.find_elements(By.CSS_SELECTOR, "[data-testid='experiment-view-compare-runs-section-header']")
    if headers:
        browser.execute_script("arguments[0].scrollIntoView()", headers[-1])
    return any(header.text.startswith(name) for header in headers)
