"""Briefs: what is new, what went on, what ended; topics; and that no post acts in any format."""

import email
import email.policy
import html.parser
import re

import pytest

from tests.stories.invented import (
    AS_OF,
    DAY,
    FERRY,
    FERRY_AT,
    HOUR,
    MAYOR_AT,
    MINUTE,
    NEWS_DAY,
    happening,
    post,
)
from trinch.posts.schema import Deleted
from trinch.posts.times import iso, now
from trinch.service import brief_text
from trinch.service.ask import answer, interpret
from trinch.service.brief_text import escape_markdown, iter_topics
from trinch.service.briefs import BriefError, brief_json, parse_since
from trinch.store.query import QueryError
from trinch.store.store import Store

NOON = FERRY_AT + 20 * MINUTE


def test_a_brief_says_what_is_new_and_what_went_on(store: Store) -> None:
    more = ["leaves Velden", "packs her desk in Velden", "speaks at Velden station", "waves to Velden crowds"]
    store.ingest(happening("mayor-later", [f"Former mayor Ostrander {what}" for what in more], AS_OF - HOUR))
    (section,) = brief_json(store, since=iso(MAYOR_AT + 3 * HOUR - MINUTE) or "", as_of=AS_OF)["topics"]
    change = {story["post_ids"][0][:5]: story["change"] for story in section["stories"]}
    assert change == {"ferry": "new", "mayor": "continued"}


def test_what_is_posted_about_no_more_is_named(store: Store) -> None:
    made = brief_json(store, since=iso(FERRY_AT - HOUR) or "", as_of=AS_OF)
    assert [story["post_ids"][0][:5] for story in made["ended"]] == ["mayor"]


def test_every_line_is_an_exact_quote_and_lines_do_not_repeat(store: Store) -> None:
    made = brief_json(store, since="24h", as_of=AS_OF)
    for story in made["topics"][0]["stories"]:
        lines = [story | {"text": story["headline"]}, *story["summary"], *story["developments"]]
        assert len({line["text"] for line in lines}) == len(lines)
        for line in lines:
            for citation in line["citations"]:
                hit = store.get(citation["key"], AS_OF)
                assert hit is not None
                assert hit.post.text[citation["start"] : citation["end"]] == citation["quote"]


def test_topics_group_the_stories_and_one_without_a_story_is_quiet(store: Store) -> None:
    topics = ["ferry Corvina", "from:mayor-author1 OR Ostrander", "tennis"]
    made = brief_json(store, topics, since="24h", as_of=AS_OF)
    shown = {part["topic"]: [s["post_ids"][0][:5] for s in part["stories"]] for part in made["topics"]}
    assert shown == {"ferry Corvina": ["ferry"], "from:mayor-author1 OR Ostrander": ["mayor"], "tennis": []}
    assert "No story since then" in brief_text.markdown(made)


def test_the_same_request_gives_the_same_brief(store: Store) -> None:
    made = [brief_json(store, since="24h", as_of=AS_OF, format="email") for _ in range(2)]
    for one in made:
        one.pop("took_ms")
    assert made[0] == made[1]


def test_a_deleted_post_is_in_no_brief(store: Store) -> None:
    def keys() -> set[str]:
        made = brief_json(store, since="24h", as_of=AS_OF, format="md")
        return {c["key"] for story in made["topics"][0]["stories"] for c in story["citations"]}

    before = keys()
    store.ingest([Deleted(at=now(), network="x", id=key.split(":")[1]) for key in before])
    assert before
    assert not before & keys()


HOSTILE = [
    "<script>alert(1)</script> <img src=x onerror=alert(2)>",
    "[click](javascript:alert(3)) ![pixel](https://evil.example/p.png) https://evil.example/bare www.evil.example",
    "\u202eevil \u2066text\u2069 \x1b[31mred \x07 # heading | table | `code` ~~gone~~ &lt;b&gt;",
    "1. list item **bold** _under_ </bdi></p></body><h1>owned</h1>",
]


@pytest.fixture
def hostile(store: Store) -> Store:
    """The ferry's posts, each with markup behind it; authors with names of that kind."""
    texts = [f"{text} {HOSTILE[n % len(HOSTILE)]}" for n, text in enumerate(FERRY)]
    posts = [
        post(f"bad{n}", FERRY_AT + n * MINUTE, text, f"<b>bad{n}</b>", url="javascript:alert(4)")
        for n, text in enumerate(texts)
    ]
    store.ingest([Deleted(at=now(), network="x", id=f"ferry{n}") for n in range(10)])
    store.ingest(posts)
    store.catch_up()
    return store


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _is_inert(page: str) -> None:
    parser = _Tags()
    parser.feed(page)
    allowed = [
        "html",
        "head",
        "meta",
        "title",
        "body",
        "h1",
        "h2",
        "h3",
        "p",
        "small",
        "em",
        "bdi",
        "a",
        "ol",
        "li",
    ]
    assert {tag for tag, _ in parser.tags} <= set(allowed)
    assert all(
        (attrs["href"] or "").startswith(("#s", "https://", "http://"))
        for tag, attrs in parser.tags
        if tag == "a"
    )
    assert not any(name.startswith("on") for _, attrs in parser.tags for name in attrs)


def test_no_post_acts_in_any_format(hostile: Store) -> None:
    made = {
        form: brief_json(hostile, since="24h", as_of=AS_OF, format=form)["text"]
        for form in ("md", "html", "email")
    }
    assert "bad" in made["md"]
    for text in made.values():
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\x07]", text)
    _is_inert(made["html"])
    message = email.message_from_string(made["email"], policy=email.policy.default)
    assert message.keys() == ["Subject", "From", "Date", "MIME-Version", "Content-Type"]
    page = message.get_body(("html",))
    assert page is not None
    _is_inert(page.get_content())
    plain = re.sub(r"\\.", "", made["md"])
    assert not re.search(r"<(?!https?://)|!\[|\]\((?!https?://)|www\.|(?<![(<])https?://|[`*~|]", plain)


@pytest.mark.parametrize("text", [*HOSTILE, "- a", "+ b", "# c", "> d", "2) e", "=== f", "--- g", "a_b _c_"])
def test_markdown_is_escaped_back_to_what_was_typed(text: str) -> None:
    escaped = escape_markdown(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text.replace("\\", "")
    assert not re.match(r"[#>+=-]|\d+[.)]", escaped)


def test_times_of_a_brief() -> None:
    assert parse_since("24h", AS_OF) == AS_OF - DAY
    assert parse_since("yesterday", AS_OF) == NEWS_DAY - DAY
    assert parse_since("hier", AS_OF) == NEWS_DAY - DAY
    assert parse_since(iso(NOON) or "", AS_OF) == NOON
    for text in ("whenever", "2026-04-01", "1990-01-01", "5m", ""):
        with pytest.raises((BriefError, ValueError)):
            parse_since(text, AS_OF)


def test_topics_that_cannot_be_used_are_refused(store: Store) -> None:
    with pytest.raises(QueryError):
        brief_json(store, ["(ferry"], since="24h", as_of=AS_OF)
    with pytest.raises(BriefError, match="31 topics"):
        brief_json(store, [str(n) for n in range(31)], since="24h", as_of=AS_OF)
    with pytest.raises(BriefError, match="longer"):
        brief_json(store, ["x" * 300], since="24h", as_of=AS_OF)


def test_a_file_of_topics() -> None:
    assert list(iter_topics("# my topics\nferry\n\n  #velden \nlang:fr pont\n")) == [
        "ferry",
        "#velden",
        "lang:fr pont",
    ]


@pytest.mark.parametrize(
    ("question", "ids", "words"),
    [
        ("Brief me on the ferry since yesterday", {"ferry"}, "Brief from"),
        ("Fais-moi le point depuis hier", {"ferry", "mayor"}, "Le point du"),
        ("give me a briefing", {"ferry", "mayor"}, "Brief from"),
        ("What's trending in English?", {"ferry", "mayor"}, "(in English)"),
        ("top stories about the ferry", {"ferry"}, "(about the ferry)"),
        ("top stories on Bluesky", set(), "(on Bluesky)"),
        ("top sports stories", set(), "(sports)"),
    ],
)
def test_ask_answers_briefs_and_restricted_trends(
    store: Store, question: str, ids: set[str], words: str
) -> None:
    given = answer(store, interpret(question, as_of=AS_OF))
    assert given.task in ("brief", "trends")
    assert words in given.headline
    assert {citation.id[:5] for claim in given.claims for citation in claim.citations} == ids
    assert given.outcome == ("answer" if ids else "not_enough_evidence")
