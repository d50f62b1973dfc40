"""Requests for stories: what restricts them, and which requests are none."""

import pytest

from trinch.answers.story_requests import SUBJECT_WORDS, SUBJECTS, StoryFilter, read
from trinch.store.query import parse, parse_time

AS_OF = parse_time("2026-05-12T18:00:00Z")


@pytest.mark.parametrize(
    ("text", "lang", "only"),
    [
        ("trending in French?", "en", StoryFilter(lang="fr")),
        ("what's happening on Bluesky", "en", StoryFilter(network="bluesky")),
        ("What is trending on X in Spanish", "en", StoryFilter(lang="es", network="x")),
        ("top tech stories", "en", StoryFilter(about=("tech",))),
        ("biggest sports news today", "en", StoryFilter(about=("sports",))),
        ("top stories about bitcoin", "en", StoryFilter(about=("bitcoin",))),
        ("tendances sur Mastodon", "fr", StoryFilter(network="mastodon")),
        ("Quelles sont les nouvelles en anglais ?", "fr", StoryFilter(lang="en")),
        ("Noticias de deportes de hoy", "es", StoryFilter(about=("sports",))),
        ("was ist los auf Reddit", "de", StoryFilter(network="reddit")),
    ],
)
def test_what_restricts_trends(text: str, lang: str, only: StoryFilter) -> None:
    found = read(text, AS_OF)
    assert found is not None
    assert (found.kind, found.lang, found.only._replace(shown="")) == ("trends", lang, only)
    assert found.only.shown


def test_a_place_is_looked_for_under_its_names() -> None:
    found = read("top stories in Brazil this week", AS_OF)
    assert found is not None
    assert {"brazil", "brasil", "bresil"} <= set(found.only.about[0].split(" OR "))
    parse(found.only.about[0])


@pytest.mark.parametrize(
    ("text", "lang", "topic"),
    [
        ("brief me on the harbour strike since yesterday", "en", "harbour strike"),
        ("Fais-moi le point sur la grève depuis hier", "fr", "greve"),
        ("Ponme al día sobre Boston desde ayer", "es", "boston"),
        ("give me a briefing", "en", ""),
        ("Fais-moi le point", "fr", ""),
    ],
)
def test_requests_for_a_brief(text: str, lang: str, topic: str) -> None:
    found = read(text, AS_OF)
    assert found is not None
    assert (found.kind, found.lang, found.topic) == ("brief", lang, topic)


@pytest.mark.parametrize(
    "text",
    [
        "What is happening in Egypt?",
        "latest news from Syria",
        "top stories",
        "what did people say about music",
        "brief me on Boston",
        "how many were injured in the fire in French Guiana",
        "a brief history of the strike",
        "trending in Klingon",
        "",
    ],
)
def test_other_requests_are_none(text: str) -> None:
    assert read(text, AS_OF) is None


def test_every_subject_has_words() -> None:
    assert set(SUBJECTS.values()) == set(SUBJECT_WORDS)
