"""The MLflow UI in headless Chromium: started by ``harness ui``, and the few things that a user does in it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
REPOSITORY = Path(__file__).resolve().parents[2]
EXPAND = "button[data-component-id*='runnamecellrenderer']"
ASSISTANT = "[data-component-id='mlflow.assistant.chat_panel.close']"


def until(condition, seconds=60, told=lambda: ""):
    """Wait for what a page shows only after its scripts have run; ``told`` says more where it never does."""
    from selenium.common.exceptions import StaleElementReferenceException

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except StaleElementReferenceException:
            # What was found was drawn anew meanwhile.
            pass
        time.sleep(0.5)
    raise AssertionError(f"the page never showed it: {told()}")


@contextmanager
def chromium(profile, width=1600, height=1200):
    """A driver of Debian's Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(2)
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def served(directory, *options):
    """``harness ui`` with these options, in that directory; gives the address that it prints, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "harness", "ui", *map(str, options), "--port", str(port)],
        cwd=directory,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    page = server.stdout.readline().split()[2]
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield page
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


class Page:
    """What a driver shows, and what a user does with it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Go there; MLflow's assistant, which takes a quarter of the page, is closed."""
        self.driver.get(address)
        until(lambda: self.all("button"))
        for button in self.all(ASSISTANT):
            button.click()

    def all(self, selector):
        """Elements, by CSS."""
        from selenium.webdriver.common.by import By

        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    @property
    def text(self):
        """All that can be read."""
        (body,) = self.all("body")
        return body.text

    def shows(self, *words):
        """Wait until all of the words can be read."""
        until(lambda: all(word in self.text for word in words), told=lambda: f"{words} in {self.text}")

    def section(self, name):
        """Scroll to the last section of charts that is there; whether one of that name has come."""
        headers = self.all("[data-testid='experiment-view-compare-runs-section-header']")
        if headers:
            self.driver.execute_script("arguments[0].scrollIntoView()", headers[-1])
        return any(header.text.startswith(name) for header in headers)

    def search_charts(self, words):
        """Leave only the charts whose names match."""
        until(lambda: self.all("input[placeholder='Search metric charts']"))[0].send_keys(words)

    def unfold(self, number=0):
        """Show the trials of a variant, counted from the top."""
        until(lambda: self.all(EXPAND))[number].click()

    def select(self, name):
        """Tick the box of a run."""

        def box():
            for row in self.all(".ag-row"):
                if name in row.text.splitlines():
                    return self.all(f".ag-row[row-index='{row.get_attribute('row-index')}'] .ag-checkbox-input")
            return []

        until(box)[0].click()

    def press(self, words):
        """Press the button that says so."""
        until(lambda: [button for button in self.all("button, [role=button]") if button.text == words])[0].click()

    def follow(self, words):
        """Follow the link that says so."""
        until(lambda: [link for link in self.all("a") if link.text == words])[0].click()

    def shoot(self, path):
        """A picture of what is seen."""
        self.driver.save_screenshot(str(path))
