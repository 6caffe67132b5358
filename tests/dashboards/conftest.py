"""A browser, and collectors with something to see. Shared by every test that opens the dashboard."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.dashboards.samples import everything
from tests.dashboards.sender import send

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")
WAIT_MS = 20_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of an installed Chromium. Without one the tests skip, unless LYTRACE_REQUIRE_BROWSER=1 makes that a failure."""
    named = os.environ.get("LYTRACE_CHROMIUM")
    found = named if named and Path(named).is_file() else None
    found = found or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found:
        return found
    sentence = "no Chromium found: install one or name it in LYTRACE_CHROMIUM to run the browser tests"
    if os.environ.get("LYTRACE_REQUIRE_BROWSER") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser window of its own for each test: no cookies, no storage."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of during a test; a test that expects a complaint clears the list."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A page on which no script may fail, no dialog may open, and nothing may be logged as an error."""
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    yield page
    assert not complaints


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[str]:
    """URL of an empty collector."""
    with running(CollectorSettings(home=tmp_path / "home", port=0, token=None)) as url:
        yield url


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a collector that holds every sample. Shared by all tests: they do not change it."""
    home = tmp_path_factory.mktemp("studio")
    with running(CollectorSettings(home=home, port=0, token=None, lost_after_s=3600)) as url:
        send(url, everything())
        yield url
