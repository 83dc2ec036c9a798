"""A browser for the tests of the report: Chromium without a window, and a page in it as a person sees it.

Needs Chromium and its driver (Debian: `apt-get install chromium chromium-driver`) and selenium.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


def missing(what: str) -> None:
    """Fail in CI, where the browser has to be installed; skip the test elsewhere."""
    problem = f"no browser, no test of the report: {what}"
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing("there is no chromium or no chromedriver on the PATH")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing("selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--force-prefers-reduced-motion"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    found.set_script_timeout(120)
    yield found
    found.quit()


class Page:
    """A report in the browser, as a person sees it."""

    def __init__(self, chrome: Chrome, path: Path) -> None:
        self.chrome = chrome
        self.log("browser")
        self.log("performance")
        chrome.set_window_size(1400, 1000)
        chrome.get(path.as_uri())
        self.wait("return document.documentElement.dataset.ready !== undefined")

    def log(self, kind: str) -> list[dict[str, Any]]:
        """The entries since the last call."""
        return list(self.chrome.get_log(kind))  # type: ignore[no-untyped-call]

    def run(self, program: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(program, *arguments)

    def wait(self, program: str, *arguments: Any) -> Any:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            found = self.run(program, *arguments)
            if found:
                return found
            time.sleep(0.03)
        raise AssertionError(f"never came true: {program}")

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.chrome.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        found = self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)
        return list(found)

    @property
    def rows(self) -> list[str]:
        return self.texts(".runs tbody .run-name")

    def header(self, key: str) -> WebElement:
        return self.one(f".runs th[data-key='{key}']")

    def filter(self, text: str) -> list[str]:
        box = self.one("#filter")
        self.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", box, text)
        return self.rows

    def select(self, *labels: str) -> None:
        """Select only these runs."""
        self.press("Select none")
        for label in labels:
            self.run(
                "[...document.querySelectorAll('.runs tbody tr:not(.section)')]"
                ".find(row => row.querySelector('.run-name').textContent === arguments[0])"
                ".querySelector('input').click()",
                label,
            )
        self.settle()

    def press(self, text: str) -> None:
        self.run("[...document.querySelectorAll('button')].find(b => b.textContent === arguments[0]).click()", text)
        self.settle()

    def tick(self, section: str, text: str) -> None:
        """A box or a button by its label."""
        program = "[...document.querySelectorAll(arguments[0])].find(l => l.textContent === arguments[1]).click()"
        self.run(program, f"#{section} label", text)
        self.settle()

    def go_to(self, section: str) -> None:
        self.settle()
        self.run("document.getElementById(arguments[0]).scrollIntoView()", section)
        self.settle()

    def settle(self) -> None:
        """Wait until everything has been drawn."""
        self.chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        self.wait("return !document.documentElement.hasAttribute('data-drawing')")
        self.chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def pixels(self, selector: str) -> list[int]:
        """The red channel of a canvas, as soon as it is drawn."""
        program = (
            "const c = document.querySelector(arguments[0]);"
            "const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
            "copy.drawImage(c, 0, 0);"
            "const data = [...copy.getImageData(0, 0, c.width, c.height).data];"
            "return data[3] === 255 && data.filter((value, place) => place % 4 === 0)"
        )
        return list(self.wait(program, selector))

    def complaints(self) -> list[str]:
        return [str(entry["message"]) for entry in self.log("browser") if entry["level"] != "INFO"]
