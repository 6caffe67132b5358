"""Waiting for what no locator can express. The page's own security policy forbids Playwright's `wait_for_function`."""

import time

from playwright.sync_api import Page

PATIENCE_S = 20
PAUSE_MS = 50


def wait_until(page: Page, expression: str) -> None:
    """Return once the expression is true in the page."""
    last = time.monotonic() + PATIENCE_S
    while not page.evaluate(expression):
        assert time.monotonic() < last, f"never true: {expression}"
        page.wait_for_timeout(PAUSE_MS)
