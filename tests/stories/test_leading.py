"""What is listed: happenings and not talk, parts within their whole, breaking news at once, tags with the story they are of."""

from collections.abc import Iterator

import pytest

from tests.stories.invented import (
    AS_OF,
    DAY,
    FERRY,
    FERRY_AT,
    HOUR,
    MINUTE,
    NEWS,
    happening,
    post,
    small_talk,
    store_of,
)
from trinch.store.store import Store
from trinch.stories.detect import detect, stories
from trinch.stories.happening import Evidence, chance, linking, wording
from trinch.stories.timeline import story
from trinch.stories.translations import translations

TALK = [
    "i made marmalade toast again, am i weird?",
    "does anyone else love marmalade toast as much as me",
    "my cat stole my marmalade toast lol",
    "why do we even eat marmalade toast??",
    "me: no more. also me: marmalade toast",
    "i could live on marmalade toast, my mum agrees",
    "we are out of marmalade toast and i am crying",
]
REPLIES = [
    "who pays the insurance premium for that",
    "insurance premium will double for sure",
    "an insurance premium like that, no thanks",
    "the insurance premium is on us in the end",
    "somebody check the insurance premium",
]
QUAKE = [
    "Strong earthquake strikes Chile, people killed",
    "Earthquake in Chile: government orders evacuation",
    "Chile earthquake kills at least two, officials say",
    "Tsunami feared after the earthquake in Chile",
    "Earthquake damages roads across Chile",
    "Powerful earthquake shakes the north of Chile",
    "Earthquake: Chile evacuates the coast",
]
TERREMOTO = [
    "Fuerte terremoto sacude Chile, hay muertos",
    "Terremoto en Chile: el gobierno ordena evacuar",
    "Un terremoto deja dos muertos en Chile",
    "Temen un tsunami tras el terremoto en Chile",
    "El terremoto causa graves daños en Chile",
    "Chile evacua la costa tras el terremoto",
]
BREAKING = [
    "Quillon has died",
    "Actor Anselm Quillon dies at 81",
    "Officials confirm the death of Quillon",
    "Sad news: Quillon is dead, family announces",
    "A. Quillon died this morning",
]
TAGGED = [
    f"{word} at Tarnish Point watch the ferry Corvina #corvina"
    for word in ("Crews", "Pilots", "Crowds", "Boats", "Divers", "Nurses", "Drones", "Locals")
]
BOTH = [
    "Velden loses mayor Ostrander on the day of the #corvina",
    "Mayor Ostrander resigns, Velden has its own #corvina",
]
"""Posts about the mayor that hold the tag of the ferry."""
BREAKING_AT = AS_OF - 10 * MINUTE
REST = [
    *happening("talk", TALK, FERRY_AT - HOUR),
    *(
        post(f"reply{n}", FERRY_AT + HOUR + n * MINUTE, text, f"asker{n}", reply_to=f"ferry{n}")
        for n, text in enumerate(REPLIES)
    ),
    *happening("quillon", BREAKING, BREAKING_AT, 2 * MINUTE),
    *happening("tagged", TAGGED, AS_OF - 2 * HOUR, MINUTE),
    *happening("quake", QUAKE, FERRY_AT),
    *(
        post(f"terremoto{n}", FERRY_AT + n * MINUTE, text, f"autor{n}", lang="es")
        for n, text in enumerate(TERREMOTO)
    ),
    *happening("both", BOTH, AS_OF - 2 * HOUR, MINUTE),
]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Ordinary days, the happenings, and what comes beside them; read only."""
    opened = store_of(tmp_path_factory.mktemp("leading") / "store", small_talk(), NEWS, REST)
    yield opened
    opened.close()


def test_talk_bursts_and_is_not_listed(busy: Store) -> None:
    assert not any("marmalad" in found.terms for found in stories(busy, AS_OF, DAY))
    with detect(busy, AS_OF, DAY) as found:
        talk = next(ranked for ranked, cluster in found.ranked if "marmalad" in cluster.terms)
        ferry = next(ranked for ranked, cluster in found.ranked if "corvina" in cluster.terms)
    assert talk.evidence
    assert ferry.evidence
    assert chance(talk.evidence) < 0.3 < 0.9 < chance(ferry.evidence)
    assert not talk.leads
    assert ferry.leads
    assert any("marmalad" in found.terms for found in stories(busy, AS_OF, DAY, limit=200))


def test_what_is_said_in_reply_to_a_story_is_part_of_it(busy: Store) -> None:
    listed = stories(busy, AS_OF, DAY, limit=200)
    ferry = next(found for found in listed if "ferry0" in found.post_ids)
    assert {f"reply{n}" for n in range(5)} <= set(ferry.post_ids)
    assert sum("reply0" in found.post_ids for found in listed) == 1
    assert "insur" not in ferry.headline.text
    found = story(busy, ferry.id, AS_OF)
    assert found is not None
    assert set(ferry.post_ids) <= set(found[0].post_ids)


def test_breaking_news_is_listed_before_its_posts_share_two_words(busy: Store) -> None:
    early = stories(busy, BREAKING_AT + 9 * MINUTE, DAY)
    assert any(set(found.post_ids) == {f"quillon{n}" for n in range(5)} for found in early)


def test_wording_and_links_of_posts() -> None:
    report = [
        post(str(n), 0, text, urls=("https://news.example/ferry",)).post for n, text in enumerate(FERRY)
    ]
    talk = [post(str(n), 0, text, urls=("https://i.imgur.com/a.png",)).post for n, text in enumerate(TALK)]
    assert linking(report) == 1.0
    assert linking(talk) == 0.0
    assert linking([post("1", 0, "see", urls=("https://[broken",)).post]) == 0.0
    manner, reports, first_person, _ = zip(wording(report), wording(talk), strict=True)
    assert manner[0] > manner[1]
    assert reports[0] > reports[1]
    assert first_person[0] < first_person[1]


def test_each_measure_moves_the_chance_as_its_name_says() -> None:
    usual = Evidence(2.0, 1.0, 1.0, 0.8, 0.2, 0.2, 0.1, 0.0)
    for name in ("score", "growth", "terms", "manner", "reports", "likeness", "links"):
        assert chance(usual._replace(**{name: getattr(usual, name) + 0.5})) > chance(usual)
    assert chance(usual._replace(first_person=0.7)) < chance(usual)


def test_a_tag_is_listed_with_the_story_that_it_is_of(busy: Store) -> None:
    listed = stories(busy, AS_OF, DAY)
    ferry = next(found for found in listed if "ferry0" in found.post_ids)
    mayor = next(found for found in listed if "mayor0" in found.post_ids)
    assert "#corvina" in ferry.tags
    assert {"both0", "both1"} & set(mayor.post_ids)
    assert "#corvina" not in mayor.tags


def test_a_happening_in_two_languages_is_one_story(busy: Store) -> None:
    both = [found for found in stories(busy, AS_OF, DAY) if {"quake0", "terremoto0"} & set(found.post_ids)]
    assert len(both) == 1
    assert both[0].languages["en"] >= 6
    assert both[0].languages["es"] >= 5


def test_stories_in_two_languages_about_two_happenings_stay_two() -> None:
    strike = [
        "Grève des trains à Lyon",
        "Lyon : grève des trains demain",
        "Trains en grève à Lyon, dit la direction",
    ]
    quake = [post(str(n), 0, text).post for n, text in enumerate(QUAKE)]
    french = [post(str(n), 0, text, lang="fr").post for n, text in enumerate(strike)]
    spanish = [post(str(n), 0, text, lang="es").post for n, text in enumerate(TERREMOTO)]
    assert translations({"quake": quake, "terremoto": spanish, "strike": french}) == {"terremoto": "quake"}
    assert translations({"quake": quake, "again": quake, "none": []}) == {}
