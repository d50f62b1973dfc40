"""What the question is about, as posts tell it: retrieve, see which posts speak of all it names, learn their words.

Owns retrieval for an answer and the decision whether there is enough evidence.

A post about an event often names it otherwise than the question ("Savar" is "the Bangladesh building collapse").
So the posts that do hold the question's terms (the anchors) are asked which words set them apart from the rest of
the store; those words find the others (pseudo-relevance feedback).
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.evidence import PostGroup, collapse
from trinch.answers.question import Question, Term
from trinch.answers.reading import PostReader, kindred
from trinch.answers.types import Corpus, Hit
from trinch.posts.text import fold, query_terms
from trinch.reader import Reading

LIMIT = 200
"""Posts asked for at a time."""

COVERED = 0.6
"""Share of the weight of the question's terms a post must hold, all names among them, to be an anchor."""

FOREIGN = 0.35
"""What a common word weighs when the post is in another language, where it would be written otherwise."""

ABOUT = 0.45
"""How near a post must be to the question to be evidence."""

LIKE = 0.6
"""How near it must be to the anchors' words where it does not hold the question's own."""

TIED = 0.08
"""Share of the evidence that must hold the question's own names for the rest to be believed the same topic."""

READ = 100
"""Posts read to decide whether there is an answer, best match first."""
ENOUGH, ALONE = 0.4, 0.7
"""Least probability that they answer, where the words of the question are met too, and where they are not."""
LIKELY = 0.7
"""A post that holds the names is on the topic from this probability on, whatever other words it holds."""
UNLIKELY = 0.1
"""A post less likely on the topic is no evidence, whatever words it holds."""

PROFILE = 12
"""Words kept that set the anchors apart."""

HEAVIEST = 4
"""Words that a post need hold to be wholly about the topic."""

FEWEST_ANCHORS = 5
"""Fewer posts that hold what is asked do not show which other words belong to it."""
FEWEST = 3
"""Where fewer words set the anchors apart, holding them all says less."""

_STOP = lexicon.ANY_STOPWORD
_HAPPENINGS = frozenset(
    form for concept in lexicon.CONCEPT_ROWS for word in concept for form in query_terms(word)
)
_COUNTED = frozenset(
    form for words in lexicon.MEASURES.values() for word in words for form in query_terms(word)
)
"""Words of counting ("death toll") go with every disaster and set none apart."""

SOURCES = 200
"""Most sources weighed; for a count half as many more, since fewer of them state it."""
DAY = 86_400_000_000
RECENT = (1, 7)
"""Days back from the newest post on the topic for which posts are asked for once more, by themselves: the second
only for a count of which fewer than `BUSY` posts speak in the first, since it may not move for days."""
BUSY = 30
EVENTFUL = 5
ORIGINALS = "-filter:retweets"
"""Reposts tell nothing that their originals do not. To leave them out costs time, so only where they crowd."""
CROWDED = 2
"""Posts to a source among the anchors from which on reposts are left out of the further searches."""


class Evidence(NamedTuple):
    sources: tuple[PostGroup, ...]
    about: tuple[float, ...]
    """For each source, 0 to 1: how much it speaks of what is asked."""
    profile: dict[str, float]
    """Index terms that set the topic apart, weights summing to 1."""
    enough: bool


NOTHING = Evidence((), (), {}, False)


def holds(term: Term, terms: frozenset[str], folded: str, at: int, question: Question) -> bool:
    """Whether a post speaks of `term`: its index terms, its folded text, and when it was witnessed.

    A name must stand in the text as it is written in the question but for its last letter; stems alone are not
    enough, since they make one word of Genovia and Genova.
    """
    if not term.forms.isdisjoint(terms):
        return term.role != "name" or any((s if len(s) < 5 else s[:-1]) in folded for s in term.spellings)
    period = question.period
    return bool(period and period.year == term.text and period.since <= at < period.until)


def coverage(
    question: Question, terms: frozenset[str], folded: str, at: int, lang: str
) -> tuple[float, bool]:
    """The share of the question's weight a post holds; and whether it holds all names and events, and `COVERED`."""
    total = held = 0.0
    missed: list[Term] = []
    foreign = question.lang != "und" and lang not in ("und", question.lang)
    for term in question.terms:
        weight = term.weight * (FOREIGN if foreign and term.role == "word" else 1.0)
        total += weight
        if holds(term, terms, folded, at, question):
            held += weight
        elif term.needed:
            missed.append(term)
    share = held / total if total else 0.0
    return share, share >= COVERED and _may_miss(question, missed)


def _may_miss(question: Question, missed: Sequence[Term]) -> bool:
    """Whether a post may lack these names and events: one of three or more, and not the rarest."""
    if not missed:
        return True
    needed = [term for term in question.terms if term.needed]
    return len(missed) == 1 and len(needed) >= 3 and missed[0].weight < max(term.weight for term in needed)


class Read(NamedTuple):
    """What a post says of the question, worked out once: the same posts come back from every search."""

    terms: frozenset[str]
    folded: str
    share: float
    whole: bool


class Reader:
    """Reads posts for one question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._read: dict[tuple[str, str], Read] = {}

    def __call__(self, hit: Hit) -> Read:
        key = hit.post.network, hit.post.id
        if key not in self._read:
            terms, folded = frozenset(hit.terms), fold(hit.post.text)
            self._read[key] = Read(
                terms, folded, *coverage(self._question, terms, folded, hit.at, hit.post.lang)
            )
        return self._read[key]

    def holds(self, term: Term, hit: Hit) -> bool:
        read = self(hit)
        return holds(term, read.terms, read.folded, hit.at, self._question)


def _where(question: Question) -> str:
    if not question.period:
        return ""
    since, until = question.period.since // 1_000_000, question.period.until // 1_000_000
    return f"since_time:{since} until_time:{until}"


def _profile(question: Question, anchors: Sequence[PostGroup], store: Corpus) -> dict[str, float]:
    """Words far more frequent among the anchors than in the store, by p * log(p / q); weights sum to 1."""
    counts: Counter[str] = Counter()
    for source in anchors:
        counts.update(set(source.best.terms))
    size = len(anchors)
    floor = max(3, size // 12)
    asked = {form for term in question.terms for form in (*term.forms, term.text)}
    weights: dict[str, float] = {}
    for term, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:60]:
        if count < floor:
            break
        if (
            term in asked
            or term in _COUNTED
            or term in _STOP
            or term in lexicon.PERSONAL
            or term in lexicon.NUMBER_WORDS
            or len(term) < 3
            or term[0] in "#@"
            or any(c.isdigit() for c in term)
        ):
            continue
        p = count / size
        q = (store.doc_freq(term) + 0.5) / (store.num_posts + 1)
        if p > 5 * q:
            weights[term] = p * math.log(p / q)
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:PROFILE]
    total = sum(weight for _, weight in best)
    return {term: weight / total for term, weight in best}


def closeness(profile: dict[str, float], terms: frozenset[str]) -> float:
    """Share of the profile's weight a post holds, out of what its `HEAVIEST` words, the first, weigh together."""
    if not profile:
        return 0.0
    held = sum([weight for term, weight in profile.items() if term in terms])
    if not held:
        return 0.0
    heaviest = list(islice(profile.values(), HEAVIEST))
    return min(held / sum(heaviest) * min(len(heaviest) / FEWEST, 1.0), 1.0)


class Search:
    """The searches for one question: every one bounded by as-of time and by the operators that always hold."""

    def __init__(self, question: Question, store: Corpus, as_of: int, only: str) -> None:
        self._store, self._as_of, self.only = store, as_of, only
        self.read = Reader(question)
        self.text = " ".join(term.text for term in question.terms)
        if question.lang not in ("en", "und"):
            self.text += " " + " ".join(sorted(_translations(question)))
        self.where = f"{_where(question)} {only}".strip()

    def __call__(self, words: str, limit: int, where: str) -> list[Hit]:
        hits = self._store.retrieve(words, limit=limit, as_of=self._as_of, where=where)
        return [hit for hit in hits if hit.at <= self._as_of]


def gather(
    question: Question,
    store: Corpus,
    as_of: int,
    only: str = "",
    beside: str = "",
    reader: PostReader | None = None,
    limit: int = LIMIT,
) -> Evidence:
    """Retrieve and weigh the evidence for a question, in one to six searches.

    `only` holds search operators that every post must satisfy; `beside` are words looked for beside its names.
    Without a `reader` words alone decide. `limit` is how many posts a search returns at most.
    """
    if not question.terms:
        return NOTHING
    search = Search(question, store, as_of, only)
    hits = search(search.text, limit, search.where)
    if question.period and question.period.year:
        hits += search(search.text, limit // 2, only)
    anchors = collapse([hit for hit in hits if search.read(hit).whole])
    suffices, likely = _suffice(question, anchors, search.read), dict[tuple[str, str], float]()
    if reader and reader.judges_evidence and _asks(question):
        named, readings, chance = _judged(question, hits, search.read, reader)
        # A count needs a number that posts state: its own rules look for that.
        least = ALONE if not suffices else 0.0 if question.kind == "count" else ENOUGH
        if suffices and not _aside_met(question, anchors, search.read):
            return NOTHING
        if chance < least:
            return NOTHING
        if not suffices:  # the reader finds an answer in other words than the question's
            likely = {
                _key(hit): reading.topic
                for hit, reading in zip(named, readings, strict=True)
                if reading.topic >= LIKELY
            }
            anchors = collapse([hit for hit in hits if search.read(hit).whole or _key(hit) in likely])
            suffices = bool(anchors)
    if not suffices:
        return NOTHING
    profile = _profile(question, anchors[:80], store) if len(anchors) >= FEWEST_ANCHORS else {}
    if beside:
        names = " ".join(term.text for term in question.terms if term.needed) or search.text
        hits += search(f"{names} {beside}", limit // 2, search.where)
    if profile or question.kind in ("count", "overview"):
        hits += _widened(question, search, profile, anchors, hits, limit)
    return _weighed(question, search.read, profile, hits, reader, likely)


def _key(hit: Hit) -> tuple[str, str]:
    return hit.post.network, hit.post.id


def _asks(question: Question) -> bool:
    """Whether a question has more than names to look for, so that posts with the names may still not answer it."""
    return len(question.terms) > 1 and any(term.role in ("word", "event", "aside") for term in question.terms)


def _aside_met(question: Question, anchors: Sequence[PostGroup], read: Reader) -> bool:
    """Whether a post holds one of the words that say what is to be explained ("resign"), or one of their kin (quits,
    steps down), where there are any."""
    aside = [term for term in question.terms if term.role == "aside"]
    if not aside or any(read.holds(term, anchor.best) for term in aside for anchor in anchors):
        return True
    if not any(anchor.best.post.lang == question.lang for anchor in anchors):
        return True  # posts in another language say it in other words
    kin = frozenset(form for term in aside for word in kindred(term.text) for form in query_terms(word))
    return any(not kin.isdisjoint(anchor.best.terms) for anchor in anchors)


def _judged(
    question: Question, hits: Sequence[Hit], read: Reader, reader: PostReader
) -> tuple[list[Hit], list[Reading], float]:
    """The best posts that hold the names, how the reader reads them, and how likely they answer."""
    names = [term for term in question.terms if term.role == "name"]
    named = [hit for hit in hits if all(read.holds(term, hit) for term in names)][:READ]
    return named, *reader.judge(named)


def _widened(
    question: Question,
    search: Search,
    profile: dict[str, float],
    anchors: Sequence[PostGroup],
    hits: Sequence[Hit],
    limit: int,
) -> list[Hit]:
    """Posts that the anchors' words find, and the newest of them by themselves where the newest is wanted."""
    crowded = sum(len(anchor.hits) for anchor in anchors) >= CROWDED * len(anchors)
    kind = ORIGINALS if crowded else ""
    words = [term.text for term in question.terms] + list(profile)[:8]
    words += MEASURE_WORDS.get(question.measure, "").split()
    if question.kind == "overview" and _is_event(question, profile, anchors):
        words += _TOLL_WORDS.split()
    text = " ".join(dict.fromkeys(words))
    found = search(text, limit, f"{search.where} {kind}".strip())
    if question.period or not (question.newest or question.kind in ("count", "overview")):
        return found

    def is_like(hit: Hit) -> bool:
        return closeness(profile, search.read(hit).terms) >= LIKE

    newest = max(
        (hit.at for hit in (*hits, *found) if is_like(hit)), default=max(anchor.first for anchor in anchors)
    )
    for days in RECENT:
        since = f"since_time:{(newest - days * DAY) // 1_000_000} {kind} {search.only}"
        recent = search(text, limit // 2, since)
        found += recent
        if question.kind != "count" or sum(map(is_like, recent)) >= BUSY:
            break
    return found


def _weighed(
    question: Question,
    read: Reader,
    profile: dict[str, float],
    hits: Sequence[Hit],
    reader: PostReader | None,
    likely: dict[tuple[str, str], float],
) -> Evidence:
    """The posts found, each once, without those that speak of something else."""
    best: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        key = hit.post.network, hit.post.id
        if _in_period(question, hit) and (key not in best or hit.score > best[key].score):
            best[key] = hit
    nearness = {key: max(_nearness(read(hit), profile), likely.get(key, 0.0)) for key, hit in best.items()}
    near = [hit for key, hit in best.items() if nearness[key]]
    if reader:
        near = [hit for hit, topic in zip(near, reader.topics(near), strict=True) if topic >= UNLIKELY]
    needed = [term for term in question.terms if term.needed]
    named = [hit for hit in near if _key(hit) in likely or all(read.holds(term, hit) for term in needed)]
    if len(named) < TIED * len(near):
        near = named  # the anchors' words led to another topic
    sources = collapse(near)
    if question.kind == "count":
        sources.sort(key=lambda source: not _may_count(source.best, question.measure))
    sources = sources[: SOURCES * 3 // 2 if question.kind == "count" else SOURCES]
    about = tuple(nearness[source.best.post.network, source.best.post.id] for source in sources)
    return Evidence(tuple(sources), about, profile, bool(sources))


_TOLL_WORDS = "dead killed injured missing toll confirmed officials"


def _may_count(hit: Hit, measure: str) -> bool:
    """Whether a post holds a number and a word of what is counted."""
    return any(c.isdigit() for c in hit.post.text) and not _MEASURED.get(measure, _COUNTED).isdisjoint(
        hit.terms
    )


_MEASURED = {
    name: frozenset(form for word in words for form in query_terms(word))
    for name, words in lexicon.MEASURES.items()
}

MEASURE_WORDS = {
    "dead": "dead killed death toll",
    "injured": "injured wounded hurt",
    "missing": "missing unaccounted",
    "rescued": "rescued survivors",
    "displaced": "homeless evacuated displaced",
    "arrested": "arrested detained",
}


def _translations(question: Question) -> set[str]:
    """Other languages' words for the events and places a question names and for what it counts."""
    words = {
        word
        for concept in lexicon.CONCEPT_ROWS
        if any(term.text in concept for term in question.terms)
        for word in concept
    }
    words |= {spelling for term in question.terms for spelling in term.spellings}
    return words | set(MEASURE_WORDS.get(question.measure, "").split())


def _is_event(question: Question, profile: dict[str, float], anchors: Sequence[PostGroup]) -> bool:
    """Whether the question, the words that set the anchors apart, or one anchor in `EVENTFUL` name a happening."""
    words = {*profile, *(term.text for term in question.terms)}
    if any(not words.isdisjoint(concept) for concept in lexicon.CONCEPT_ROWS):
        return True
    held = sum(not _HAPPENINGS.isdisjoint(anchor.best.terms) for anchor in anchors)
    return held * EVENTFUL >= max(len(anchors), 1)


def _in_period(question: Question, hit: Hit) -> bool:
    period = question.period
    return not period or bool(period.year) or period.since <= hit.at < period.until


def _nearness(read: Read, profile: dict[str, float]) -> float:
    """How much a post speaks of what is asked, 0 to 1; 0 where it is no evidence."""
    own = read.share if read.whole else 0.6 * read.share
    like = closeness(profile, read.terms) * 0.95
    return max(own, like) if own >= ABOUT or like >= LIKE else 0.0


def _suffice(question: Question, anchors: Sequence[PostGroup], read: Reader) -> bool:
    """Whether words alone say that there is an answer."""
    return _is_enough(question, anchors, read) and _is_met(question, anchors, read)


def _is_met(question: Question, anchors: Sequence[PostGroup], read: Reader) -> bool:
    """Whether the common words of the question are met too, by half their weight in one anchor at least.

    "Maduro captured" is not answered by posts that say something else of Maduro. Not asked of posts in another
    language, where those words would be other words.
    """
    common = [term for term in question.terms if term.role == "word"]
    weight = sum(term.weight for term in common)
    for anchor in anchors:
        hit = anchor.best
        if hit.post.lang not in ("und", question.lang) and question.lang not in ("und", "en"):
            return True
        if sum(term.weight for term in common if read.holds(term, hit)) >= weight / 2:
            return True
    return not common


def _is_enough(question: Question, anchors: Sequence[PostGroup], read: Reader) -> bool:
    """One post is enough for a single term; several terms must meet in two independent posts, or all in one."""
    if not anchors:
        return False
    if len(question.terms) == 1 or len(anchors) >= 2:
        return True
    return all(read.holds(term, anchors[0].best) for term in question.terms if term.role != "part")
