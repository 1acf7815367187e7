"""Start the MLflow UI with ``harness ui`` and operate it in headless Chromium as a user does."""

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
CHROMIUM_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHROMIUM_FLAGS += ["--disable-background-networking", "--disable-component-update"]
REPOSITORY = Path(__file__).resolve().parents[2]
EXPAND_BUTTON = "button[data-component-id*='runnamecellrenderer']"
CLOSE_ASSISTANT_BUTTON = "[data-component-id='mlflow.assistant.chat_panel.close']"


def wait_until(condition, seconds=60, describe=lambda: ""):
    """Wait until ``condition()`` is true and return its value, because scripts change a page after it has loaded.

    Args:
        describe: Returns the details that the failure message adds.
    """
    from selenium.common.exceptions import StaleElementReferenceException

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except StaleElementReferenceException:
            # The page has replaced the element meanwhile.
            pass
        time.sleep(0.5)
    raise AssertionError(f"the condition was not met within {seconds} s: {describe()}")


@contextmanager
def start_chromium(profile, width=1600, height=1200):
    """Start Debian's Chromium with an empty profile; yield its driver."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*CHROMIUM_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(2)
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def serve_ui(directory, *options):
    """Run ``harness ui`` with some options in a directory; yield the address that it prints, once the UI answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
    address = server.stdout.readline().split()[2]
    try:
        wait_until(lambda: is_healthy(port), seconds=120)
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def is_healthy(port):
    """Return whether an MLflow server answers on a loopback port."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
    except OSError:
        return False
    return True


class Page:
    """The page in a browser, with the actions of a user on it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Open an address, and close MLflow's assistant, which covers a quarter of the page."""
        self.driver.get(address)
        wait_until(lambda: self.find_all("button"))
        for button in self.find_all(CLOSE_ASSISTANT_BUTTON):
            button.click()

    def find_all(self, selector):
        """Return the elements that match a CSS selector."""
        from selenium.webdriver.common.by import By

        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    @property
    def text(self):
        """The text that a user can read."""
        (body,) = self.find_all("body")
        return body.text

    def wait_for_text(self, *words):
        """Wait until the page shows all of the words."""
        wait_until(lambda: all(word in self.text for word in words), describe=lambda: f"{words} in {self.text}")

    def scroll_to_section(self, name):
        """Scroll to the last section of charts so far; return whether a section of this name has appeared."""
        headers = self.find_all("[data-testid='experiment-view-compare-runs-section-header']")
        if headers:
            self.driver.execute_script("arguments[0].scrollIntoView()", headers[-1])
        return any(header.text.startswith(name) for header in headers)

    def search_charts(self, words):
        """Show only the charts whose names match."""
        wait_until(lambda: self.find_all("input[placeholder='Search metric charts']"))[0].send_keys(words)

    def toggle_trials(self, number=0):
        """Show or hide the trials of a variant; the variants are counted from the top."""
        wait_until(lambda: self.find_all(EXPAND_BUTTON))[number].click()

    def select_run(self, name):
        """Tick the box of a run."""

        def find_box():
            for row in self.find_all(".ag-row"):
                if name in row.text.splitlines():
                    return self.find_all(f".ag-row[row-index='{row.get_attribute('row-index')}'] .ag-checkbox-input")
            return []

        wait_until(find_box)[0].click()

    def press_button(self, words):
        """Press the button with this text."""
        wait_until(lambda: [button for button in self.find_all("button, [role=button]") if button.text == words])[
            0
        ].click()

    def follow_link(self, words):
        """Follow the link with this text."""
        wait_until(lambda: [link for link in self.find_all("a") if link.text == words])[0].click()

    def save_screenshot(self, path):
        """Write a picture of the visible part of the page."""
        self.driver.save_screenshot(str(path))
