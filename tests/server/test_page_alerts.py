"""Alerts and briefs on the page, in a real Chromium."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.server import browser as chrome
from tests.server.browser import DELETE
from tests.server.conftest import Opener
from tests.server.running import Running
from trinch.posts.schema import Created, Post
from trinch.posts.times import now
from trinch.store.store import Store

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())

THEN = "2026-03-18T20:00:00Z"
TRIGGERS = ("match", "burst", "story", "number", "denial", "silence")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server without a post, in which alerts may be saved."""
    data = tmp_path_factory.mktemp("alerts") / "store"
    Store.open(data).close()
    with Running(data) as running:
        yield running


def _post(data: Path, id: str, text: str) -> None:
    at, store = now(), Store.open(data)
    post = Post(
        network="n", id=id, created_at=at, text=text, author="gull", url=f"https://sample.example/{id}"
    )
    store.ingest([Created(at=at, network="n", post=post)])
    store.close()


def _options(page: Any) -> list[str]:
    return [
        field.get_attribute("name") for field in page.locator("#add label:visible :is(input, select)").all()
    ]


def test_an_alert_is_added_tested_fires_and_is_removed(tab: Opener, own: Running) -> None:
    one = tab(own.url)
    page = one.open("/alerts")
    page.wait_for_selector("#new[open]")
    assert "No alerts yet" in page.locator("#feed").inner_text()
    assert one.axe() == ""
    page.fill("[name=topic]", "ferry in the fog")
    page.fill("[name=query]", "-filter:retweets")
    page.press("[name=query]", "Enter")
    page.wait_for_selector("#alerts .actions")
    assert "Alert saved: ferry in the fog" in page.locator("#added").inner_text()
    assert "undefined" not in page.locator("main").inner_text()
    saved = own.get("/v1/alerts").json()["alerts"][0]
    assert (saved["trigger"], saved["webhook"]) == ("match", "")
    assert "-filter:retweets" in saved["query"]
    page.get_by_role("button", name="Test").click()
    page.wait_for_selector("#alerts .result p:not(.waiting)")
    assert "0 posts of the last day match." in page.locator("#alerts .result").inner_text()
    _post(own.data, "1", "The ferry is lost in the fog <b>now</b>")
    page.wait_for_selector("#feed .entry")
    entry = page.locator("#feed .entry").first
    assert "ferry in the fog" in entry.locator(".by").inner_text()
    assert entry.locator("h2").inner_text() == "1 post matches"
    assert "lost in the fog <b>now</b>" in entry.locator("blockquote").inner_text()
    assert entry.locator("blockquote a").get_attribute("href") == "https://sample.example/1"
    page.reload()
    page.wait_for_selector("#feed .entry")
    page.get_by_role("button", name="Test").click()
    page.wait_for_selector("#alerts .result blockquote")
    page.wait_for_timeout(500)  # the watch of the posts is open
    subprocess.run([sys.executable, "-c", DELETE, str(own.data), "n:1"], capture_output=True, check=True)
    page.wait_for_selector("#feed >> text=This post was deleted.")
    assert "lost in the fog" not in page.locator("main").inner_text()
    page.get_by_role("button", name="Remove").click()
    assert len(own.get("/v1/alerts").json()["alerts"]) == 1, "one click asks first"
    page.get_by_role("button", name="Remove for good?").click()
    page.wait_for_selector("#alerts >> text=None yet.")
    assert own.get("/v1/alerts").json()["alerts"] == []


@pytest.mark.long
def test_every_trigger_shows_its_own_settings_and_errors_are_explained(tab: Opener, own: Running) -> None:
    one = tab(own.url)
    page = one.open("/alerts?topic=harbour&trigger=burst")
    page.wait_for_selector("#new[open]")
    always = ["topic", "query", "trigger", "name"]
    own_settings = {"burst": {"window", "factor", "least"}, "story": {"window"}, "silence": {"window"}}
    assert page.input_value("[name=trigger]") == "burst"
    for trigger in TRIGGERS:
        page.select_option("[name=trigger]", trigger)
        assert set(_options(page)) == {*always, *own_settings.get(trigger, set())}
        assert page.locator("#trigger-help").inner_text()
    page.select_option("[name=trigger]", "silence")
    page.fill("[name=window]", "soon")
    page.click("#add .go")
    page.wait_for_selector("#added .problem")
    assert "window" in page.locator("#added").inner_text()
    page.fill("[name=window]", "2d")
    page.click("#add summary")
    page.fill("[name=webhook]", "https://receiver.example/hook")
    page.fill("[name=digest]", "1h")
    page.click("#add .go")
    page.wait_for_selector("#added code")
    assert page.locator("#added code").inner_text().startswith("whsec_")
    saved = own.get("/v1/alerts").json()["alerts"][-1]
    kept = {name: saved[name] for name in ("trigger", "window", "webhook", "digest", "cap")}
    assert kept == {
        "trigger": "silence",
        "window": "2d",
        "webhook": "https://receiver.example/hook",
        "digest": "1h",
        "cap": 60,
    }
    assert "whsec_" not in page.locator("#alerts").inner_text()
    assert own.client().delete(f"/v1/alerts/{saved['id']}").status_code == 204
    one.complaints[:] = [text for text in one.complaints if "400" not in text]


@pytest.mark.long
def test_the_demo_ends_with_a_page_on_which_the_sample_unfolds(browser: Any, tmp_path: Path) -> None:
    """Stories, trends, a fired alert, a live post and an answer appear while it is played; Ctrl-C ends it."""
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "demo",
        "--offline",
        "--serve",
        "--data",
        str(tmp_path),
    ]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        address = next(line.strip() for line in process.stdout if line.startswith("http://127.0.0.1"))
        page = browser.new_context().new_page()
        page.set_default_timeout(240_000)
        page.goto(address)
        base = address.split("/?")[0]
        page.wait_for_selector(".story:has-text('Esker')")
        before = page.locator("#then").inner_text()
        page.wait_for_selector(".trends a")
        while page.locator("#then").inner_text() == before:
            page.wait_for_timeout(200)
        assert page.url == f"{base}/", "it unfolds without a reload"
        page.goto(f"{base}/live?q=Esker")
        page.wait_for_selector("#feed .entry")
        page.goto(f"{base}/alerts")
        page.wait_for_selector("#feed .entry h2:has-text('Dead: ')")
        page.goto(f"{base}/?q=How+many+people+died+in+the+Port+Esker+explosion%3F")
        page.wait_for_selector("article.answer .claim")
        page.goto(f"{base}/brief?topic=Port+Esker&since=24h")
        page.wait_for_selector("#brief article")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


@pytest.mark.long
def test_a_search_and_a_story_lead_to_an_alert_on_them(tab: Opener) -> None:
    one = tab()
    page = one.open("/search?" + urlencode({"q": "Esker lang:fr"}))
    page.locator("#save-alert").click()
    page.wait_for_selector("#new[open]")
    assert page.input_value("[name=query]") == "Esker lang:fr"
    page.goto(f"{one.url}/story/esker-2026-03-17?as_of={THEN}")
    page.get_by_role("link", name="Save as alert").click()
    page.wait_for_selector("#new[open]")
    assert page.input_value("[name=topic]")
    assert page.input_value("[name=trigger]") == "number"


def test_a_brief_is_written_by_keyboard_and_copied(tab: Opener) -> None:
    one = tab(permissions=["clipboard-read", "clipboard-write"])
    page = one.open("/brief")
    page.wait_for_selector("#brief article")
    assert "to 18 March 2026, 19:58 UTC" in page.locator("#span").inner_text(), "the end of the store"
    page.focus("[name=topics]")
    page.keyboard.type("Port Esker\nregatta at Tallow Point")
    page.keyboard.press("Tab")
    page.select_option("[name=since]", "24h")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    one.until("location.search.includes('topic')")
    page.wait_for_selector("#brief article")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"topic": ["Port Esker", "regatta at Tallow Point"], "since": ["24h"]}
    assert page.input_value("[name=topics]") == "Port Esker\nregatta at Tallow Point"
    assert page.locator("#brief .block > h2").all_inner_texts() == ["Port Esker", "regatta at Tallow Point"]
    assert "No story since then." in page.locator("#brief .block").nth(1).inner_text()
    lines = page.locator("#brief li")
    assert lines.count() > 3
    assert all("@" in line for line in lines.all_inner_texts()), "each line is cited"
    assert "false" not in page.locator("#brief").inner_text()
    assert one.axe() == ""
    page.get_by_role("button", name="Copy Markdown").click()
    one.until("document.querySelector('#status').textContent.startsWith('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# Brief: 2026-03-17 19:58 UTC to 2026-03-18 19:58 UTC")
    assert "## Port Esker" in copied
    page.get_by_role("button", name="Copy e-mail").click()
    one.until("navigator.clipboard.readText().then((text) => text.startsWith('Subject: Brief'))")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    one.until("location.pathname.startsWith('/story/')")
