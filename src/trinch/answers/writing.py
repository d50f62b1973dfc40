"""An answer in a language model's words, each sentence verified against the posts it cites.

The model reads numbered posts, as data, and the request with the form that is wanted; it writes sentences, each with
the numbers of the posts it rests on. Each is verified as soon as it is complete. What fails goes back once, with the
reason; what fails again gives way to a quote of the answer without a model, or is left out. The posts are looked up
again before anything is shown, since writing takes time. Whatever goes wrong, the extractive answer remains, with a note.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from trinch.answers import evidence as weighing
from trinch.answers.claim_parser import ClaimParser, Proposed
from trinch.answers.claims import cited
from trinch.answers.evidence import PostGroup, collapse
from trinch.answers.prompt import AGAIN, SCHEMA, Wishes, as_data, prompt, shown
from trinch.answers.quote_check import checked
from trinch.answers.reading_list import gives_orders
from trinch.answers.render import clean
from trinch.answers.spans import MAX_QUOTE
from trinch.answers.types import Answer, Citation, Claim, Hit, WriterSummary
from trinch.answers.verify.claim import speaks_of, verify_claim
from trinch.answers.verify.verifier import Verdict
from trinch.llm.interface import LanguageModel, LLMError, Message, ToolCall, Tools
from trinch.posts.text import fold, tokens

LONGEST_NAME = 100
MAX_CITED = 4
"""Most posts that a sentence may cite; further ones are left out."""
KEPT_HEADLINES = frozenset({"verify", "opinions"})
"""Tasks whose headline is computed from the posts found and stays whoever writes the sentences."""


class Lookup(Protocol):
    """The store, as far as is needed to see whether a post may still be shown."""

    def get(self, id: str, as_of: int | None) -> Hit | None:
        """The post `network:id` as of a time, if it may be shown."""
        ...


class Found(NamedTuple):
    """What a tool returns."""

    hits: Sequence[Hit]
    facts: Mapping[str, Any]
    """What is no post, such as counts or an error."""


class Toolbox(Protocol):
    """The tools with which a model looks for more posts."""

    definitions: Sequence[Mapping[str, Any]]
    """As `trinch.llm.interface.Tools`."""

    def run(self, call: ToolCall) -> Found:
        """The result of a call. Raises nothing for a wrong one: the result says what was wrong."""
        ...


class Limits(NamedTuple):
    """What one answer may cost."""

    tokens: int = 1500
    seconds: float = 60.0
    """For searching and writing together, and as much again for the repair."""
    searches: int = 0


MOST_CALLS = 10
"""Calls of one turn that are carried out."""
MOST_FOUND = 10
"""Posts of one search that the model is shown."""


class Writing:
    """One answer being written. `claims` gives its sentences as they are verified; `answer` is all of it, afterwards."""

    def __init__(
        self,
        store: Lookup,
        given: Answer,
        posts: Sequence[PostGroup],
        opened: Callable[[], LanguageModel],
        wishes: Wishes,
        limits: Limits,
        toolbox: Toolbox | None = None,
    ) -> None:
        self._store, self._given, self._posts, self._opened = store, given, list(posts), opened
        self._wishes, self._limits, self._toolbox = wishes, limits, toolbox
        self._searches_left = limits.searches if toolbox else 0
        self._name = ""
        self._tokens = 0
        self._read = self._wrote = False
        self._trouble: LLMError | None = None
        self._kept: list[Claim] = []
        self._refused: list[tuple[Proposed, str]] = []
        self._proposed = self._repaired = self._dropped = self._words = 0
        self._said: set[str] = set()

    def claims(self) -> Iterator[Claim]:
        """The verified sentences in order, each as soon as it is complete. May raise nothing of the model's."""
        self._started = time.perf_counter()
        messages = prompt(self._given, self._posts, self._wishes, self._searches_left)
        try:
            model = self._opened()
            self._name = clean(model.name)[:LONGEST_NAME]
            said: list[str] = []
            yield from self._verified(self._searched(model, messages, said), again=False)
            if self._refused and self._tokens_left() > 0:
                yield from self._repair(model, messages, "".join(said))
        except LLMError as error:
            self._trouble = error
        self._dropped += len(self._refused)
        yield from self._quoted_instead()

    @property
    def has_posts(self) -> bool:
        """Whether there is anything to read: a model that has nothing to cite is not asked."""
        return bool(self._posts)

    def _tokens_left(self) -> int:
        return self._limits.tokens - self._tokens

    def _searched(self, model: LanguageModel, messages: list[Message], said: list[str]) -> Iterator[Proposed]:
        """The sentences that a model proposes, between and after the searches that it makes. The searches and their
        results are added to `messages`, the text behind the last to `said`."""
        deadline = time.perf_counter() + self._limits.seconds
        while True:
            calls: list[ToolCall] = []
            said.clear()
            may_search = self._searches_left > 0
            tools = self._tools(calls, may_search)
            seconds = deadline - time.perf_counter()
            yield from self._asked(model, messages, said, tools, max(seconds, 0.001))
            if not calls or not may_search or self._tokens_left() <= 0:
                return
            calls = calls[:MOST_CALLS]
            messages.append(Message("assistant", "".join(said), tool_calls=tuple(calls)))
            messages += [Message("tool", self._found(call), tool_call_id=call.id) for call in calls]

    def _tools(self, calls: list[ToolCall], may_search: bool) -> Tools | None:
        """What is offered: after the last search the same tools, which the results refer to, but no call of them."""
        if self._toolbox is None or not self._limits.searches:
            return None
        return Tools(self._toolbox.definitions, calls.append, "auto" if may_search else "none")

    def _found(self, call: ToolCall) -> str:
        """The result of one call as data; its posts join those that may be cited."""
        if self._searches_left <= 0 or self._toolbox is None:
            return as_data({"error": "no searches are left: write the answer"})
        self._searches_left -= 1
        found = self._toolbox.run(call)
        numbers = {_key(hit): n for n, group in enumerate(self._posts, 1) for hit in group.hits}
        posts: dict[int, Hit] = {}
        for group in collapse(found.hits)[:MOST_FOUND]:
            if gives_orders(group.best.post.text):
                continue
            n = next((numbers[_key(hit)] for hit in group.hits if _key(hit) in numbers), 0)
            if not n:
                self._posts.append(group)
                n = len(self._posts)
            posts[n] = self._posts[n - 1].best
        return as_data({"posts": [shown(n, hit) for n, hit in posts.items()], **found.facts})

    def _asked(
        self,
        model: LanguageModel,
        messages: Sequence[Message],
        said: list[str],
        tools: Tools | None,
        seconds: float,
    ) -> Iterator[Proposed]:
        """The sentences that a model proposes; its text is added to `said`."""
        parser, counted, length = ClaimParser(), [0], 0

        def report(_: int, written: int) -> None:
            counted[0] = written

        pieces = model.complete(
            messages,
            max_tokens=self._tokens_left(),
            temperature=0.0,
            schema=SCHEMA,
            report=report,
            tools=tools,
            seconds=seconds,
        )
        try:
            for piece in pieces:
                length += len(piece)
                said.append(piece)
                yield from parser.feed(piece)
            yield from parser.finish()
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()  # whoever stops reading stops the model
            self._tokens += counted[0] or -(
                -length // 4
            )  # a server that does not count: about four characters each

    def _with_numbers(self, proposed: Iterator[Proposed]) -> Iterator[Proposed]:
        """Sentences with the posts that carry them. One without, for which no post does, is left out: it is a remark, or
        an invention that no repair could help."""
        for each in proposed:
            numbers = each.posts or self._carriers(each.text)
            if numbers:
                yield Proposed(each.text, numbers)

    def _verified(self, proposed: Iterator[Proposed], again: bool) -> Iterator[Claim]:
        for each in self._with_numbers(proposed):
            if not again:
                self._proposed += 1
            key = " ".join(each.text.lower().split())
            if key in self._said:
                if not again:
                    self._proposed -= 1
                continue
            self._said.add(key)
            verdict, groups = self._verdict(each)
            if not verdict.supported:
                if not again:
                    self._refused.append((each, verdict.reason))
                continue
            if again:
                self._repaired += 1
                if self._refused:
                    self._refused.pop(0)
            claim = written_claim(each.text, groups)
            if not self._fits(claim):
                return
            self._kept.append(claim)
            yield claim

    def _carriers(self, text: str) -> tuple[int, ...]:
        """The posts that carry a sentence for which the model gave none: one of those most like it, else the two best."""
        words = set(tokens(fold(text)))
        shared = sorted(
            (
                (len(words & set(tokens(fold(group.best.post.text)))), -n)
                for n, group in enumerate(self._posts, 1)
            ),
            reverse=True,
        )
        best = [-n for _, n in shared[:MAX_CITED]]
        for numbers in (*((n,) for n in best), tuple(sorted(best[:2]))):
            if self._verdict(Proposed(text, numbers))[0].supported:
                return numbers
        return ()

    def _verdict(self, each: Proposed) -> tuple[Verdict, list[PostGroup]]:
        numbers = [n for n in each.posts if 1 <= n <= len(self._posts)][:MAX_CITED]
        if not numbers or len(numbers) < min(len(each.posts), MAX_CITED):
            return Verdict(False, 0.0, "it cites a number that no post has"), []
        groups = [self._posts[n - 1] for n in numbers]
        hits = [group.best for group in groups]
        if self._given.outcome == "not_enough_evidence" and not speaks_of(self._given.question, hits):
            return Verdict(False, 0.0, "its posts do not speak of what is asked"), []
        return verify_claim(each.text, hits), groups

    def _fits(self, claim: Claim) -> bool:
        """Whether there is room for a further sentence in the length asked for; the first always has."""
        self._words += len(claim.text.split())
        long = self._wishes.max_words and self._words > self._wishes.max_words
        return not self._kept or not (long or len(self._kept) >= self._wishes.sentences)

    def _repair(self, model: LanguageModel, messages: Sequence[Message], said: str) -> Iterator[Claim]:
        """Send the refused sentences back, once."""
        wrong = [
            {"sentence": each.text, "posts": list(each.posts), "reason": reason}
            for each, reason in self._refused
        ]
        follow = f"{AGAIN}\n{as_data(wrong)}"
        turns = [*messages, Message("assistant", said or "NOTHING"), Message("user", follow)]
        tools = self._tools([], False)
        yield from self._verified(self._asked(model, turns, [], tools, self._limits.seconds), again=True)

    def _quoted_instead(self) -> Iterator[Claim]:
        """For sentences that failed twice: the quote, among those of the answer without a model, of a post they cite."""
        if not self._kept:
            return
        shown = {(c.network, c.id) for claim in self._kept for c in claim.citations}
        for each, _ in self._refused:
            posts = {_key(self._posts[n - 1].best) for n in each.posts if 1 <= n <= len(self._posts)}
            for claim in self._given.claims:
                first = (claim.citations[0].network, claim.citations[0].id)
                if first in posts - shown and self._fits(claim):
                    shown.add(first)
                    self._kept.append(claim)
                    yield claim
                    break

    def answer(self) -> Answer:
        """The whole answer after `claims` has ended: verified once more, against the posts as they are now."""
        given = self._given
        seconds = time.perf_counter() - self._started
        written = bool(self._kept)
        sources = {(group.best.post.network, group.best.post.id): group for group in self._posts}
        made = given
        if written:
            known = {(source.network, source.id): source for source in given.sources}
            needed = {(c.network, c.id) for claim in self._kept for c in claim.citations}
            found_none = given.outcome == "not_enough_evidence"
            made = msgspec.structs.replace(
                given,
                outcome="answer" if found_none else given.outcome,
                nearest=() if found_none else given.nearest,
                claims=tuple(self._kept),
                sources=tuple(
                    known.get(key) or cited(sources[key].best, len(sources[key].hits) - 1)
                    for key in sorted(needed)
                ),
                headline=given.headline if given.task in KEPT_HEADLINES else "",
            )
        took = round(given.took_ms + seconds * 1000, 1)
        verified = checked(made, look_up(self._store, made), took)
        kept = sum(claim.written for claim in verified.claims)
        summary = WriterSummary(
            model=self._name,
            sentences=self._proposed,
            written=kept,
            repaired=self._repaired,
            dropped=self._dropped,
            tokens=self._tokens,
            seconds=round(seconds, 2),
            searches=self._limits.searches - self._searches_left if self._toolbox else 0,
            error=self._trouble.code if self._trouble else "",
            note=str(self._trouble) if self._trouble else "",
            refused=tuple(f"{each.text} ({reason})" for each, reason in self._refused[:10]),
        )
        return msgspec.structs.replace(verified, writer=summary)


def written_claim(text: str, groups: Sequence[PostGroup]) -> Claim:
    """A verified sentence with its citations: of each post the text, to the length of a quote."""
    citations = tuple(_citation(group.best) for group in groups)
    return Claim(
        text=text,
        as_of=max(citation.at for citation in citations),
        authors=weighing.authors(groups),
        posts=len({_key(hit) for group in groups for hit in group.hits}),
        citations=citations,
        written=True,
    )


def _key(hit: Hit) -> tuple[str, str]:
    return hit.post.network, hit.post.id


def _citation(hit: Hit) -> Citation:
    post = hit.post
    end = len(post.text)
    if end > MAX_QUOTE:
        end = max(post.text.rfind(" ", 0, MAX_QUOTE), MAX_QUOTE // 2)
    return Citation(
        id=post.id,
        network=post.network,
        url=post.url,
        author=post.author,
        created_at=post.created_at,
        at=hit.at,
        quote=post.text[:end],
        start=0,
        end=end,
    )


def look_up(store: Lookup, given: Answer) -> dict[tuple[str, str], Hit]:
    """The cited posts that may still be shown, looked up now."""
    keys = {(c.network, c.id) for claim in given.claims for c in claim.citations}
    looked = {key: store.get(f"{key[0]}:{key[1]}", given.as_of) for key in sorted(keys)}
    return {key: hit for key, hit in looked.items() if hit is not None}
