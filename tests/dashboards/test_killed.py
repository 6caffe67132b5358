"""A recording program that is really killed, as the dashboard shows it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.faults.support import killed_at_step_17

pytestmark = [pytest.mark.browser, pytest.mark.model]


def test_a_run_that_is_killed_is_shown_as_lost_at_its_step(page: Page, collector: str, tmp_path: Path) -> None:
    """kill -9 in the 18th of 30 steps: what it had recorded comes in through its spool, with how far it came."""
    killed_at_step_17(tmp_path / "home", collector)
    page.goto(f"{collector}/#/traces")
    row = page.locator(".traces tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator(".state")).to_have_text("Lost", timeout=60_000)  # silence sends no event: the next look, 20 s later, tells
    expect(row.locator(".col-steps")).to_have_text("17/30")
    expect(row).to_contain_text("a red circle")
    row.get_by_role("link").click()
    expect(page.locator(".trace-header .state")).to_have_text("Lost")
    expect(page.get_by_text("The program stopped at step 17 of 30, before this trace ended.")).to_be_visible()
    expect(page.locator(".trace-facts").get_by_text("17/30")).to_be_visible()
    expect(page.locator(".row[data-kind='generation']")).to_have_count(1)
    page.get_by_role("link", name=re.compile("Traces")).first.click()
    page.get_by_role("button", name="Lost", exact=True).click()
    expect(row).to_have_count(1)
