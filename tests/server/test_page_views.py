"""The views Now, Search, Live and Story in a real Chromium, by mouse, keyboard and on a phone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.server import browser as chrome
from tests.server.browser import DELETE, PHONE
from tests.server.conftest import Opener, Starter
from tests.server.running import fill
from trinch.store.store import Store

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())

THEN = "2026-03-18T20:00:00Z"
STORY = f"/story/esker-2026-03-17?as_of={THEN}"

WRITE = """
import sys, time
from trinch.store.store import Store
from trinch.posts.schema import Created, Post
store = Store.open(sys.argv[1])
for i in range(int(sys.argv[2])):
    at = time.time_ns() // 1000
    post = Post(network="live", id=str(i), created_at=at, text=f"wave {i} #sea", lang=["en", "fr"][i % 4 == 0], author="gull")
    store.ingest([Created(at=at, network="live", post=post)])
    time.sleep(0.05)
"""
"""A process of its own that ingests posts: folder, number."""


def _query(page: Any) -> str:
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


# ------------------------------------------------------------------ now


def test_now_shows_stories_trends_and_the_rate_of_a_store_that_ended(tab: Opener) -> None:
    one = tab()
    page = one.open("/")
    page.wait_for_selector(".story")
    assert "as of 18 March 2026, 19:58 UTC" in page.locator("#then").inner_text()
    lead = page.locator(".story").first
    assert "Port-Esker" in lead.locator("h2").inner_text()
    assert lead.locator(".spark polyline").get_attribute("points").count(",") == 24
    assert "independent authors" in lead.locator(".foot").inner_text()
    assert "@" in lead.locator(".sources-of").inner_text()
    assert "since 17 March 2026" in lead.locator(".when").inner_text()
    page.wait_for_selector(".trends a")
    assert "×" in page.locator(".trends li").first.inner_text()
    assert "posts held" in page.locator("#rate").inner_text()
    assert one.axe() == ""
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".timeline li")
    assert urlsplit(page.url).path.startswith("/story/"), "a story opens by keyboard"


@pytest.mark.long
def test_now_of_an_empty_store_and_its_first_minutes(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    own = serving(tmp_path / "store")
    one = tab(own.url)
    page = one.open("/")
    page.wait_for_selector(".notice code")
    assert "trinch serve --listen" in page.locator("#stories").inner_text()
    assert page.locator("#ticker").inner_text() == "0 posts"
    assert one.axe() == ""
    writer = subprocess.Popen([sys.executable, "-c", WRITE, str(own.data), "100"])
    page.wait_for_selector("#ingest.on", timeout=60_000)
    page.click("#ingest summary")
    page.wait_for_selector("#gauges .shares li")
    one.until("parseFloat(document.querySelector('#gauges dd').textContent) > 0")
    writer.wait()
    one.until("fetch('/page/summary').then((r) => r.json()).then((s) => s.posts >= 100)", 60)
    page.reload()
    page.wait_for_selector("#stories .entry", timeout=60_000)
    assert "No story stands out" in page.locator("#stories").inner_text()
    assert "wave" in page.locator("#stories .entry").first.inner_text()


@pytest.mark.long
def test_new_stories_wait_and_deleted_ones_go(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    """Updates of the list are answered by the test; the deletion is real."""
    data = fill(tmp_path / "store")
    own = serving(data)
    found = own.get("/v1/stories", params={"as_of": THEN, "limit": 2}, timeout=60).json()
    first = found["stories"][0]
    other = first | {"id": "second-2026-03-18", "headline": "A second story", "summary": []}
    replies = [[first], [first | {"posts": 777}, other]]
    one = tab(own.url)
    one.context.add_init_script(
        "window.setInterval = (call, every) => every === 60000 ? (window.update = call) : 0;"
    )
    page = one.page
    page.route(
        "**/v1/stories?*",
        lambda route: route.fulfill(
            json=found | {"stories": replies.pop(0) if len(replies) > 1 else replies[0]}
        ),
    )
    page.route(
        "**/page/summary",
        lambda route: route.fulfill(json=json.loads(own.get("/page/summary").text) | {"newest": None}),
    )
    one.open("/")
    page.wait_for_selector(".story")
    page.evaluate("window.update()")
    page.wait_for_selector("#fresh:not([hidden])")
    assert page.locator("#fresh").inner_text() == "Show 1 new story"
    assert page.locator(".story").count() == 1, "nothing jumps"
    assert "777" in page.locator(".story .foot").inner_text(), "what is shown is up to date"
    page.click("#fresh")
    assert page.locator(".story").count() == 2
    page.wait_for_timeout(500)
    key = first["citations"][0]["key"]
    subprocess.run([sys.executable, "-c", DELETE, str(data), key], capture_output=True, check=True)
    one.until("document.querySelectorAll('.story').length === 0", 30)
    assert first["headline"] not in page.content()


@pytest.mark.long
def test_a_server_that_still_counts_is_waited_for(tab: Opener) -> None:
    one = tab()
    replies = [503]

    def answer(route: Any) -> None:
        if replies:
            error = {
                "message": "more than 10 s",
                "type": "server_error",
                "param": None,
                "code": "over_budget",
            }
            route.fulfill(status=replies.pop(), json={"error": error})
        else:
            route.continue_()

    one.page.route("**/v1/stories?*", answer)
    page = one.open("/")
    page.wait_for_selector(".notice .waiting")
    assert "Counting the words" in page.locator("#stories").inner_text()
    page.wait_for_selector(".story")
    one.complaints[:] = [text for text in one.complaints if "503" not in text]


# ------------------------------------------------------------------ search


def test_search_shows_chips_filters_counts_and_pages(tab: Opener) -> None:
    one = tab()
    page = one.open("/search?" + urlencode({"q": "Esker lang:fr -filter:retweets"}))
    page.wait_for_selector(".counted:not([hidden])")
    assert [chip.text_content() for chip in page.locator(".chip").all()] == [
        "lang: fr×",
        "not filter: retweets×",
    ]
    assert page.locator("[name=lang]").input_value() == "fr"
    entries = page.locator(".entry")
    assert entries.count() >= 20
    total = int(page.locator("#total").inner_text().split()[0])
    assert one.axe() == ""
    while "last one" not in page.locator("#more").inner_text():
        before = entries.count()
        page.mouse.wheel(0, 20_000)
        one.until(
            f"document.querySelectorAll('.entry').length > {before} || !document.querySelector('#more button')",
            60,
        )
    assert entries.count() == total, "the pages hold each match once"
    keys = [entry.get_attribute("data-key") for entry in entries.all()]
    assert len(set(keys)) == total
    page.evaluate("window.scrollTo(0, 0)")
    page.locator(".chip button").first.click()
    one.until("document.querySelectorAll('.chip').length === 1")
    assert _query(page) == "Esker -filter:retweets"
    page.select_option("[name=sort]", "latest")
    one.until("location.search.includes('sort=latest')")
    page.fill("[name=from]", "@EskerTribune")
    page.press("[name=from]", "Enter")
    page.wait_for_selector(".counted:not([hidden])")
    assert _query(page) == "Esker -filter:retweets from:EskerTribune"
    one.until("document.querySelectorAll('.entry').length > 0")
    assert {by.split()[0] for by in page.locator(".entry .by a:first-of-type").all_inner_texts()} == {
        "@EskerTribune"
    }
    page.go_back()
    one.until("!location.search.includes('EskerTribune')")


def test_a_bar_narrows_the_search_and_nothing_found_is_said(tab: Opener) -> None:
    one = tab()
    page = one.open("/search?q=Esker")
    chart = page.locator(".counted svg")
    chart.wait_for()
    chart.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    one.until("location.search.includes('until')")
    assert _query(page).startswith("Esker since:2026-03-17T09:00:00Z until:2026-03-17T10:00:00Z")
    assert page.locator("[name=time]").input_value() == "range"
    assert page.locator("[name=since]").input_value() == "2026-03-17T09:00"
    page.fill("#q", "nobodywritesthis")
    page.press("#q", "Enter")
    page.wait_for_selector("text=No post matches")
    page.fill("#q", "since:nowhere x")
    page.press("#q", "Enter")
    page.wait_for_selector("#more [role=alert]")
    assert "since:" in page.locator("#more").inner_text()
    one.complaints[:] = [text for text in one.complaints if "400" not in text]


@pytest.mark.long
def test_a_search_is_exported_and_its_deleted_posts_go(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    data = fill(tmp_path / "store")
    own = serving(data)
    one = tab(own.url, accept_downloads=True)
    page = one.open("/search?" + urlencode({"q": "from:EskerTribune"}))
    page.wait_for_selector(".entry")
    page.click("#export summary")
    with page.expect_download() as downloaded:
        page.click("[data-format=jsonl]")
    assert downloaded.value.suggested_filename == "posts.jsonl"
    lines = Path(downloaded.value.path()).read_text().splitlines()
    assert {json.loads(line)["author"] for line in lines} == {"EskerTribune"}
    entry = page.locator(".entry").first
    key, text = entry.get_attribute("data-key"), entry.locator(".text").inner_text()
    page.wait_for_timeout(500)
    subprocess.run([sys.executable, "-c", DELETE, str(data), key], capture_output=True, check=True)
    page.wait_for_selector("text=This post was deleted.", timeout=30_000)
    assert text not in page.locator("#feed").inner_text()
    assert page.locator("#save-alert").is_hidden() or own.get("/page/summary").json()["alerts"]


# ------------------------------------------------------------------ live


@pytest.mark.long
def test_live_posts_arrive_pause_and_wait(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    Store.open(tmp_path / "store")
    own = serving(tmp_path / "store")
    one = tab(own.url)
    page = one.open("/live?q=lang:en")
    page.wait_for_selector(".notice .waiting")
    assert one.axe() == ""
    writer = subprocess.Popen([sys.executable, "-c", WRITE, str(own.data), "160"])
    page.wait_for_selector(".entry")
    assert "lang:en" not in page.locator("#feed").inner_text()
    assert page.locator(".entry .by", has_text="French").count() == 0, "only what matches"
    page.click("#pause")
    before = page.locator(".entry").count()
    page.wait_for_selector("#fresh:not([hidden])")
    assert page.locator(".entry").count() == before, "nothing moves while paused"
    page.click("#pause")
    one.until(f"document.querySelectorAll('.entry').length > {before}")
    writer.wait()
    one.until("document.querySelector('#live-state').textContent.startsWith('120 posts')", 60)
    assert "not shown" in page.locator("#live-state").inner_text(), "the limit is said"


# ------------------------------------------------------------------ story


def test_a_story_shows_its_timeline_spread_and_what_is_disputed(tab: Opener) -> None:
    one = tab()
    page = one.open(STORY)
    page.wait_for_selector(".timeline li")
    assert "Port" in page.locator("h1").inner_text()
    times = [line.get_attribute("datetime") for line in page.locator(".timeline time").all()]
    assert len(times) > 3
    assert times == sorted(times)
    assert page.locator(".timeline .day").all_inner_texts() == ["17 March 2026", "18 March 2026"]
    shares = page.locator(".shares").first.inner_text()
    assert "English" in shares
    assert "French" in shares
    page.wait_for_selector(".block:has(h2:text-is('Disputed')) :is(.disputed, p.note:not(:has(.waiting)))")
    assert one.axe() == ""
    page.get_by_role("link", name="See the posts").click()
    page.wait_for_selector(".entry")
    assert urlsplit(page.url).path == "/search"


def test_a_story_that_is_not_there(tab: Opener) -> None:
    one = tab()
    page = one.open("/story/nothing-2026-01-01?as_of=2026-03-17T12:00:00Z")
    page.wait_for_selector("#story .notice")
    assert "no story with this name as of 17 March 2026, 12:00 UTC" in page.locator("#story").inner_text()
    one.complaints[:] = [text for text in one.complaints if "404" not in text]


# ------------------------------------------------------------------ every view


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/", ".trends a"),
        ("/search?q=Esker", ".counted svg"),
        ("/live", "#feed .notice"),
        (STORY, ".timeline li"),
        ("/brief?topic=Port+Esker", "#brief article"),
        ("/alerts", "#new[open]"),
        ("/places", "#map a"),
    ],
)
def test_every_view_on_a_phone_in_french_and_dark(tab: Opener, path: str, ready: str) -> None:
    one = tab(viewport=PHONE, has_touch=True, is_mobile=True, locale="fr-FR", color_scheme="dark")
    page = one.open(path)
    page.wait_for_selector(ready)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "no sideways scroll"
    assert "Maintenant" in page.locator(".views").inner_text()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 26)"
    assert one.axe() == ""
