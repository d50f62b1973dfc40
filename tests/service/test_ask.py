"""Questions in a conversation, and operators written into them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.service.ask import interpret
from trinch.service.conversation import follow_up
from trinch.service.serialize import answer_json, safe_url
from trinch.store.query import MAX_LENGTH
from trinch.store.store import Store

FERRY = "How many people died in the Bergen ferry accident?"
DE = "Wie viele Menschen starben bei dem Fährunglück in Bergen?"
ES = "¿Cuántas personas murieron en el accidente de Bergen?"
PT = "Quantas pessoas morreram no acidente de Bergen?"
IT = "Quante persone sono morte nell'incidente di Bergen?"
JA = "ベルゲンの事故で何人が死亡しましたか？"


@pytest.mark.parametrize(
    ("earlier", "question", "meant"),
    [
        ([], "and then?", "and then?"),
        ([FERRY], "Who won the regatta in Kiel?", "Who won the regatta in Kiel?"),
        ([FERRY], "how many were injured there?", "how many were injured there? Bergen ferry accident"),
        ([FERRY], "and the injured?", "how many and the injured? Bergen ferry accident"),
        ([FERRY], "when was that?", "when was that? Bergen ferry accident"),
        ([FERRY], "and in Kiel?", "How many people died in the ferry accident Kiel"),
        ([FERRY, "and in Kiel?"], "where was it?", "where was it? ferry accident Kiel"),
        ([FERRY], "what about now?", f"{FERRY.rstrip('?')} what about now?"),
        (["Que se passe-t-il à Lyon ?"], "et à Nantes ?", "Que se passe-t-il à Nantes"),
        (["Combien de morts à Lyon ?"], "et les blessés ?", "combien et les blessés ? Lyon"),
        (["Combien de morts à Lyon ?"], "quand était-ce ?", "quand était-ce ? Lyon"),
        ([DE], "und in Kiel?", "Wie viele Menschen starben bei dem Fährunglück in Kiel"),
        ([DE], "was ist mit Kiel?", "Wie viele Menschen starben bei dem Fährunglück in Kiel"),
        ([DE], "und die Verletzten?", "wie viele und die Verletzten? Fährunglück Bergen"),
        ([DE], "Wie viele wurden dort verletzt?", "Wie viele wurden verletzt? Fährunglück Bergen"),
        ([DE], "Wann war es?", "Wann war es? Fährunglück Bergen"),
        ([DE], "und der Kapitän?", "und der Kapitän? Fährunglück Bergen"),
        ([ES], "¿y en Kiel?", "¿Cuántas personas murieron en el accidente de Kiel"),
        ([ES], "¿y los heridos?", "cuantas ¿y los heridos? accidente Bergen"),
        ([ES], "¿cuántos heridos hubo allí?", "¿cuántos heridos hubo accidente Bergen"),
        ([ES], "¿cuándo fue eso?", "¿cuándo fue eso? accidente Bergen"),
        ([PT], "e em Kiel?", "Quantas pessoas morreram no acidente de Kiel"),
        ([PT], "quando foi isso?", "quando foi isso? acidente Bergen"),
        ([PT], "quantos feridos houve ali?", "quantos feridos houve acidente Bergen"),
        ([IT], "e a Kiel?", "Quante persone sono morte nell'incidente di Kiel"),
        ([IT], "e i feriti?", "quante e i feriti? nell'incidente Bergen"),
        ([IT], "quando è successo questo?", "quando è successo questo? nell'incidente Bergen"),
        ([JA], "そこで何人が負傷しましたか？", f"{JA[:-1]} そこで何人が負傷しましたか？"),
        ([JA], "負傷者は？", f"{JA[:-1]} 負傷者は？"),
        ([JA], "では、負傷者は何人ですか？", f"{JA[:-1]} では、負傷者は何人ですか？"),
    ],
)
def test_a_follow_up_takes_what_it_leaves_unsaid(earlier: list[str], question: str, meant: str) -> None:
    assert follow_up(earlier, question) == meant


@pytest.mark.parametrize("before", [FERRY, DE, ES, PT, IT, JA])
@pytest.mark.parametrize(
    "question",
    [
        "is there a fire in Kiel?",
        "What happened in Kiel this week?",
        "Did NATO say that Russia attacked Poland?",
        "What did Trump say about his wife?",
        "is it true that Putin is dead?",
        "and the fire in Kiel?",
        "and how many died in Kiel?",
        "Où a eu lieu l'explosion de Lyon ?",
        "Que se passe-t-il à Nantes ?",
        "Y a-t-il un incendie à Lyon ?",
        "qu'est-il arrivé à Lyon ?",
        "Que s'est-il passé cette semaine à Lyon ?",
        "et combien de blessés à Lyon ?",
        "Gibt es einen Brand in Kiel?",
        "Was ist diese Woche in Kiel passiert?",
        "Wer gewann die Regatta in Kiel?",
        "und der Brand in Kiel?",
        "¿Dónde está Kiel?",
        "¿Qué pasó esta semana en Kiel?",
        "¿Quién es el alcalde de Kiel?",
        "O que aconteceu em Kiel?",
        "Quem ganhou a regata de Kiel?",
        "Cosa è successo a Kiel questa settimana?",
        "Chi ha vinto la regata di Kiel?",
        "キールで何が起きましたか？",
    ],
)
def test_a_question_that_says_all_stands_alone(before: str, question: str) -> None:
    assert follow_up([before], question) == question


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("Was ist in Port Esker passiert?", "und wie viele wurden dort verletzt?"),
        ("¿Qué pasó en Port Esker?", "¿y cuántos heridos hubo allí?"),
        ("O que aconteceu em Port Esker?", "e quantos feridos houve ali?"),
        ("Cosa è successo a Port Esker?", "e i feriti?"),
        ("Que se passe-t-il à Port-Esker ?", "et combien de blessés ?"),
    ],
)
def test_a_conversation_in_other_languages_is_answered(sample_data: Path, first: str, then: str) -> None:
    store = Store.open(sample_data)
    assert answer_json(store, interpret(first))["outcome"] == "answer"
    assert "31" in answer_json(store, interpret(then, earlier=[first]))["answer"]
    assert answer_json(store, interpret(then))["outcome"] == "not_enough_evidence"


def test_a_count_is_not_quoted_beside_one_that_was_corrected(sample_data: Path) -> None:
    store = Store.open(sample_data)
    asked = interpret("How many were injured there?", earlier=["What happened in Port Esker?"])
    first = answer_json(store, asked)["claims"][0]["text"]
    assert "31" in first
    assert "11 dead" not in first
    assert "10" in first


@given(st.lists(st.text(max_size=60), max_size=4), st.text(max_size=80))
def test_any_conversation_has_a_meaning(earlier: list[str], question: str) -> None:
    asked = follow_up(earlier, question)
    assert asked == follow_up(earlier, question)
    assert len(asked) <= 80 + 4 * 100


def test_operators_in_a_question_restrict_it() -> None:
    asked = interpret('what happened from:ann -lang:fr since:2026-01-01? "at: noon"', where="min_faves:3")
    assert asked.question == 'what happened "at: noon"'
    assert asked.where == "(min_faves:3) (from:ann -lang:fr since:2026-01-01)"


def test_a_restriction_as_long_as_may_be_leaves_room_for_our_own(sample_data: Path) -> None:
    long = " ".join(f"-from:nobody{n:068}" for n in range(50))
    assert MAX_LENGTH - 50 < len(long) < MAX_LENGTH
    store, question = Store.open(sample_data), "What happened in Port Esker on 17 March 2026?"
    assert answer_json(store, interpret(question, where=long))["outcome"] == "answer"
    assert answer_json(store, interpret(question, where="from:nobody"))["outcome"] == "not_enough_evidence"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//e.example",
        "",
        'https://e.example/"onload=x',
        "https://",
        "ftp://x",
    ],
)
def test_only_web_links_are_links(url: str) -> None:
    assert safe_url(url) is None
    assert safe_url("https://e.example/a?b=c#d") == "https://e.example/a?b=c#d"
