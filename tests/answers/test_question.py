"""What a question asks for, and when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers.fake import FERRY, NOISE, FakeCorpus, us
from trinch.answers.question import understand
from trinch.answers.time_expressions import period

OCEAN = FakeCorpus(FERRY + NOISE)
AS_OF = us("2031-05-02T21:00+00:00")
DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("question", "lang", "kind", "measure"),
    [
        ("how many people died in Port Halden", "en", "count", "dead"),
        ("combien de blessés à Port Halden", "fr", "count", "injured"),
        ("¿cuántos desaparecidos hay en Port Halden?", "es", "count", "missing"),
        ("wie viele Tote gibt es in Port Halden", "de", "count", "dead"),
        ("quanti morti ci sono a Port Halden", "it", "count", "dead"),
        ("quantos mortos houve em Port Halden", "pt", "count", "dead"),
        ("how many boats sank at Port Halden", "en", "count", "unit"),
        ("Port Halden ferry death toll", "en", "count", "dead"),
        ("what happened at Port Halden", "en", "overview", ""),
        ("quelle est la situation à Port Halden", "fr", "overview", ""),
        ("who is the captain of the Aurelia", "en", "who", ""),
        ("where is the Aurelia", "en", "where", ""),
        ("when did the Aurelia leave", "en", "when", ""),
        ("who killed the captain of the Aurelia", "en", "who", ""),
    ],
)
def test_kinds(question: str, lang: str, kind: str, measure: str) -> None:
    read = understand(question, AS_OF, OCEAN)
    assert (read.lang, read.kind, read.measure) == (lang, kind, measure)
    assert not {"how", "many", "what", "la", "de", "the"} & {term.text for term in read.terms}


def test_names_weigh_more_than_common_words() -> None:
    terms = {term.text: term for term in understand("did the Aurelia leave the pier", AS_OF, OCEAN).terms}
    assert terms["aurelia"].role == "name"
    assert terms["pier"].role == "word"
    assert terms["aurelia"].needed
    assert not terms["pier"].needed


def test_events_are_met_in_other_languages() -> None:
    (fire,) = [t for t in understand("incendie à Larkfield", AS_OF, OCEAN).terms if t.role == "event"]
    assert {"fire", "blaze", "incendio"} <= fire.forms


def test_situation_asks_for_the_newest() -> None:
    assert understand("quelle est la situation à Port Halden", AS_OF, OCEAN).newest
    assert not understand("what happened in Port Halden", AS_OF, OCEAN).newest


@pytest.mark.parametrize(
    ("question", "since", "until"),
    [
        ("what happened in the last 3 hours", "2031-05-02T18:00+00:00", "2031-05-02T21:00+00:00"),
        ("les 3 dernières heures", "2031-05-02T18:00+00:00", "2031-05-02T21:00+00:00"),
        ("yesterday in Halden", "2031-05-01T00:00+00:00", "2031-05-02T00:00+00:00"),
        ("à Halden hier", "2031-05-01T00:00+00:00", "2031-05-02T00:00+00:00"),
        ("ayer en Halden", "2031-05-01T00:00+00:00", "2031-05-02T00:00+00:00"),
        ("today", "2031-05-02T00:00+00:00", "2031-05-03T00:00+00:00"),
        ("Halden in 2012", "2012-01-01T00:00+00:00", "2013-01-01T00:00+00:00"),
        ("Halden on 15 April 2013", "2013-04-15T00:00+00:00", "2013-04-16T00:00+00:00"),
        ("Halden on April 15, 2013", "2013-04-15T00:00+00:00", "2013-04-16T00:00+00:00"),
        ("Halden le 15 avril 2013", "2013-04-15T00:00+00:00", "2013-04-16T00:00+00:00"),
        ("Halden 2013-04-15", "2013-04-15T00:00+00:00", "2013-04-16T00:00+00:00"),
        ("Halden in April 2013", "2013-04-01T00:00+00:00", "2013-05-01T00:00+00:00"),
        ("Halden in June", "2030-06-01T00:00+00:00", "2030-07-01T00:00+00:00"),
        ("Halden on 3 May", "2030-05-03T00:00+00:00", "2030-05-04T00:00+00:00"),
    ],
)
def test_periods(question: str, since: str, until: str) -> None:
    found = period(question, AS_OF)
    assert found is not None
    assert (found.since, found.until) == (us(since), us(until))


@pytest.mark.parametrize("question", ["what happened in Halden", "last 99999999999999 days"])
def test_no_period(question: str) -> None:
    assert period(question, AS_OF) is None


def test_a_bare_year_may_be_part_of_a_name() -> None:
    found = period("the 1998 world cup", AS_OF)
    assert found is not None
    assert found.year == "1998"


@settings(deadline=None)  # the first question loads the word vectors
@given(st.text(max_size=200), st.integers(-(2**55), 2**55))
def test_any_text_is_a_question(text: str, as_of: int) -> None:
    read = understand(text, as_of, OCEAN)
    assert read.text == text
    assert all(term.weight > 0 for term in read.terms)
    if read.period:
        assert read.period.since <= read.period.until
