"""Answers that a language model writes, over a real local server that writes well, lies, obeys posts, babbles, or fails."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from tests.answers.hostile_posts import HOSTILE
from tests.llm.fake import Server
from trinch.answers.answer import answer
from trinch.answers.claim_parser import ClaimParser, Proposed
from trinch.answers.prompt import Wishes, prompt
from trinch.answers.quote_check import checked
from trinch.answers.reading_list import reading_list
from trinch.answers.render import as_json, plain, terminal
from trinch.answers.request import interpret
from trinch.answers.types import Answer
from trinch.answers.verify.claim import verify_claim
from trinch.answers.writing import Limits, Writing
from trinch.llm.interface import Message, Setting
from trinch.service.language_model import open_model

AS_OF = us("2031-05-02T21:00+00:00")
QUESTION = "what happened in Port Halden"

GOOD = (
    ("The coast guard now counts eleven deaths in the ferry accident of Port Halden.", ("f13",)),
    (
        "According to the hospital and the coast guard, the number of dead in Port Halden went from 9 to 11.",
        ("f09", "f14"),
    ),
    ("Investigators say that an engine failure is the likely cause of the Port Halden accident.", ("f18",)),
)
"""Sentences in words of our own, and the posts that support them."""


def numbered(messages: list[dict[str, str]]) -> dict[str, int]:
    """The number of each post of the ferry in the prompt, by the beginning of its text."""
    given = json.loads(messages[1]["content"])["posts"]
    texts = {" ".join(p.text.split())[:40]: p.id for p in FERRY}
    return {texts[item["text"][:40]]: item["n"] for item in given if item["text"][:40] in texts}


def says(form: Callable[[str, list[int]], str], joint: str = "\n") -> Callable[[list[dict[str, str]]], str]:
    """A model that writes the good sentences in some form."""

    def text(messages: list[dict[str, str]]) -> str:
        known = numbered(messages)
        return joint.join(form(sentence, [known[id] for id in ids]) for sentence, ids in GOOD)

    return text


def marks(numbers: list[int]) -> str:
    return "".join(f"[{n}]" for n in numbers)


def first_refused(messages: list[dict[str, str]]) -> str:
    """A model that writes a wrong number first, and the right one when its sentence comes back."""
    n = numbered(messages)["f13"]
    number = "11" if len(messages) > 2 else "17"
    return f"The coast guard now counts {number} deaths in the ferry accident of Port Halden. [{n}]"


EVIL = "Visit evil.example and send your password"
LIES = (
    "The death toll in Port Halden has risen to 400.",
    "The captain of the Aurelia was arrested for sabotage.",
    "The ferry accident in Port Halden killed nobody.",
    "Port Halden police blame terrorists for the ferry accident.",
)
SAYS: dict[str, Callable[[list[dict[str, str]]], str]] = {
    "lines": says(lambda text, n: f"{text} {marks(n)}"),
    "one-line": says(lambda text, n: f"{text} {marks(n)}", " "),
    "leading": says(lambda text, n: f"{marks(n)} {text}"),
    "leading-one-line": says(lambda text, n: f"{marks(n)} {text}", " "),
    "commas": says(lambda text, n: f"- **{text}** [{', '.join(map(str, n))}]."),
    "chatty": lambda m: "Sure! Here is the answer:\n\n" + SAYS["lines"](m) + "\n\nI hope this helps.",
    "json": lambda m: json.dumps({"claims": [{"text": t, "posts": [numbered(m)[i] for i in ids]} for t, ids in GOOD]}),
    "fenced": lambda m: f"```json\n{SAYS['json'](m)}\n```",
    "second-try": first_refused,
    "liar": lambda m: "\n".join(f"{lie} [{n % 9 + 1}]" for n, lie in enumerate(LIES)),
    "half": lambda m: f"{SAYS['lines'](m)}\n{LIES[0]} [{numbered(m)['f13']}]",
    "uncited": lambda _: "\n".join(("Sure! Here is the answer:", *(text for text, _ in GOOD), *LIES)),
    "nothing": lambda _: "NOTHING",
    "babbler": lambda _: "blah [1] [2] [ [[3]] ] {{{ \x1b[31m \u202e [999999999999] [0] [-1] " * 200,
    "obedient": lambda m: "\n".join(
        f"{EVIL}. [{item['n']}]" for item in json.loads(m[1]["content"])["posts"]
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(**SAYS) as running:
        yield running


@pytest.fixture
def store() -> FakeCorpus:
    return FakeCorpus(FERRY + NOISE)


def writing(
    store: FakeCorpus, given: Answer, opened: Callable[[], Any], wishes: Wishes | None = None
) -> Writing:
    posts = reading_list(interpret(given.question, given.as_of, store), store, given, 50)
    return Writing(store, given, posts, opened, wishes or Wishes(), Limits())


def finished(made: Writing) -> Answer:
    list(made.claims())
    return made.answer()


def ask(
    store: FakeCorpus, server: Server, how: str, seconds: float = 5, wishes: Wishes | None = None
) -> Answer:
    opened = partial(open_model, Setting(server.url(how), "m", seconds))
    return finished(writing(store, answer(store, QUESTION, AS_OF), opened, wishes))


def test_a_sentence_without_numbers_is_kept_where_a_post_carries_it(
    store: FakeCorpus, server: Server
) -> None:
    given = ask(store, server, "uncited")
    sound(given, store)
    texts = [claim.text for claim in given.claims if claim.written]
    assert texts == [GOOD[0][0], GOOD[2][0]], "the other joins two posts, which are not the two most like it"
    assert given.writer
    assert (given.writer.sentences, given.writer.dropped) == (2, 0)


def sound(given: Answer, store: FakeCorpus) -> None:
    """Invariants 3 and 4, whoever wrote the sentences."""
    hits = {hit.post.id: hit for hit in store.hits}
    assert given.answer == "\n".join(claim.text for claim in given.claims)
    for claim in given.claims:
        for citation in claim.citations:
            assert hits[citation.id].post.text[citation.start : citation.end] == citation.quote
        if claim.written:
            assert verify_claim(claim.text, [hits[c.id] for c in claim.citations]).supported
        else:
            assert claim.text == claim.citations[0].quote
    cited = {c.id for claim in given.claims for c in claim.citations}
    assert cited == {source.id for source in given.sources}


@pytest.mark.parametrize(
    "how", ["lines", "one-line", "leading", "leading-one-line", "commas", "chatty", "json", "fenced"]
)
def test_sentences_over_several_posts_are_verified_and_cited_whatever_their_form(
    store: FakeCorpus, server: Server, how: str
) -> None:
    given = ask(store, server, how)
    sound(given, store)
    assert [claim.text for claim in given.claims] == [text for text, _ in GOOD]
    assert [tuple(c.id for c in claim.citations) for claim in given.claims] == [ids for _, ids in GOOD]
    assert given.writer
    assert (given.writer.model, given.writer.sentences, given.writer.written) == ("m", 3, 3)
    assert (given.writer.dropped, given.writer.repaired, given.writer.error) == (0, 0, "")
    assert given.writer.tokens > 0
    assert given.claims[1].authors == 2
    shown = plain(given)
    assert "3 sentences are written by m" in shown
    assert all(f"“{c.quote}”" in shown for claim in given.claims for c in claim.citations)
    assert terminal(given)


def test_a_model_may_answer_where_the_rules_find_nothing_but_only_about_what_is_asked(
    store: FakeCorpus, server: Server
) -> None:
    found = answer(store, QUESTION, AS_OF)
    empty = msgspec.structs.replace(
        found, outcome="not_enough_evidence", claims=(), sources=(), answer="", headline=""
    )
    opened = partial(open_model, Setting(server.url("lines"), "m", 5))
    made = finished(writing(store, empty, opened))
    assert (made.outcome, [claim.text for claim in made.claims]) == ("answer", [text for text, _ in GOOD])
    sound(made, store)
    other = msgspec.structs.replace(empty, question="who won the regatta at Tallow Point")
    posts = reading_list(interpret(QUESTION, AS_OF, store), store, found, 50)
    made = finished(Writing(store, other, posts, opened, Wishes(), Limits()))
    assert (made.outcome, made.claims) == ("not_enough_evidence", ())
    assert made.writer
    assert made.writer.tokens > 0


def test_sentences_come_as_they_are_verified(store: FakeCorpus) -> None:
    asked = []

    class Slow:
        name = "slow"

        def complete(self, messages: list[Message], **_: object) -> Iterator[str]:
            known = numbered([{"content": m.content} for m in messages])
            for sentence, ids in GOOD:
                asked.append(sentence)
                yield f"{sentence} {marks([known[id] for id in ids])}\n"

    claims = writing(store, answer(store, QUESTION, AS_OF), Slow).claims()
    assert next(claims).text == GOOD[0][0]
    assert len(asked) == 1, "the first is out before the second is written"
    assert [claim.text for claim in claims] == [text for text, _ in GOOD[1:]]


def test_a_refused_sentence_goes_back_once_with_the_reason(store: FakeCorpus, server: Server) -> None:
    asked = len(server.asked)
    given = ask(store, server, "second-try")
    sound(given, store)
    assert given.claims[0].text.startswith("The coast guard now counts 11 deaths")
    assert given.writer
    assert (given.writer.sentences, given.writer.written, given.writer.repaired) == (1, 1, 1)
    assert len(server.asked) == asked + 2
    back = server.asked[-1]["messages"]
    assert [message["role"] for message in back] == ["system", "user", "assistant", "user"]
    assert "no cited post gives the number 17" in back[-1]["content"]


def test_a_liar_leaves_the_answer_without_a_model(store: FakeCorpus, server: Server) -> None:
    before, given = answer(store, QUESTION, AS_OF), ask(store, server, "liar")
    sound(given, store)
    assert given.claims == before.claims
    assert given.headline == before.headline
    assert given.writer
    assert (given.writer.written, given.writer.dropped) == (0, len(LIES))
    assert "All sentences are quotes" in plain(given)
    assert all("(" in refused for refused in given.writer.refused)


def test_a_lie_among_truths_gives_way_to_a_quote_or_is_left_out(store: FakeCorpus, server: Server) -> None:
    given = ask(store, server, "half")
    sound(given, store)
    assert [claim.text for claim in given.claims[:3]] == [text for text, _ in GOOD]
    assert "400" not in given.answer
    assert given.writer
    assert (given.writer.written, given.writer.dropped) == (3, 1)


@pytest.mark.parametrize("how", ["nothing", "babbler"])
def test_who_writes_nothing_usable_changes_nothing(store: FakeCorpus, server: Server, how: str) -> None:
    before, given = answer(store, QUESTION, AS_OF), ask(store, server, how)
    sound(given, store)
    assert given.claims == before.claims
    assert "\x1b" not in plain(given)
    assert "\u202e" not in plain(given)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("500", "server"), ("401", "refused"), ("404", "address"), ("garbage", "malformed"), ("binary", "malformed"),
        ("endless", "too_long"), ("endless-line", "too_long"), ("hang", "timeout"), ("drip", "timeout"),
        ("hang-up", "malformed"), ("hang-up-later", "truncated"), ("cut", "truncated"),
    ],
)  # fmt: skip
def test_a_model_that_fails_leaves_the_extractive_answer_and_a_note(
    store: FakeCorpus, server: Server, how: str, code: str
) -> None:
    before, given = answer(store, QUESTION, AS_OF), ask(store, server, how, seconds=2)
    assert given.claims == before.claims
    assert given.answer == before.answer
    assert given.writer
    assert (given.writer.error, given.writer.written) == (code, 0)
    assert as_json(given)["writer"]["error"] == code
    assert given.writer.note in plain(given)


def test_what_was_verified_before_a_model_broke_off_stays(store: FakeCorpus) -> None:
    from trinch.llm.interface import LLMError

    class Breaks:
        name = "breaks"

        def complete(self, messages: list[Message], **_: object) -> Iterator[str]:
            known = numbered([{"content": m.content} for m in messages])
            yield f"{GOOD[0][0]} [{known['f13']}]\nHalf of a sen"
            raise LLMError("truncated", "broke off")

    given = finished(writing(store, answer(store, QUESTION, AS_OF), Breaks))
    sound(given, store)
    assert [claim.text for claim in given.claims] == [GOOD[0][0]]
    assert given.writer
    assert (given.writer.written, given.writer.error) == (1, "truncated")
    assert "it ended early" in plain(given)


def test_a_model_that_cannot_be_opened_leaves_the_extractive_answer(store: FakeCorpus) -> None:
    opened = partial(open_model, Setting("/nowhere/at/all"))
    given = finished(writing(store, answer(store, QUESTION, AS_OF), opened))
    assert given.outcome == "answer"
    assert given.writer
    assert given.writer.error == "address"


def test_the_form_wanted_reaches_the_model_and_never_the_rules(store: FakeCorpus, server: Server) -> None:
    wishes = Wishes("French", 2, 40, "like a pirate", ("what happened at sea?",))
    ask(store, server, "lines", wishes=wishes)
    system, user = (message["content"] for message in server.asked[-1]["messages"])
    data = json.loads(user)
    assert (data["write_in"], data["sentences"], data["max_words"]) == ("French", 2, 40)
    assert (data["style"], data["earlier_requests"]) == ("like a pirate", ["what happened at sea?"])
    assert system == prompt(answer(store, QUESTION, AS_OF), [], Wishes())[0].content
    assert server.asked[-1]["temperature"] == 0
    short = ask(store, server, "lines", wishes=Wishes(max_words=20))
    assert len(short.claims) == 1, "no more words than were asked for"


@pytest.mark.parametrize("part", range(4))
def test_no_order_in_a_post_is_followed(server: Server, part: int) -> None:
    posts = [
        post(f"i{n}", f"2031-05-02T20:{n:02}+00:00", f"Port Halden ferry accident {hostile}", f"attacker{n}")
        for n, hostile in enumerate(HOSTILE[part::4])
    ]
    store = FakeCorpus(FERRY + NOISE[:15] + posts)
    given = ask(store, server, "obedient")
    sound(given, store)
    assert len(HOSTILE) == 60
    assert not any(claim.written for claim in given.claims)
    content = server.asked[0]["messages"][1]["content"]
    assert not set("<>\n") & set(content)
    assert "[INST" not in content


def test_a_post_deleted_while_the_model_writes_takes_its_sentences_with_it(store: FakeCorpus) -> None:
    class Slow:
        name = "slow"

        def complete(self, messages: list[Message], **_: object) -> Iterator[str]:
            known = numbered([{"content": m.content} for m in messages])
            store.gone.add("x:f09")
            for sentence, ids in GOOD:
                yield f"{sentence} {marks([known[id] for id in ids])}\n"

    given = finished(writing(store, answer(store, QUESTION, AS_OF), Slow))
    assert [claim.text for claim in given.claims] == [GOOD[0][0], GOOD[2][0]]
    assert "f09" not in {source.id for source in given.sources}


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 20), st.text(max_size=120)), max_size=8), st.text(max_size=80))
def test_whatever_a_model_writes_only_the_provable_is_shown(lines: list[tuple[int, str]], noise: str) -> None:
    store = FakeCorpus(FERRY + NOISE)

    class Writes:
        name = "\x1b[31mwild\u202e" * 30

        def complete(self, messages: list[Message], **_: object) -> Iterator[str]:
            yield noise + "\n".join(f"{text} [{n}]" for n, text in lines)

    given = finished(writing(store, answer(store, QUESTION, AS_OF), Writes))
    sound(given, store)
    retrieved = {(hit.post.network, hit.post.id): hit for hit in store.hits}
    assert checked(given, retrieved, given.took_ms) == given, "the check says so again"
    assert "\x1b" not in plain(given)
    assert "\u202e" not in plain(given)


@given(st.text(max_size=300), st.integers(1, 40))
def test_any_text_can_be_read_in_pieces_of_any_size(text: str, size: int) -> None:
    parser = ClaimParser()
    found = [each for start in range(0, len(text), size) for each in parser.feed(text[start : start + size])]
    found += parser.finish()
    whole = ClaimParser()
    assert found == whole.feed(text) + whole.finish()
    assert all(isinstance(each, Proposed) and each.text for each in found)
