"""A page of another program on this machine, in the browser of somebody who is signed in: it reads, shows and changes nothing.

To a browser another port is the same *site*, so it sends the cookie along: what holds here is not SameSite alone.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.dashboards.samples import campaign
from tests.dashboards.sender import send

pytestmark = pytest.mark.browser

TOKEN = "a full token of the tests"
ATTACK = """
async (target) => {
  const tried = {};
  const attempt = async (name, act) => { try { tried[name] = await act(); } catch (error) { tried[name] = "failed"; } };
  const score = JSON.stringify([{trace_id: target.trace, name: "pwned", value: 1}]);
  const options = {credentials: "include", method: "POST", body: score};
  const loads = (element, source) => new Promise((resolve) => {
    element.onload = () => resolve(element.naturalWidth ?? "loaded"); element.onerror = () => resolve("failed");
    element.src = source; document.body.append(element);
  });
  await attempt("read", async () => (await fetch(target.url + "/api/v1/traces", {credentials: "include"})).text());
  await attempt("plain", async () => (await fetch(target.url + "/api/v1/scores", {...options, mode: "no-cors"})).type);
  await attempt("untyped", async () =>
    (await fetch(target.url + "/api/v1/scores", {...options, mode: "no-cors", body: new Blob([score])})).type);
  await attempt("json", async () =>
    (await fetch(target.url + "/api/v1/scores", {...options, headers: {"content-type": "application/json"}})).status);
  await attempt("delete", async () =>
    (await fetch(target.url + "/api/v1/traces/" + target.trace, {credentials: "include", method: "DELETE"})).status);
  await attempt("beacon", async () => navigator.sendBeacon(target.url + "/api/v1/scores", score));
  await attempt("image", () => loads(new Image(), target.url + "/api/v1/artifacts/" + target.artifact));
  await attempt("script", () => loads(document.createElement("script"), target.url + "/static/theme-boot.js"));
  await attempt("events", () => new Promise((resolve) => {
    const events = new EventSource(target.url + "/api/v1/live", {withCredentials: true});
    events.onopen = () => resolve("open"); events.onerror = () => { events.close(); resolve("failed"); };
  }));
  return tried;
}
"""
FORM = """
target => {
  document.body.innerHTML = `<form method=post enctype=text/plain action="${target.url}/api/v1/scores">
    <input name='[{"trace_id":"${target.trace}","name":"pwned","value":1,"explanation":"' value='"}]'></form>`;
  document.forms[0].submit();
}
"""
FRAME = """
url => { const frame = document.createElement("iframe"); frame.src = url; document.body.append(frame); }
"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>elsewhere</title><body>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another program's page on another port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("token", [None, TOKEN])
def test_another_programs_page_does_nothing(
    page: Page, tmp_path: Path, elsewhere: str, complaints: list[str], token: str | None
) -> None:
    with running(CollectorSettings(home=tmp_path, port=0, token=token)) as url:
        send(url, [campaign()], token=token)
        page.goto(url)
        if token:
            page.get_by_label("Token", exact=True).fill(token)
            page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".card")).to_have_count(4)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as http:
            before = http.get("/api/v1/scores").json()
            artifact = http.get("/api/v1/images").json()["images"][0]["artifact_id"]
            page.goto(elsewhere)
            target = {"url": url, "trace": campaign().trace.trace_id, "artifact": artifact}
            tried = page.evaluate(ATTACK, target)
            for name in ("read", "json", "delete", "image", "script", "events"):
                assert tried[name] == "failed", (name, tried)
            page.evaluate(FORM, target)
            page.wait_for_url(f"{url}/api/v1/scores")
            assert json.loads(page.inner_text("pre"))["error"]["code"] == "foreign_origin"
            assert http.get("/api/v1/scores").json() == before
            assert http.get(f"/api/v1/traces/{target['trace']}").status_code == 200
        page.close()
    complaints.clear()


def test_it_cannot_frame_the_dashboard(page: Page, collector: str, elsewhere: str, complaints: list[str]) -> None:
    page.goto(elsewhere)
    page.evaluate(FRAME, collector)
    page.wait_for_timeout(1000)
    (frame,) = page.frames[1:]
    assert frame.locator("#app").count() == 0
    page.close()
    complaints.clear()
