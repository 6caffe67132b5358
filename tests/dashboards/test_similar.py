"""Finding by image: from an image at hand, by a file that is chosen, by one that is dropped."""

import base64
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.waiting import wait_until

pytestmark = pytest.mark.browser


def stored_picture(studio: str) -> bytes:
    """The bytes of the newest image of the campaign."""
    image = httpx.get(f"{studio}/api/v1/images", params={"q": "fjord"}).json()["images"][0]
    return httpx.get(f"{studio}/api/v1/artifacts/{image['artifact_id']}").content


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    """Drop a file on the page, as a file manager does."""
    page.evaluate(
        """([name, kind, text]) => {
            const bytes = Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: kind }));
            for (const type of ["dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried }));
        }""",
        [name, kind, base64.b64encode(content).decode()],
    )


def test_similar_images_from_the_lightbox(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/images?q=fjord")
    page.locator(".tile").first.click()
    page.get_by_role("link", name="Find similar images").click()
    expect(page.get_by_role("heading", name="Images like this one")).to_be_visible()
    expect(page.locator(".card").first).to_contain_text("The same file")
    expect(page.get_by_role("status").filter(has_text="very picture")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/similar\?artifact_id=sha256"))
    page.get_by_role("button", name="Same", exact=True).click()
    expect(page.locator(".card")).to_have_count(1)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog", name="Image")).to_be_visible()


def test_an_image_dropped_on_the_gallery_is_found(page: Page, studio: str) -> None:
    content = stored_picture(studio)
    page.goto(studio)
    expect(page.locator(".card").first).to_be_visible()
    drop(page, "fjord.webp", "image/webp", content)
    expect(page.locator(".card").first).to_contain_text("The same file")
    expect(page.get_by_role("img", name="The image that is looked for")).to_be_visible()
    wait_until(page, "document.querySelector('.asked canvas').getContext('2d').getImageData(9, 9, 1, 1).data[3] === 255")
    expect(page).to_have_url(re.compile("phash="))
    page.reload()  # the address holds the hashes, not the file
    expect(page.locator(".card").first).to_contain_text("The same file")


def test_an_image_is_chosen(page: Page, studio: str, tmp_path: Path) -> None:
    (tmp_path / "mine.webp").write_bytes(stored_picture(studio))
    page.goto(studio)
    expect(page.locator(".card").first).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Find by image").click()
    chooser.value.set_files(tmp_path / "mine.webp")
    expect(page.locator(".card").first).to_contain_text("The same file")


def test_what_is_no_image_is_refused_in_a_sentence(page: Page, studio: str, complaints: list[str]) -> None:
    page.goto(studio)
    expect(page.locator(".card").first).to_be_visible()
    drop(page, "evil.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>window.pwned = 1</script></svg>")
    expect(page.get_by_role("alert")).to_contain_text("no picture")
    assert page.evaluate("window.pwned") is None
    assert all("415" in complaint for complaint in complaints)
    complaints.clear()


def test_an_image_like_none(page: Page, collector: str) -> None:
    page.goto(f"{collector}/#/similar?phash=0123456789abcdef")
    expect(page.get_by_role("status").filter(has_text="Nothing here looks like it")).to_be_visible()


def test_an_address_that_asks_for_nothing(page: Page, collector: str, complaints: list[str]) -> None:
    page.goto(f"{collector}/#/similar")
    expect(page.get_by_role("alert")).to_contain_text("artifact_id")
    assert all("422" in complaint for complaint in complaints)
    complaints.clear()
