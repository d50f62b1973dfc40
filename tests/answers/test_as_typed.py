"""Requests as people type them: shorthand, no capitals, several kinds of people in one number, deaths of a kind."""

import pytest

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.names import recased
from trinch.answers.quantities import figures
from trinch.answers.ranking import holds_person, reports_death
from trinch.answers.request import interpret, spelled_out
from trinch.answers.story_requests import read
from trinch.answers.time_expressions import period
from trinch.answers.types import Answer

AS_OF = us("2031-05-03T12:00+00:00")


def corpus(*texts: str, hour: int = 8) -> FakeCorpus:
    """Posts of different authors, ten minutes apart, among noise."""
    posts = [
        post(f"p{n}", f"2031-05-03T{hour + n // 6:02}:{n % 6}0+00:00", text, f"author{n}")
        for n, text in enumerate(texts)
    ]
    return FakeCorpus([*posts, *NOISE])


def ask(store: FakeCorpus, text: str) -> Answer:
    return answer(store, text, AS_OF)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("what do ppl think abt the ferry lol", "what do people think about the ferry"),
        ("y is the ferry late", "why is the ferry late"),
        ("pq le ferry est en retard ?", "pourquoi le ferry est en retard ?"),
        ("R and D budget", "R and D budget"),
    ],
)
def test_shorthand_is_spelled_out(typed: str, meant: str) -> None:
    assert spelled_out(typed) == meant


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("what do ppl think about the Aurelia", "opinions"),
        ("is the Aurelia any good?", "opinions"),
        ("how did the fire on the Aurelia start", "explain"),
        ("what did i miss since yesterday", "trends"),
        ("Aurelia vs Belmora, what was the final score", "question"),
        ("which ferry killed more people, Aurelia or Belmora", "comparison"),
        ("Aurelia highlights", "summary"),
        ("why does everyone hate the Aurelia", "explain"),
        ("why is everyone talking about the Aurelia", "summary"),
        ("why is the Aurelia trending", "summary"),
        ("pourquoi parle-t-on de l'Aurelia ?", "summary"),
        ("¿por qué se habla del Aurelia?", "summary"),
        ("warum reden alle über die Aurelia", "summary"),
        ("perché tutti parlano dell'Aurelia", "summary"),
        ("por que se fala do Aurelia", "summary"),
    ],
)
def test_the_task_is_read_as_typed(text: str, task: str) -> None:
    assert interpret(text, AS_OF, FakeCorpus(FERRY + NOISE)).task == task


def test_the_sides_of_a_comparison_are_the_last_two_named() -> None:
    request = interpret("which storm killed more people, Aurelia or Belmora", AS_OF, FakeCorpus(NOISE))
    assert request.sides == ("Aurelia", "Belmora")


def test_a_name_typed_without_capitals_is_written_as_posts_write_it() -> None:
    store = corpus(
        "The singer Mira Kolt left the band in spring",
        "Fans say that Mira Kolt will return",
        "We saw Mira Kolt at the market, the singer bought bread",
        "Her sister Mira Koltenberg stays at home and will legalise nothing",
    )
    assert recased("why did mira kolt leave the band", store.hits) == "why did Mira Kolt leave the band"
    assert recased("why did mira koltenberg leave", store.hits) == "why did Mira Koltenberg leave"
    assert recased("did mira legalise it", store.hits) == "did Mira legalise it"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4 cartoonists killed", [("dead", 4, "journalists")]),
        ("12 people, including 2 officers, were killed", [("dead", 12, ""), ("dead", 2, "police")]),
        ("at least 24 dead, 7 of them children", [("dead", 24, ""), ("dead", 7, "children")]),
        ("7 of the dead are children", [("dead", 7, "children")]),
        ("Death toll of the 7.8 quake now at 876", [("dead", 876, "")]),
        ("6.0 quake, dozens hurt", []),
    ],
)
def test_a_number_says_whom_it_counts(text: str, expected: list[tuple[str, int, str]]) -> None:
    assert [(f.quantity, f.value, f.part) for f in figures(text)] == expected


def test_a_part_of_the_dead_is_not_the_toll_and_answers_only_who_asks_for_it() -> None:
    store = corpus(
        "Attack in Veldhaven: 12 dead, police say",
        "12 people were killed in the Veldhaven attack, ministry confirms",
        "5 officers killed in the Veldhaven attack",
        "5 police officers killed in Veldhaven attack, mayor says",
    )
    assert "12" in ask(store, "how many people died in the Veldhaven attack").headline
    assert "5" in ask(store, "how many officers died in the Veldhaven attack").headline


def test_a_replaced_toll_is_no_rival_and_no_point_of_a_summary() -> None:
    store = corpus(
        "Quake in Veldhaven kills 120, officials say",
        "Veldhaven quake: 120 dead, says the ministry",
        "Death toll of the Veldhaven quake rises to 300",
        "Veldhaven quake death toll now 300, officials confirm",
        "Death toll in Veldhaven quake has reached 420, police say",
        "Veldhaven quake: 420 dead, minister says",
        "Reports from the Veldhaven quake: 120 dead so far",
        "Reports from the earthquake in Veldhaven: 120 killed so far",
    )
    counted = ask(store, "how many died in the Veldhaven quake")
    assert counted.outcome == "answer"
    assert "420" in counted.headline
    summed = ask(store, "summarise the Veldhaven quake")
    assert not any("120" in claim.text or "300" in claim.text for claim in summed.claims)


def test_anybody_dead_asks_for_a_number() -> None:
    store = corpus(
        "3 dead in Veldhaven train crash, police say", "Veldhaven train crash kills 3, mayor confirms"
    )
    given = ask(store, "did anyone die in the Veldhaven train crash?")
    assert given.task == "question"
    assert "3" in given.headline


def test_a_claim_is_denied_by_its_opposite() -> None:
    store = corpus(
        "Senate of Veldhaven rejects the harbour bill in 54-46 vote",
        "The harbour bill fails in the Veldhaven senate",
        "Harbour bill defeated by the Veldhaven senate, a long night",
    )
    given = ask(store, "did the harbour bill pass the Veldhaven senate?")
    assert given.outcome == "answer"
    assert given.headline.startswith("Denied")


def test_a_verdict_quotes_no_question() -> None:
    store = corpus(
        "Did Veldhaven close the harbour?",
        "Veldhaven closed the harbour this morning, officials say",
        "The harbour of Veldhaven is closed",
        "Officials closed the Veldhaven harbour after the storm",
    )
    given = ask(store, "is it true that Veldhaven closed the harbour?")
    assert given.claims
    assert not any(claim.text.endswith("?") for claim in given.claims)


def test_offers_jests_and_mourning_are_no_opinion() -> None:
    store = corpus(
        "I love the Novela, best console I ever had",
        "The Novela is amazing, so happy with it",
        "Novela is wonderful, I love every game on it",
        "The Novela is awful, I hate it, worst console ever",
        "So disappointed by the Novela, what an awful console",
        "Novela amazing bundle, great price, only $99",
        "lol the Novela is a wonderful joke",
        "Sad to hear that the maker of the Novela died, terrible loss",
    )
    given = ask(store, "opinions on the Novela")
    sides = {claim.text: claim.label for claim in given.claims}
    assert {label for text, label in sides.items() if "love" in text} == {"positive"}
    assert {label for text, label in sides.items() if "awful" in text} == {"negative"}
    assert all(
        label == "other" for text, label in sides.items() if "$99" in text or "joke" in text or "Sad" in text
    )
    assert "60 %" in given.headline


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("Slate guitarist Jon Hasselman dead", True),
        ("RIP Rea Manzoni, one of my favorite bassists", True),
        ("Rea Manzoni, keyboardist and founding member of The Gates, passed away", True),
        ("Famed composer Dutreux dies aged 97", True),
        ("Official statement from 'As We Lie Dying' on the singer's arrest", False),
        ("A song of mine called Dead Batteries", False),
        ("Name an obscure jazz musician (dead or alive)", False),
    ],
)
def test_a_death_is_reported_of_somebody_named(text: str, reported: bool) -> None:
    assert reports_death(text, frozenset()) is reported


def test_a_list_of_dead_musicians_holds_no_other_deaths_and_no_titles() -> None:
    store = corpus(
        "Slate guitarist Jon Hasselman dead at 49",
        "Rea Manzoni, keyboardist of The Gates, dies at 74",
        "Senator Paul Quill dies at 80",
        "New song by the band As We Lie Dying, the singer is great",
        "The Walking Dead actor plays guitar in a band",
    )
    given = ask(store, "which musicians died this month?")
    texts = [claim.text for claim in given.claims]
    assert len(texts) == 2
    assert all("Hasselman" in text or "Manzoni" in text for text in texts)
    assert given.headline == "Musicians that posts report:"


def test_who_is_answered_by_a_name() -> None:
    aside = frozenset(["who", "won", "the", "race"])
    assert holds_person("after a long fight Ada Brandt crossed the line first", aside)
    assert holds_person("today King Wilmar took the crown in the old town hall", aside | {"king"})
    assert not holds_person("the race was run in Port Halden on a rainy day", aside)


def test_a_reason_for_what_never_was_is_refused_and_names_all_that_was_asked() -> None:
    store = corpus(*[f"Mayor Ada Brandt opens the market hall number {n}, a good day" for n in range(6)])
    given = ask(store, "why did Ada Brandt resign?")
    assert given.outcome == "not_enough_evidence"
    assert "resign" in given.headline
    assert "what do we know about Ada Brandt?" in given.headline


def test_how_people_feel_need_not_be_said_by_the_reason() -> None:
    store = corpus(
        "Owners shut down Kestrel Games after the failed merger",
        "Kestrel Games closed because the owners ran out of money",
        "Kestrel Games is gone, the merger failed",
    )
    assert ask(store, "why is everyone sad about Kestrel Games?").outcome == "answer"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("what's trending in French?", "in French"),
        ("what's trending in french", "in French"),
        ("top stories in Egypt today", "in Egypt"),
        ("top tech stories", "tech"),
    ],
)
def test_a_restriction_is_shown_as_it_is_written(text: str, shown: str) -> None:
    asked = read(text, AS_OF)
    assert asked is not None
    assert asked.only.shown == shown


def test_last_night_is_a_time() -> None:
    found = period("what happened at the harbour last night", AS_OF)
    assert found is not None
    assert (found.since, found.until) == (us("2031-05-02T18:00+00:00"), us("2031-05-03T12:00+00:00"))


def test_a_whole_post_is_no_copy_of_a_longer_one_with_a_number() -> None:
    store = corpus(
        "President declares major disaster in Veldhaven after devastating tornado",
        "President declares major disaster in Veldhaven, with 51 confirmed dead and 120 injured after devastating tornado http://t.co/…",
    )
    assert "120" in ask(store, "how many were injured in the Veldhaven tornado").headline
