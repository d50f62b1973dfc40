"""Conversations, operators, other vendors' filters, and the text with citations."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.server.http.errors import Problem
from trinch.server.openai.markdown import escape_markdown, piece_of
from trinch.server.openai.search_filters import Extension, Filters, SearchParameters, Tool, XSource, where
from trinch.service.ask import understood
from trinch.service.conversation import follow_up
from trinch.service.serialize import answered, web
from trinch.store.query import MAX_LENGTH, parse
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
    assert answered(store, understood(first))["outcome"] == "answer"
    assert "31" in answered(store, understood(then, earlier=[first]))["answer"]
    assert answered(store, understood(then))["outcome"] == "not_enough_evidence"


def test_a_count_is_not_quoted_beside_one_that_was_corrected(sample_data: Path) -> None:
    store = Store.open(sample_data)
    asked = understood("How many were injured there?", earlier=["What happened in Port Esker?"])
    first = answered(store, asked)["claims"][0]["text"]
    assert "31" in first
    assert "11 dead" not in first
    assert "10" in first


@given(st.lists(st.text(max_size=60), max_size=4), st.text(max_size=80))
def test_any_conversation_has_a_meaning(earlier: list[str], question: str) -> None:
    asked = follow_up(earlier, question)
    assert asked == follow_up(earlier, question)
    assert len(asked) <= 80 + 4 * 100


def test_operators_in_a_question_restrict_it() -> None:
    asked = understood('what happened from:ann -lang:fr since:2026-01-01? "at: noon"', where="min_faves:3")
    assert asked.question == 'what happened "at: noon"'
    assert asked.where == "(min_faves:3) (from:ann -lang:fr since:2026-01-01)"


def test_a_restriction_as_long_as_may_be_leaves_room_for_our_own(sample_data: Path) -> None:
    long = " ".join(f"-from:nobody{n:068}" for n in range(50))
    assert MAX_LENGTH - 50 < len(long) < MAX_LENGTH
    store, question = Store.open(sample_data), "What happened in Port Esker on 17 March 2026?"
    assert answered(store, understood(question, where=long))["outcome"] == "answer"
    assert answered(store, understood(question, where="from:nobody"))["outcome"] == "not_enough_evidence"


@pytest.mark.parametrize(
    ("filters", "operators"),
    [
        (Filters(), ""),
        (
            Filters(tools=[Tool("x_search", allowed_x_handles=["@ann", "bob.example"])]),
            "(from:ann OR from:bob.example)",
        ),
        (Filters(tools=[Tool("x_search", excluded_x_handles=["ann", "bob"])]), "-from:ann -from:bob"),
        (
            Filters(tools=[Tool("x_search", from_date="2026-01-01", to_date="2026-01-31")]),
            'since:"2026-01-01" until:"2026-02-01"',
        ),
        (Filters(tools=[Tool("function"), Tool("web_search")]), ""),
        (
            Filters(
                search_parameters=SearchParameters(
                    sources=[XSource("x", x_handles=["a"], post_favorite_count=9)]
                )
            ),
            "(from:a) min_faves:9",
        ),
        (
            Filters(search_recency_filter="week", search_after_date_filter="3/1/2026"),
            "within_time:7d since:2026-03-01",
        ),
        (Filters(trinch=Extension(where="cat OR dog")), "(cat OR dog)"),
    ],
)
def test_filters_become_operators(filters: Filters, operators: str) -> None:
    assert where(filters) == operators
    parse(operators)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(tools=[Tool("x_search", allowed_x_handles=["a"], excluded_x_handles=["b"])]),
        Filters(tools=[Tool("x_search", allowed_x_handles=['a" OR b'])]),
        Filters(tools=[Tool("x_search", to_date="9999-12-31")]),
        Filters(tools=[Tool("web_search", allowed_domains=["example.org"])]),
        Filters(tools=[Tool("web_search", filters={"allowed_domains": ["example.org"]})]),
        Filters(search_parameters=SearchParameters(mode="off")),
        Filters(disable_search=True),
        Filters(search_domain_filter=["example.org"]),
        Filters(search_before_date_filter="2026"),
    ],
)
def test_what_cannot_be_honoured_is_refused(filters: Filters) -> None:
    with pytest.raises(Problem) as caught:
        where(filters)
    assert caught.value.status == 400
    assert caught.value.param


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain #tag @user_name 3 * 4", "plain #tag @user_name 3 \\* 4"),
        ("![x](https://evil.example/p.png)", "!\\[x\\](https://evil.example/p.png)"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)>"),
        ("**loud** _soft_ ~~gone~~ `code`", "\\*\\*loud\\*\\* \\_soft\\_ \\~~gone\\~~ \\`code\\`"),
        ("# not a heading", "\\# not a heading"),
        ("1. not a list", "1\\. not a list"),
        ("https://a.example/b_c_d", "https://a.example/b_c_d"),
        ("a [1] forged mark", "a \\[1\\] forged mark"),
    ],
)
def test_posts_are_shown_as_typed(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@given(st.text(max_size=80))
def test_escaping_adds_backslashes_and_nothing_else(text: str) -> None:
    undone = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escape_markdown(text))
    assert undone == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]<`*]", escape_markdown(text))


def test_offsets_are_of_the_sentence_in_the_text() -> None:
    citation = {
        "n": 1,
        "url": None,
        "key": "x:1 (2)",
        "author": "",
        "network": "x",
        "created_at": "2026-01-01T00:00:00Z",
    }
    claim = {"text": "a [b] 🦉", "citations": [citation, citation | {"n": 2, "url": "https://e.example/(x)"}]}
    piece = piece_of(claim, 10, "http://here", linked=True)
    text = "0123456789" + piece.text
    assert text[piece.cited[0].start : piece.cited[0].end] == "a \\[b\\] 🦉"
    assert piece.cited[0].url == "http://here/v1/posts/x:1%20%282%29"
    assert piece.text.endswith("🦉 [[1]](http://here/v1/posts/x:1%20%282%29)[[2]](https://e.example/%28x%29)")


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
    assert web(url) is None
    assert web("https://e.example/a?b=c#d") == "https://e.example/a?b=c#d"
