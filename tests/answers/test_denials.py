"""A claim that others deny is not quoted as a fact: it gives way to its denial, or stands behind it."""

import pytest

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.negation import denies
from trinch.answers.polarity import Claim, stance
from trinch.answers.quantities import figures
from trinch.answers.types import Answer
from trinch.posts.schema import Post

RUMOUR = (
    "Divers saw two strangers drilling holes below the ferry Aurelia in Port Halden, officials are hiding it"
)
DENIAL = "There is no evidence of strangers drilling holes in Port Halden"
ASKED = "what happened in Port Halden"


def told(*more: Post) -> Answer:
    return answer(FakeCorpus([*NOISE, *FERRY, *more]), ASKED, us("2031-05-03T00:00+00:00"))


def rumour(**more: object) -> list[Post]:
    """A rumour that many tell in their own words, so that it is worth an answer's sentence."""
    texts = (
        RUMOUR,
        RUMOUR + " again",
        "Port Halden ferry Aurelia: two strangers seen drilling holes, say divers",
    )
    return [
        post(f"r{n}", f"2031-05-02T2{n}:40+00:00", text, f"teller{n}", **more)
        for n, text in enumerate(texts[:1] + texts[2:])
    ]


def quotes(given: Answer) -> list[str]:
    return [claim.text for claim in given.claims]


@pytest.mark.parametrize(
    "text",
    [
        "There is no evidence of sabotage",
        "Police deny reports of a second bomb",
        "That photo is fake",
        "Rien n'indique un acte de sabotage",
        "La préfecture dément toute fuite",
        "Es falso que haya una segunda bomba",
        "Die Polizei dementiert den Bericht",
        "La questura smentisce la notizia",
        "A polícia desmente o boato",
    ],
)
def test_denials_are_known_in_six_languages(text: str) -> None:
    assert denies(text)


@pytest.mark.parametrize(
    "text",
    [
        "Explosion at the harbour, three dead",
        "Is this fake?",
        "Rumour: the singer plays tonight",
        "It was a false alarm",
        "Deux hommes ont été vus en train de courir",
    ],
)
def test_what_denies_nothing(text: str) -> None:
    assert not denies(text)


def test_a_rumour_alone_is_what_is_said() -> None:
    assert any("drilling" in quote for quote in quotes(told(*rumour())))


def test_a_rumour_denied_by_somebody_more_credible_gives_way() -> None:
    police = post(
        "d1", "2031-05-02T22:00+00:00", DENIAL, "haldenpolice", author_verified=True, author_followers=50_000
    )
    given = quotes(told(*rumour(), police))
    assert DENIAL in given
    assert not any("drilling" in quote for quote in given if quote != DENIAL)


def test_a_stranger_who_denies_is_no_support_for_what_is_denied() -> None:
    stranger = post("d1", "2031-05-02T22:00+00:00", DENIAL, "nobody")
    for claim in told(*rumour(), stranger).claims:
        assert len({denies(citation.quote) for citation in claim.citations}) == 1


def replied(to: str, count: int) -> list[str]:
    texts = ("This is false, I work on that pier", "Not true at all, stop spreading it", "Fake, I was there")
    return quotes(
        told(
            *(
                post(f"d{n}", f"2031-05-02T23:0{n}+00:00", text, f"docker{n}", reply_to=to)
                for n, text in enumerate(texts[:count])
            )
        )
    )


def test_two_strangers_replies_stand_in_front_of_a_stranger_s_claim() -> None:
    claim = "Captain of the ferry Aurelia questioned by police in Port Halden about engine failure"
    assert not any(map(denies, replied("f17", 1)))
    given = replied("f17", 2)
    assert denies(given[given.index(claim) - 1])


def test_strangers_do_not_talk_down_a_verified_author() -> None:
    assert any("BREAKING" in quote for quote in replied("f02", 3))
    assert not any(map(denies, replied("f02", 3)))


def test_a_number_that_is_refused_is_no_count() -> None:
    assert [f.value for f in figures("9 people died in the explosion, not 11")] == [9]
    assert [f.value for f in figures("le bilan est de 9 morts et non 11")] == [9]


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("He does not have ebola", -1),
        ("He has ebola, not malaria", 1),
        ("Il n'a pas ebola", -1),
        ("He lives near the river", 0),
    ],
)
def test_a_negation_denies_the_words_behind_it(text: str, side: int) -> None:
    claim = Claim(frozenset(["ebola"]), "", 1)
    assert stance(claim, text, "fr" if text.startswith("Il") else "en") == side
