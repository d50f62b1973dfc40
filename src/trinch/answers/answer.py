"""Question in, checked and cited answer out: the order of the steps.

No language model: each claim is the exact span of a post, each word of ours comes from the language files. The same
request, as-of time and store give the same answer; ties are broken by post id.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from trinch.answers import lexicon, story_requests
from trinch.answers.claims import Picked, carriers, cited, claim, is_singular
from trinch.answers.compose import age_note, compose
from trinch.answers.evidence import collapse
from trinch.answers.material import Draft, material
from trinch.answers.names import is_lower, recased
from trinch.answers.polarity import opposites
from trinch.answers.question import Term, understand
from trinch.answers.quote_check import checked
from trinch.answers.reading import PostReader, members
from trinch.answers.render import minute
from trinch.answers.request import Request, Task, interpret
from trinch.answers.retrieval import LIMIT, MEASURE_WORDS, gather
from trinch.answers.story_requests import StoryFilter
from trinch.answers.types import Answer, CitedPost, Claim, Corpus, Hit
from trinch.posts.text import fold, tokens
from trinch.posts.times import now

NEAREST = 3
"""Posts offered beside a refusal."""
LOOKED_AT = 200
"""Posts looked at to find the handle of a named author."""
SIDE = 2
"""Claims on each side of a comparison."""
PER_SIDE = 120
"""Posts that a search returns for one side of it."""


DAY = 86_400_000_000
TRENDS = 6
"""Headlines of an answer to "what is trending" that names no number."""
LONGEST = 31 * DAY
"""Longest time that such a request may ask about."""
BRIEF = 6
"""Stories of a brief."""


def never() -> bool:
    """For a corpus whose searches always end."""
    return False


class StorySource(Protocol):
    """Where answers get stories from. Times in microseconds."""

    def headlines(self, since: int, as_of: int, most: int, only: StoryFilter) -> list[Picked]:
        """The headlines of what was posted about more than before, most newsworthy first."""
        ...

    def brief(self, since: int, as_of: int, most: int, topic: str, names: tuple[str, str]) -> list[Picked]:
        """The stories about a topic, each with how it went on, labelled with `names`: new, continued."""
        ...


class NoStories:
    """The source of a corpus whose stories are not known."""

    def headlines(self, since: int, as_of: int, most: int, only: StoryFilter) -> list[Picked]:
        """None."""
        return []

    def brief(self, since: int, as_of: int, most: int, topic: str, names: tuple[str, str]) -> list[Picked]:
        """None."""
        return []


def answer(
    store: Corpus,
    question: str,
    as_of: int | None = None,
    author: str = "",
    stories: StorySource | None = None,
    is_cut_short: Callable[[], bool] = never,
) -> Answer:
    """Answer a request from what `store` held as of a time (microseconds; None is now).

    `outcome` is `not_enough_evidence`, with no claim at all, where the posts do not speak of what is asked, and `chat`
    for small talk. `author` is the handle whose posts alone are searched, where the store is so restricted; `stories`
    answers "what is trending" and "brief me"; `is_cut_short` says afterwards whether searches ended early, which makes
    the answer `partial`, and of a refusal the statement that the search was not finished.
    """
    started = time.perf_counter()
    moment = now() if as_of is None else as_of
    once = SearchedOnce(store)
    request = _with_names(interpret(question, moment, once, author), once, moment, author)
    drafted, retrieved = _answered(request, once, moment, stories or NoStories())
    took = round((time.perf_counter() - started) * 1000, 1)
    whole = checked(_within(drafted, request.max_words), retrieved, took)
    return _partial(whole, request.lang) if is_cut_short() else whole


class SearchedOnce:
    """A corpus that makes each search once for an answer."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._found: dict[tuple[str, int, int | None, str], Sequence[Hit]] = {}
        self.num_posts, self.doc_freq = corpus.num_posts, corpus.doc_freq

    def retrieve(self, text: str, *, limit: int, as_of: int | None, where: str = "") -> Sequence[Hit]:
        """As the corpus itself."""
        key = text, limit, as_of, where
        if key not in self._found:
            self._found[key] = self._corpus.retrieve(text, limit=limit, as_of=as_of, where=where)
        return self._found[key]

    def search(self, query: str, *, limit: int, sort: str, as_of: int | None) -> Sequence[Hit]:
        """As the corpus itself."""
        return self._corpus.search(query, limit=limit, sort=sort, as_of=as_of)

    def copies(self, hit: Hit, *, as_of: int | None) -> Sequence[Hit]:
        """As the corpus itself."""
        return self._corpus.copies(hit, as_of=as_of)


def _with_names(request: Request, store: Corpus, moment: int, author: str) -> Request:
    """A request typed in lower case, read again with a capital for what posts write as a name."""
    if (
        request.task in ("chat", "trends", "brief")
        or not request.question.terms
        or not is_lower(request.text)
    ):
        return request
    sought = " ".join(term.text for term in request.question.terms)
    text = recased(request.text, store.retrieve(sought, limit=LIMIT, as_of=moment))
    if text == request.text:
        return request
    return interpret(text, moment, store, author)._replace(text=request.text)


def _partial(given: Answer, lang: str) -> Answer:
    """An answer after searches that ended early: where there is none, nothing is known to be missing."""
    if given.outcome != "not_enough_evidence":
        return msgspec.structs.replace(given, partial=True)
    return msgspec.structs.replace(given, partial=True, headline=lexicon.frame(lang, "cut_short"))


_BESIDE = {
    "explain": "because cause caused reason blamed investigators",
    "who": "identified named suspect accused charged arrested winner",
    "verify": "false fake hoax rumour denied not true confirmed",
}
"""Words looked for beside the names of the topic, by task."""

Retrieved = dict[tuple[str, str], Hit]


def _answered(request: Request, store: Corpus, moment: int, stories: StorySource) -> tuple[Answer, Retrieved]:
    if request.task == "chat":
        reply = lexicon.frame(request.lang, f"chat_{request.chat}")
        return _empty(request, moment, "chat", reply, answer=reply), {}
    if request.task == "trends":
        draft = _trending(request, moment, stories)
    elif request.task == "brief":
        draft = _briefed(request, store, moment, stories)
    elif request.task == "comparison":
        draft = _compared(request, store, moment)
    else:
        draft = _drafted(request, store, moment)
    if not draft.picked:
        if draft.headline:
            return _empty(request, moment, "not_enough_evidence", draft.headline), {}
        return _refused(request, store, moment), {}
    retrieved: Retrieved = {}
    sources: list[CitedPost] = []
    claims: list[Claim] = []
    for picked in draft.picked:
        carrying = carriers(picked, store, moment)
        said_so = draft.headline.endswith(lexicon.frame(request.lang, "single")) and not claims
        shown = picked if said_so else _attributed(picked, carrying, request)
        claims.append(claim(shown, carrying, retrieved, sources))
    whole = msgspec.structs.replace(
        _empty(request, moment, draft.outcome, draft.headline),
        claims=tuple(claims),
        sources=tuple({(source.network, source.id): source for source in sources}.values()),
    )
    return whole, retrieved


def _attributed(picked: Picked, carrying: Sequence[Hit], request: Request) -> Picked:
    """A claim that one little-known author makes alone, under the words that say so and without the posts that only
    resemble it; any other as it is."""
    topic = frozenset().union(*(term.forms for term in request.question.terms))
    if request.task in ("opinions", "said_by", "trends", "brief") or not is_singular(picked, carrying, topic):
        return picked
    return picked._replace(attribution=lexicon.frame(request.lang, "one_author"), agreeing=[])


def _empty(request: Request, moment: int, outcome: str, headline: str, answer: str = "") -> Answer:
    return Answer(
        question=request.text,
        as_of=moment,
        task=request.task,
        outcome=outcome,  # type: ignore[arg-type]  # one of the outcomes
        headline=headline,
        answer=answer,
    )


def _drafted(request: Request, store: Corpus, moment: int, limit: int = LIMIT) -> Draft:
    """Retrieve, read and compose for one topic."""
    where = ""
    if request.task == "said_by" and request.author:
        handle = _handle(request.author, store, moment)
        where = f"from:{handle}" if handle else ""
        if not handle:
            named = f"{request.author} {request.topic}"
            request = request._replace(task="question", author="", question=understand(named, moment, store))
    if request.members and not lexicon.DIED.isdisjoint(tokens(fold(request.topic))):
        words = lexicon.LANGUAGES[request.question.lang]["words"]["died"].split()
        where = f"({' OR '.join(words)})"
    reader = PostReader(request)
    beside = _beside(request)
    evidence = gather(request.question, store, moment, where, beside, reader, limit)
    if not evidence.enough:
        return Draft([], "", "not_enough_evidence")
    read = material(request, evidence, store, moment, reader)
    draft = compose(read)
    note = age_note(read, [picked.candidate.source for picked in draft.picked])
    return draft._replace(headline=f"{note} {draft.headline}".strip())


def _beside(request: Request) -> str:
    """Words that posts with the answer are likely to hold beside the names of the topic."""
    question = request.question
    if request.members:
        return " ".join(members(request.members))
    if question.kind == "count":
        kind = lexicon.LANGUAGES["en"]["parts"].get(question.part, "")
        return f"{MEASURE_WORDS.get(question.measure, '')} {kind}".strip()
    if request.task == "question" and (question.kind == "who" or "person" in request.wants):
        return _BESIDE["who"]
    poles = sorted(
        {other for term in question.terms for other in opposites(term.text, question.lang)}
        if request.task == "verify"
        else ()
    )
    return " ".join((_BESIDE.get(request.task, ""), *poles)).strip()


def _trending(request: Request, as_of: int, stories: StorySource) -> Draft:
    """What is happening in the time that the request names, a day by default."""
    since = _since(request, as_of, as_of - DAY)
    if as_of - since < DAY // 2 and not request.only.shown:
        since = as_of - DAY
    picked = stories.headlines(since, as_of, request.limit or TRENDS, request.only)
    times = {"since": minute(since), "until": minute(as_of)}
    shown = f" ({request.only.shown})" if request.only.shown else ""
    if not picked:
        return Draft(
            [], story_requests.frame("nothing", request.lang, **times) + shown + ".", "not_enough_evidence"
        )
    headline = lexicon.frame(request.lang, "trends", **times)
    return Draft(picked, f"{headline.rstrip(' :')}{shown}:" if shown else headline, "answer")


def _briefed(request: Request, store: Corpus, as_of: int, stories: StorySource) -> Draft:
    """What happened since the time that the request names, the day before by default; of a topic without a story, a
    summary."""
    since = _since(request, as_of, (as_of // DAY - 1) * DAY)
    names = (story_requests.frame("new", request.lang), story_requests.frame("continued", request.lang))
    picked = stories.brief(since, as_of, BRIEF, request.topic, names)
    times = {"since": minute(since), "until": minute(as_of)}
    if picked:
        return Draft(picked, story_requests.frame("brief_frames", request.lang, **times), "answer")
    if request.topic:
        return _drafted(request._replace(task="summary"), store, as_of)
    return Draft([], story_requests.frame("nothing", request.lang, **times) + ".", "not_enough_evidence")


def _since(request: Request, as_of: int, default: int) -> int:
    """The beginning of the time that a request names, at most LONGEST before its end."""
    period = request.question.period
    return max(period.since, as_of - LONGEST) if period and period.since < as_of else default


def _handle(author: str, store: Corpus, moment: int) -> str:
    """The handle that an author is most often known by in posts that name them; empty where none is like it."""
    hits = store.retrieve(author, limit=LOOKED_AT, as_of=moment)
    named = Counter(
        hit.post.author
        for hit in hits
        if hit.post.author and author in fold(f"{hit.post.author} {hit.post.author_name}").replace(" ", "")
    )
    return max(named, key=lambda handle: (named[handle], handle)) if named else ""


def _compared(request: Request, store: Corpus, moment: int) -> Draft:
    """Both sides one after the other, each under its name."""
    picked: list[Picked] = []
    numbers: list[str] = []
    measure = _measured(request.text)
    shared = [term.text for term in request.question.terms if term.role == "event"][:1]
    task: Task = "question" if measure or request.wants else "opinions"
    for side in request.sides:
        asked = understand(side, moment, store, lang=request.question.lang)
        if not any(term.role == "event" for term in asked.terms):
            asked = understand(" ".join((side, *shared)), moment, store, lang=request.question.lang)
        if measure:
            asked = asked._replace(kind="count", measure=measure)
        wanted = request._replace(task=task, question=asked, topic=side, limit=SIDE, yes_no=False)
        part = _drafted(wanted, store, moment, PER_SIDE)
        picked += [p._replace(label=side) for p in part.picked[:SIDE]]
        numbers.append(part.headline)
    a, b = request.sides
    headline = lexicon.frame(request.lang, "comparison", a=a, b=b)
    if measure and all(numbers):
        headline += " " + lexicon.frame(
            request.lang, "compared_counts", a=a, b=b, x=numbers[0].rstrip("."), y=numbers[1].rstrip(".")
        )
    return Draft(picked, headline, "answer" if picked else "not_enough_evidence")


def _measured(text: str) -> str:
    """The first thing that a request says people are counted as; empty for none."""
    found = (name for word in tokens(text) for name, members in lexicon.MEASURES.items() if word in members)
    return next(found, "dead" if "tolls" in tokens(text) else "")


def _refused(request: Request, store: Corpus, moment: int) -> Answer:
    """Which part of the request found nothing, the nearest posts, and a wording that would find something."""
    lang = request.lang
    terms = request.question.terms
    if not terms:
        return _empty(request, moment, "not_enough_evidence", lexicon.frame(lang, "nothing"))
    unknown = [term.text for term in terms if not _known(term, store)]
    if unknown:
        headline = lexicon.frame(lang, "missing", missing=", ".join(unknown))
    else:
        together = [_as_typed(term.text, request.topic) for term in terms if term.text not in _MEASURED]
        headline = lexicon.frame(lang, "missing_together", topic=" + ".join(together))
    known = [term for term in terms if term.role == "name" and _known(term, store)]
    hits = store.retrieve(" ".join(term.text for term in terms), limit=NEAREST * 5, as_of=moment)
    near = [group for group in collapse(hits) if group.first <= moment][:NEAREST]
    if near and known:
        named = _whole_name(known, request.topic)
        place = all(word in lexicon.PLACE_OF for word in tokens(fold(named)))
        wording = lexicon.frame(lang, "wording" if place else "wording_about", topic=named)
        headline += " " + lexicon.frame(lang, "try_wording", wording=wording)
    refused = _empty(request, moment, "not_enough_evidence", headline)
    return msgspec.structs.replace(
        refused, nearest=tuple(cited(group.best, len(group.hits) - 1) for group in near)
    )


def _known(term: Term, store: Corpus) -> bool:
    return any(store.doc_freq(form) for form in term.forms)


_MEASURED = frozenset().union(*lexicon.MEASURES.values())


def _whole_name(known: Sequence[Term], topic: str) -> str:
    """The most frequent of some names, with the names beside it in the topic ("Pope Francis")."""
    best = min(known, key=lambda term: (term.weight, term.text)).text
    words = [word.strip(_SIGNS) for word in topic.split()]
    names = [any(term.text in tokens(fold(word)) for term in known) for word in words]
    at = next((n for n, word in enumerate(words) if best in tokens(fold(word))), -1)
    if at < 0 or best in lexicon.PLACE_OF:
        return _as_typed(best, topic)
    start, end = at, at + 1
    while start and names[start - 1]:
        start -= 1
    while end < len(words) and names[end]:
        end += 1
    return " ".join(words[start:end])


_SIGNS = '?!.,;:¿¡"“”'


def _as_typed(word: str, text: str) -> str:
    return next((typed.strip(_SIGNS) for typed in text.split() if word in tokens(typed)), word)


def _within(drafted: Answer, max_words: int) -> Answer:
    """An answer of at most so many words: without its headline and last claims where it is longer."""
    if not max_words or not drafted.claims:
        return drafted
    kept: list[Claim] = []
    words = 0
    for each in drafted.claims:
        size = len(each.text.split())
        if kept and words + size > max_words:
            break
        kept.append(each)
        words += size
    fits = words + _length([drafted.headline]) <= max_words
    return msgspec.structs.replace(drafted, claims=tuple(kept), headline=drafted.headline if fits else "")


def _length(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)
