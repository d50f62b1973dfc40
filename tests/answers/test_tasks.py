"""Each task of a request gives its own kind of answer, in the language of the request."""

import pytest

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.question import corrected
from trinch.answers.request import chat_kind, interpret, is_style
from trinch.answers.types import Answer

CORPUS = FakeCorpus(FERRY + NOISE)
AS_OF = us("2031-05-02T21:00+00:00")


def ask(text: str) -> Answer:
    return answer(CORPUS, text, AS_OF)


@pytest.mark.parametrize(
    ("text", "task", "topic"),
    [
        ("Summarise the Port Halden ferry accident", "summary", "Port Halden ferry accident"),
        ("timeline of the Port Halden ferry accident", "timeline", "Port Halden ferry accident"),
        ("why did the ferry hit the pier?", "explain", "ferry hit the pier"),
        ("3 bullet points on the Port Halden ferry accident", "list", "Port Halden ferry accident"),
        ("What's the latest on the ferry Aurelia?", "latest", "ferry Aurelia"),
        ("opinions on the ferry Aurelia", "opinions", "ferry Aurelia"),
        ("Is it true that the Aurelia sank?", "verify", "Aurelia sank"),
        ("Résume-moi l'accident de Port Halden", "summary", "l'accident de Port Halden"),
        ("cronología del accidente de Port Halden", "timeline", "accidente de Port Halden"),
    ],
)
def test_a_request_is_read_for_its_task_and_its_topic(text: str, task: str, topic: str) -> None:
    read = interpret(text, AS_OF, CORPUS)
    assert (read.task, read.topic) == (task, topic)


def test_a_timeline_runs_forward_and_the_latest_backward() -> None:
    forward = [claim.as_of for claim in ask("timeline of the Port Halden ferry accident").claims]
    backward = [claim.as_of for claim in ask("what is the latest on the Port Halden ferry accident").claims]
    assert len(forward) >= 3
    assert forward == sorted(forward)
    assert len(backward) >= 2
    assert backward == sorted(backward, reverse=True)


def test_a_list_has_the_wanted_length() -> None:
    assert len(ask("give me 3 bullet points on the Port Halden ferry accident").claims) == 3


@pytest.mark.parametrize(
    ("text", "topic", "limit"),
    [
        ("summarise the Port Halden ferry accident in 5 bullet points", "Port Halden ferry accident", 5),
        ("résume l'accident de Port Halden en 3 points", "accident de Port Halden", 3),
        ("fasse den Unfall von Port Halden in fünf Punkten zusammen", "Unfall von Port Halden", 5),
        ("resume el accidente de Port Halden en 4 puntos", "accidente de Port Halden", 4),
        ("opinions on the Xbox One", "Xbox One", 0),  # a number that ends a name
        ("How did the Slayer guitarist die?", "Slayer guitarist die", 0),  # an article in German
    ],
)
def test_a_topic_is_without_the_words_of_its_form(text: str, topic: str, limit: int) -> None:
    read = interpret(text, us("2031-05-03T12:00:00+00:00"), FakeCorpus([*FERRY, *NOISE]))
    assert (read.topic.removeprefix("l'"), read.limit) == (topic, limit)


def test_words_that_no_post_connects_are_all_named() -> None:
    texts = ["We won at last", "The moon is full tonight", "Cricket on the green this afternoon"]
    corpus = FakeCorpus(
        [post(f"p{n}", f"2031-05-0{n + 1}T10:00:00+00:00", text, f"a{n}") for n, text in enumerate(texts)]
    )
    given = answer(corpus, "who won the moon cricket", us("2031-05-09T00:00:00+00:00"))
    assert given.outcome == "not_enough_evidence"
    assert all(word in given.headline for word in ("won", "moon", "cricket")), given.headline


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hi", "greeting"),
        ("merci beaucoup", "thanks"),
        ("¿quién eres?", "identity"),
        ("what can you do?", "capabilities"),
    ],
)
def test_small_talk_is_answered_without_posts(text: str, kind: str) -> None:
    given = ask(text)
    assert chat_kind(text) == kind
    assert (given.outcome, given.claims, given.task) == ("chat", (), "chat")
    assert given.answer


def test_a_refusal_names_what_found_nothing() -> None:
    given = ask("what happened to Zanthippe Quillfeather in Port Halden?")
    assert given.outcome == "not_enough_evidence"
    assert "zanthippe" in given.headline
    assert given.nearest


def test_the_frame_is_in_the_language_of_the_request_or_the_one_it_names() -> None:
    assert ask("que s'est-il passé à Port Halden ?").headline.startswith("Ce que disent")
    assert ask("what happened in Port Halden? in Spanish please").headline.startswith("Lo que dicen")
    assert is_style("in French please")
    assert not is_style("what happened in Port Halden?")


def test_a_misspelt_common_word_is_corrected_and_a_known_one_left() -> None:
    posts = [hit.post for hit in CORPUS.hits]
    many = FakeCorpus([p for n in range(8) for p in posts])
    assert corrected("larkfeild", many) == "larkfield"
    assert corrected("larkfield", many) == "larkfield"


def test_a_list_of_a_kind_holds_only_that_kind() -> None:
    posts = [
        post(
            "singer", "2031-05-02T09:00+00:00", "The singer Ilva Brandt died in Osterby, her band says", "a1"
        ),
        post("drummer", "2031-05-02T10:00+00:00", "Guitarist Tove Lund died at home in Melbora", "a2"),
        post("judge", "2031-05-02T11:00+00:00", "The judge Arno Kell died in Osterby, the court says", "a3"),
    ]
    given = answer(FakeCorpus([*posts, *NOISE]), "which musicians died this month?", AS_OF)
    quoted = {claim.citations[0].id for claim in given.claims}
    assert quoted
    assert quoted <= {"singer", "drummer"}


def test_a_refusal_of_a_search_that_was_cut_short_says_so() -> None:
    given = answer(CORPUS, "qui a gagné à Larkfield ?", AS_OF, is_cut_short=lambda: True)
    assert given.outcome == "not_enough_evidence"
    assert given.partial
    assert given.headline.startswith("La recherche a été interrompue")
    whole = answer(CORPUS, "What happened in Port Halden?", AS_OF, is_cut_short=lambda: True)
    assert whole.partial
    assert whole.headline == ask("What happened in Port Halden?").headline
