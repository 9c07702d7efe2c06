"""A real browser for tests of pages: Debian's Chromium without a screen, driven by selenium.

`apt-get install chromium chromium-driver` brings both; where there is none the tests skip.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


def headless() -> Iterator[Any]:
    """The browser, without a network: a page that asked for something would show an error."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no browser here: apt-get install chromium chromium-driver brings one")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    # No sandbox: tests run as root.
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    yield driver
    driver.quit()


def resize(browser: Any, width: int, mobile: bool = False) -> None:
    """The width of the window."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile},
    )


def inaccessible(browser: Any) -> list[tuple[str, list[str]]]:
    """What axe-core finds on the page, by all of WCAG 2.1 AA and its best practices; contrast among them."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    browser.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then(done, (e) => done(String(e)))"
    )
    assert len(found["passes"]) > 20
    return [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in found["violations"]]
