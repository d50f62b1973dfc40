"""The page without a browser: what the server renders, its headers, its words."""

import asyncio
import html
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import get_args

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.running import AUTH, Running
from trinch.answers.request import TASKS
from trinch.posts.schema import Created, Deleted, Edited, Post
from trinch.server.web.deletion_watch import DeletionWatch
from trinch.server.web.embed import Embedded, EmbedKey
from trinch.server.web.page import modules
from trinch.server.web.template_functions import split_marked, web_url
from trinch.server.web.translations import Translations, preferred
from trinch.server.workers.worker_pool import WorkerPool
from trinch.simulator.sample import QUESTIONS, UNANSWERABLE
from trinch.store.store import Store
from trinch.stories.types import Status

VIEWS = ("/", "/search", "/live", "/places", "/brief", "/alerts", "/plan", "/story/esker-2026-03-17")
ASKED = {"q": QUESTIONS[3].text, "as_of": "2026-03-18T20:00:00Z"}


def test_nothing_may_run_or_load_but_our_own_files(http: httpx.Client) -> None:
    for path in (*VIEWS, "/?q=x", "/static/now.js", "/static/css/base.css", "/static/i18n/fr.json"):
        found = http.get(path)
        assert found.status_code == 200
        policy = found.headers["content-security-policy"]
        assert policy.split("; ") == [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["referrer-policy"] == "no-referrer"
    assert http.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "script"),
    [
        ("/", "now"),
        ("/search?q=x", "search"),
        ("/live", "live"),
        ("/places", "places"),
        ("/brief", "brief"),
        ("/alerts", "alerts"),
        ("/plan", "plan"),
        ("/story/x", "story"),
        ("/?q=x", "ask"),
    ],
)
def test_no_view_has_inline_script_or_style(http: httpx.Client, path: str, script: str) -> None:
    page = http.get(path).text
    assert "<style" not in page
    assert not re.search(r"<[^>]+\sstyle=", page)
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert re.findall(r"<script[^>]*>", page) == [f'<script type="module" src="/static/{script}.js">']


def test_the_scripts_are_small_and_all_used() -> None:
    static = Path(str(files("trinch.server.web"))) / "static"
    scripts = {path.stem: path.stat().st_size for path in static.glob("*.js")}
    assert sum(scripts.values()) < 150_000
    views = ("now", "search", "live", "places", "brief", "alerts", "plan", "story", "ask", "embed")
    used = {name for view in views for name in modules(view)}
    assert used == scripts.keys()


def test_a_view_needs_no_query_of_the_store(http: httpx.Client) -> None:
    """What is filled by a script comes at once; its data is asked for by the script."""
    for path in VIEWS:
        page = http.get(path).text
        assert "sample:" not in page
        assert "sample.example" not in page


def test_every_file_the_page_names_is_there(http: httpx.Client) -> None:
    page = "".join(http.get(path).text for path in (*VIEWS, "/?q=x"))
    named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    static = Path(str(files("trinch.server.web"))) / "static"
    held = {f"/static/{path.relative_to(static)}" for path in static.rglob("*.*")}
    assert held - named == {
        "/static/embed.js",
        "/static/i18n/en.json",
        "/static/i18n/fr.json",
        "/static/world.json",
    }
    assert named <= held
    assert all(http.get(path).status_code == 200 for path in named)
    assert http.get("/static/../page.py").status_code == 404


def test_a_plain_ask_is_answered_without_a_script(http: httpx.Client) -> None:
    found = http.get("/", params=ASKED)
    answer = http.get("/v1/ask", params={"question": ASKED["q"], "as_of": ASKED["as_of"]}).json()
    page = html.unescape(found.text)
    assert answer["claims"]
    for claim in answer["claims"]:
        assert f'<p class="said" dir="auto">{claim["text"]}</p>' in page
        for citation in claim["citations"]:
            assert f"<mark>{citation['quote']}</mark>" in page
    assert "18 March 2026, 20:00 UTC" in page


def test_the_frame_is_sent_before_the_answer_is_made(server: Running) -> None:
    with httpx.stream("GET", f"{server.url}/", params=ASKED, headers=AUTH, timeout=60) as response:
        parts = response.iter_text()
        first = next(parts)
        assert 'id="q"' in first
        assert "<article" not in first
        assert "<article" in "".join(parts)


@pytest.mark.parametrize(
    "as_of", ["1773766800", "2026-03-17T17:00", "2026-03-17T17:00:00Z", "2026-03-17T19:00:00+02:00"]
)
def test_any_minute_can_be_asked_about_without_a_script(http: httpx.Client, as_of: str) -> None:
    page = http.get("/", params={"q": ASKED["q"], "as_of": as_of}).text
    assert "as of 17 March 2026, 17:00 UTC" in page
    assert re.search(r'type="datetime-local" step="60" value="2026-03-17T17:00"', page)
    now = http.get("/", params={"q": ASKED["q"], "as_of": ""}).text
    assert '<b id="asof-text">now</b>' in now


def test_a_follow_up_without_a_script(http: httpx.Client) -> None:
    page = http.get("/", params={"q": "How many died?", "earlier": "What happened in Port Esker?"}).text
    assert "Understood as: How many died? Port Esker" in html.unescape(page)
    assert re.findall(r'name="earlier" value="([^"]*)"', page) == [
        "What happened in Port Esker?",
        "How many died?",
    ]


def test_no_evidence_is_said_plainly(http: httpx.Client) -> None:
    page = http.get("/", params={"q": UNANSWERABLE.text}).text
    assert "Not enough evidence" in page
    assert '<li class="claim">' not in page


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"q": "x", "as_of": "yesterdayish"}, "cannot read the time"),
        ({"q": "since:nowhere what happened"}, "since:"),
    ],
)
def test_a_bad_request_is_explained_on_the_page(
    http: httpx.Client, params: dict[str, str], reason: str
) -> None:
    found = http.get("/", params=params)
    assert found.status_code == 400
    assert found.headers["content-type"].startswith("text/html")
    assert reason in html.unescape(found.text)
    assert "Traceback" not in found.text


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("en-GB,fr;q=0.9", "en"),
        ("de,fr;q=0.4", "fr"),
        ("de", "en"),
        ("fr;q=oops", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_one_liked_best(http: httpx.Client, header: str, lang: str) -> None:
    assert preferred(header) == lang
    assert f'<html lang="{lang}">' in http.get("/", headers={"Accept-Language": header}).text


def test_the_language_chosen_is_remembered(server: Running) -> None:
    with httpx.Client(base_url=server.url) as client:
        assert "Votre question ou recherche" in client.get("/?lang=fr").text
        assert "Votre question ou recherche" in client.get("/", headers={"Accept-Language": "en"}).text
        assert "Your question or search" in client.get("/?lang=en").text
        assert "Your question or search" in client.get("/?lang=tlh").text


def test_both_languages_say_the_same_things() -> None:
    tables = [
        msgspec.json.decode(files("trinch.server.web").joinpath(f"static/i18n/{lang}.json").read_bytes())
        for lang in ("en", "fr")
    ]
    assert tables[0].keys() == tables[1].keys()

    def holes(value: object) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", str(value)))

    for key, english in tables[0].items():
        french = tables[1][key]
        assert type(english) is type(french)
        if isinstance(english, str):
            assert holes(english) == holes(french), key


def test_every_word_is_used_and_every_word_used_is_there() -> None:
    folder = Path(str(files("trinch.server.web")))
    words = set(msgspec.json.decode((folder / "static/i18n/en.json").read_bytes()))
    code = "".join(p.read_text() for p in [*folder.glob("static/*.js"), *folder.glob("templates/*.html")])
    # t(`outcome_${name}`) in a script, t('kind_' ~ name) in a template
    families = (*re.findall(r"""t\(\s*(?:`|["'])(\w+_)(?:\$|["'])""", code), "attached_")
    named = set(re.findall(r"""["'](\w+)["']""", code))
    unused = {word for word in words - named if not word.startswith(families)}
    assert unused == {"months", "thousands"}
    assert set(re.findall(r"""\bt\(\s*["'](\w+)["']\s*[,)]""", code)) <= words


def test_every_task_status_and_discount_has_its_words() -> None:
    words = msgspec.json.decode(files("trinch.server.web").joinpath("static/i18n/en.json").read_bytes())
    discounts = tomllib.loads(files("trinch.stories").joinpath("discounts.toml").read_text())
    for name in (
        *(f"task_{task}" for task in TASKS if task != "chat"),
        *(f"status_{status}" for status in get_args(Status)),
        *(f"discount_{reason}" for reason in discounts),
    ):
        assert name in words


def test_numbers_and_dates_in_both_languages() -> None:
    english, french = Translations("en"), Translations("fr")
    assert english("n_posts", n=1) == "1 post"
    assert english("n_posts", n=0) == "0 posts"
    assert english("n_posts", n=12_345) == "12,345 posts"
    assert french("n_posts", n=0) == "0 message"
    assert french("n_posts", n=12_345) == "12\u202f345 messages"
    assert english.date("2026-03-17T23:05:00+02:00") == "17 March 2026, 21:05 UTC"
    assert french.date("2026-03-17T21:05:00.123456Z") == "17 mars 2026, 21:05 UTC"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/x?y=1", True),
        ("http://a.example", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("vbscript:x", False),
        ("//a.example/x", False),
        ("https://", False),
        ("http://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_become_links(url: str | None, shown: bool) -> None:
    assert bool(web_url(url)) is shown


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5))
def test_marking_keeps_the_text_and_marks_exactly_the_spans(text: str, spans: list[tuple[int, int]]) -> None:
    spans = [(start, min(end, len(text))) for start, end in spans if start < min(end, len(text))]
    pieces = split_marked(text, spans)
    assert "".join(piece for _, piece in pieces) == text
    quoted = [flag for flag, piece in pieces for _ in piece]
    assert quoted == [any(start <= i < end for start, end in spans) for i in range(len(text))]


def _post(id: str, text: str = "here") -> Post:
    return Post(network="n", id=id, created_at=1_000_000, text=text, lang="en", author="a", author_id="a")


def test_the_watch_tells_what_goes_and_only_that(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest([Created(at=1_000_000, network="n", post=_post(str(i))) for i in range(5)])
    store.ingest([Deleted(at=2_000_000, network="n", id="4")])

    async def look() -> list[list[str]]:
        pool, stopping, reported = WorkerPool(tmp_path, 1, 10), asyncio.Event(), []
        watch = DeletionWatch()
        first = watch.gone(pool, ["n:0", "n:1", "n:2", "n:4", "n:never"], stopping)
        second = watch.gone(pool, ["n:1", "n:3"], stopping)
        reported += [await anext(first), await anext(second)]
        store.ingest([Edited(at=3_000_000, network="n", post=_post("0", "edited"))])
        store.ingest([Deleted(at=3_000_000, network="n", id="1")])
        async with asyncio.timeout(5):
            reported += await asyncio.gather(anext(first), anext(second))
        store.ingest([Deleted(at=4_000_000, network="n", id="0")])
        async with asyncio.timeout(5):
            reported += [await anext(first)]
        stopping.set()
        async with asyncio.timeout(5):
            reported += [[key for keys in [k async for k in second] for key in keys]]
        await first.aclose()
        pool.close()
        return reported

    assert asyncio.run(look()) == [["n:4", "n:never"], [], ["n:1"], ["n:1"], ["n:0"], []]


@pytest.mark.long
def test_a_watched_server_ends_in_time(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").ingest([Created(at=1_000_000, network="n", post=_post("1"))])
    with (
        Running(tmp_path / "store") as own,
        httpx.stream(
            "POST", f"{own.url}/page/watch", headers=AUTH, json={"keys": ["n:1", "n:2"]}, timeout=20
        ) as stream,
    ):
        lines = stream.iter_lines()
        assert [next(lines), next(lines)] == ["event: gone", 'data: {"keys":["n:2"]}']
        status, seconds = own.stop()
    assert status == 0
    assert seconds < 5


def test_the_summary_of_the_store(http: httpx.Client) -> None:
    found = http.get("/page/summary").json()
    assert found["networks"] == {"sample": found["posts"]}
    assert (found["first"], found["newest"][:13]) == ("2026-03-17T00:00:00Z", "2026-03-18T19")
    assert "fr" in found["languages"]
    assert all(tag.startswith("#") for tag in found["tags"])


def test_an_embedded_answer_needs_its_signature_and_nothing_else(http: httpx.Client, server: Running) -> None:
    made = http.post("/page/embed", json={"question": ASKED["q"], "as_of": ASKED["as_of"]})
    path = made.json()["path"]
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    shown = httpx.get(server.url + path, headers=frame, timeout=60)
    assert shown.status_code == 200
    assert '<li class="claim' in shown.text
    assert "frame-ancestors *" in shown.headers["content-security-policy"]
    assert "script-src 'self'" in shown.headers["content-security-policy"]
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
    for forged in (path[:-1] + ("0" if path[-1] != "0" else "1"), path.replace("Port", "port"), "/embed?q=x"):
        assert httpx.get(server.url + forged).status_code == 403
        watch = httpx.post(server.url + forged.replace("/embed", "/embed/watch"), json={"keys": ["n:1"]})
        assert watch.status_code == 403
    assert httpx.get(server.url + "/", headers=frame).status_code == 403, "only this view may be framed"
    assert httpx.post(server.url + "/page/embed", json={"question": "x", "as_of": ""}).status_code == 401


def test_an_embed_key_is_private_and_its_removal_revokes(tmp_path: Path) -> None:
    key, shown = EmbedKey(tmp_path), Embedded("q", ("a", "b"), "2026-03-17T17:00:00Z")
    signature = key.address(shown).rpartition("=")[2]
    assert (tmp_path / "embed.key").stat().st_mode & 0o777 == 0o600
    assert EmbedKey(tmp_path).is_signed(shown, signature)
    assert not key.is_signed(shown._replace(earlier=("ab",)), signature)
    assert not key.is_signed(shown, "é")
    (tmp_path / "embed.key").unlink()
    assert not EmbedKey(tmp_path).is_signed(shown, signature)
    assert not (tmp_path / "embed.key").exists()
