"""Whether something is so: which side a sentence takes of a claim and of its contrary, in six languages."""

import pytest

from tests.answers.fake import NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.polarity import claim_of, points_back, stance
from trinch.answers.question import understand
from trinch.answers.request import interpret
from trinch.answers.types import Answer

AS_OF = us("2031-05-04T12:00+00:00")


def corpus(*texts: str, lang: str = "en", verified: bool = False) -> FakeCorpus:
    posts = [
        post(
            f"v{n}",
            f"2031-05-03T{8 + n:02}:00+00:00",
            text,
            f"author{n}",
            lang,
            author_verified=verified and not n,
        )
        for n, text in enumerate(texts)
    ]
    return FakeCorpus([*posts, *NOISE])


def verdict(store: FakeCorpus, text: str) -> Answer:
    return answer(store, text, AS_OF)


SAFE = [
    ("Tap water in Port Esker is safe to drink", 1),
    ("Do not drink: the water in Port Esker is contaminated", -1),
    ("The water in Port Esker is not safe, say doctors", -1),
    ("There is no evidence that the water is unsafe", 1),
    ("Reports that the water in Port Esker is toxic are false", 1),
    ("Officials deny that the water is safe", -1),
    ("False: the water in Port Esker is toxic", 1),
    ("There was no leak and the water is safe", 1),
    ("Messages saying otherwise are false", 0),
    ("The safe house is full and the river is polluted", 0),
]


@pytest.mark.parametrize(("text", "side"), SAFE)
def test_a_denial_of_the_contrary_supports_a_claim(text: str, side: int) -> None:
    store = corpus(text)
    asked = understand("is the water safe", AS_OF, store)
    assert stance(claim_of(asked, "water safe"), text, "en") == side
    contrary = understand("is the water contaminated", AS_OF, store)
    assert stance(claim_of(contrary, "water contaminated"), text, "en") == -side


@pytest.mark.parametrize(
    ("lang", "asked", "contrary", "texts"),
    [
        ("en", "is the water in Veldhaven safe?", "is the water in Veldhaven contaminated?", ("The water in Veldhaven is safe to drink", "Messages saying otherwise are false")),
        ("fr", "l'eau de Veldhaven est-elle potable ?", "l'eau de Veldhaven est-elle contaminée ?", ("L'eau de Veldhaven est potable", "Les messages qui disent le contraire sont faux")),
        ("es", "¿es segura el agua de Veldhaven?", "¿está contaminada el agua de Veldhaven?", ("El agua de Veldhaven es segura", "Los mensajes que dicen lo contrario son falsos")),
        ("de", "ist das Wasser in Veldhaven sicher?", "ist das Wasser in Veldhaven verseucht?", ("Das Wasser in Veldhaven ist sicher", "Anderslautende Meldungen sind falsch")),
        ("it", "l'acqua di Veldhaven è sicura?", "l'acqua di Veldhaven è contaminata?", ("L'acqua di Veldhaven è sicura", "I messaggi che dicono il contrario sono falsi")),
        ("pt", "a água de Veldhaven é segura?", "a água de Veldhaven está contaminada?", ("A água de Veldhaven é segura", "Mensagens que dizem o contrário são falsas")),
    ],
)  # fmt: skip
def test_both_polarities_in_six_languages(
    lang: str, asked: str, contrary: str, texts: tuple[str, str]
) -> None:
    store = corpus(f"{texts[0]}. {texts[1]}.", lang=lang, verified=True)
    given = verdict(store, asked)
    assert (given.task, given.outcome) == ("verify", "answer")
    assert given.claims[0].text == f"{texts[0]}."
    denied = verdict(store, contrary)
    assert (denied.task, denied.outcome) == ("verify", "answer")
    assert denied.headline != given.headline
    assert denied.claims[0].text == f"{texts[0]}."


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("is the bridge in Veldhaven open", "The bridge in Veldhaven remains closed until Monday"),
        ("is the mayor of Veldhaven dead", "The mayor of Veldhaven is alive and well"),
        ("is the video from Veldhaven fake", "The video from Veldhaven is real, police confirm"),
        ("was the blast in Veldhaven sabotage", "The blast in Veldhaven was an accident, police say"),
        ("are the trains in Veldhaven running", "All trains in Veldhaven are cancelled today"),
        ("is the fire in Veldhaven extinguished", "The fire in Veldhaven is still burning, crews say"),
    ],
)
def test_opposites_are_no_support(claim: str, text: str) -> None:
    given = verdict(corpus(text, verified=True), claim)
    assert given.headline.startswith("Denied")


def test_what_points_back_is_a_denial_of_the_sentence_before() -> None:
    assert points_back("That is fake.")
    assert not points_back("Messages saying otherwise are false.")
    store = corpus("They say the mayor of Veldhaven is dead. That is a hoax.", verified=True)
    assert verdict(store, "is the mayor of Veldhaven dead?").headline.startswith("Denied")


def test_a_side_that_cannot_be_decided_is_no_verdict() -> None:
    store = corpus("Veldhaven bridge: closed on Sunday, open on Monday, says the council", verified=True)
    assert verdict(store, "is the Veldhaven bridge open?").headline.startswith("Unclear")


def test_later_posts_overtake_what_earlier_ones_said() -> None:
    store = corpus(
        "The bridge in Veldhaven is closed",
        "Bridge in Veldhaven closed, says the council",
        "The bridge in Veldhaven is open again",
        "Veldhaven: the bridge is open, drivers report",
        "At last: the old bridge in Veldhaven reopened this morning",
    )
    assert verdict(store, "is the bridge in Veldhaven closed?").headline.startswith("Denied")
    opened = verdict(store, "is the bridge in Veldhaven open?")
    assert opened.outcome == "answer"
    assert "deny it: 0" in opened.headline


def test_a_number_is_right_or_wrong_by_the_newest_count() -> None:
    store = corpus(
        "Blast in Veldhaven: 11 dead, police say",
        "Police: 11 people died in the Veldhaven blast",
        "Toll of the Veldhaven blast rises to 12 dead",
        "12 people died in the Veldhaven blast, mayor confirms",
    )
    denied = verdict(store, "is it true that 11 people died in the Veldhaven blast?")
    assert denied.headline.startswith("Denied")
    assert "Dead: 12" in denied.headline
    assert verdict(store, "did 12 people die in the Veldhaven blast?").outcome == "answer"
    assert verdict(store, "did more than 5 people die in the Veldhaven blast?").outcome == "answer"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("l'acqua è potabile?", "verify"),
        ("le pont est fermé ?", "verify"),
        ("a ponte está fechada?", "verify"),
        ("comment est le pont ?", "question"),
        ("dove è il ponte?", "question"),
    ],
)
def test_a_question_of_yes_or_no_is_known_in_plain_word_order(text: str, task: str) -> None:
    assert interpret(text, AS_OF, FakeCorpus(NOISE)).task == task
