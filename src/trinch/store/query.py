"""The query language: X's search operators, parsed into a small tree.

`query_eval.py` says what a tree means for one post, `query_compile.py` how to find candidates for it.

    words AND by default · "exact phrase" · +exact · OR · -not · ( )
    from: to: @user #tag $CASH · since: until: since_time: until_time: since_id: max_id: within_time:
    lang: filter: is: has: · min_faves: min_retweets: min_replies: (-min_…: at most)
    conversation_id: quoted_tweet_id: url: · place: place_country: geocode:

What X's search box would not read as an operator or a phrase is words: `re:Invent`, `6" pipe`; `parse_with_hints` says so.

Boundaries as on X: `since` inclusive, `until` exclusive, `since_id` exclusive, `max_id` inclusive.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from trinch.errors import TrinchError
from trinch.posts import times
from trinch.posts.places import coordinates
from trinch.posts.text import tokens
from trinch.posts.times import LATEST
from trinch.posts.wire import language
from trinch.store.facets import place_term

MAX_LENGTH = 4096
"""Characters of a query."""

_QUOTES = '"“”„«»'
MAX_DEPTH = 32
"""Levels of parentheses and signs."""

MAX_TERMS = 200
"""Words, phrases and operators of a query."""


class QueryError(TrinchError, ValueError):
    """A query that cannot be parsed; `position` is the offset of the error."""

    def __init__(self, reason: str, query: str, position: int) -> None:
        super().__init__(reason, query, position)  # all three, so that it can be pickled
        self.reason, self.query, self.position = reason, query, position

    def __str__(self) -> str:
        return f"{self.reason}\n  {self.query}\n  {' ' * self.position}^"


@dataclass(frozen=True, slots=True)
class Words:
    """Words next to each other, matched up to case, accents and inflection; one word most of the time."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Exactly these words in this order, up to case and accents."""

    text: str


@dataclass(frozen=True, slots=True)
class Has:
    """A facet of the post: `field` is one of FIELDS."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A count, `likes`, `reposts` or `replies`, of at least `n`."""

    count: str
    n: int


@dataclass(frozen=True, slots=True)
class Between:
    """Posted in start <= at < end, microseconds; None is open. `last`: microseconds before the as-of time."""

    start: int | None = None
    end: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """With an id that is a number, after < id <= upto; None is open."""

    after: int | None = None
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """Written within so many kilometres of a point (degrees north and east)."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True, slots=True)
class Not:
    item: "Node"


@dataclass(frozen=True, slots=True)
class And:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple["Node", ...]


Node: TypeAlias = Words | Phrase | Has | AtLeast | Between | Ids | Near | Not | And | Or

FILTERS = {
    "links": "links",
    "media": "media",
    "images": "images",
    "image": "images",
    "twimg": "images",
    "videos": "videos",
    "video": "videos",
    "native_video": "videos",
    "hashtags": "hashtags",
    "mentions": "mentions",
    "cashtags": "cashtags",
    "replies": "reply",
    "reply": "reply",
    "retweets": "retweet",
    "retweet": "retweet",
    "nativeretweets": "retweet",
    "quote": "quote",
    "quotes": "quote",
    "self_threads": "self_thread",
    "verified": "verified",
    "safe": "safe",
    "has_engagement": "engagement",
    "undated": "undated",
    "geo": "geo",
}
"""The values of filter:, is: and has:, and the facet that each asks for."""

_COUNTS = {"min_faves": "likes", "min_retweets": "reposts", "min_replies": "replies"}
_VALUES = {
    "from": "from",
    "to": "to",
    "lang": "lang",
    "network": "net",
    "conversation_id": "conversation",
    "quoted_tweet_id": "quoted",
    "url": "url",
    "place": "place",
    "place_country": "country",
}
FIELDS = (*_VALUES.values(), "is", "mention")
OPERATORS = (
    *_VALUES,
    *_COUNTS,
    "filter",
    "is",
    "has",
    "include",
    "since",
    "until",
    "since_time",
    "until_time",
    "since_id",
    "max_id",
    "within_time",
    "geocode",
)
"""Every operator; a test checks that docs/search.md explains each."""

_UNSUPPORTED = (
    "near",
    "within",
    "list",
    "card_name",
    "card_domain",
    "source",
    "context",
    "entity",
)
_QUOTES = '"“”„‟«»＂「」『』〝〞'
"""Marks around a phrase, in whatever order: languages differ in which of them open and which close."""

_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<open>\() | (?P<close>\)) | (?P<or>OR(?=[\s()]|$)) | (?P<and>AND(?=[\s()]|$)) |
        (?P<sign>-(?=[^\s])) | (?P<plus>\+(?=[^\s(){_QUOTES}])) |
        (?P<quote>[{_QUOTES}]) (?: (?P<phrase>[^{_QUOTES}]*)[{_QUOTES}] )? |
        (?P<op>[A-Za-z_]+):(?P<value>"[^"]*"|[^\s()"]*) |
        (?P<word>[^\s(){_QUOTES}][^\s()„«「『〝]*)
    )""",
    re.VERBOSE,
)
_GEOCODE = re.compile(r"(-?\d{1,2}(?:\.\d{1,9})?),(-?\d{1,3}(?:\.\d{1,9})?),(\d{1,5}(?:\.\d{1,6})?)(km|mi)")
_DURATION = re.compile(r"(\d+)([dhms])$")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse(query: str) -> Node:
    """The tree of a query; an empty query is an empty And. Raises QueryError."""
    return _Parser(query).parse()


def parse_with_hints(query: str) -> tuple[Node, list[str]]:
    """The tree of a query, and for each part that was taken for words although it looks like more, a sentence."""
    parser = _Parser(query)
    return parser.parse(), parser.hints


def joined(*parts: str) -> str:
    """One query for what satisfies each of the parts; empty ones are left out.

    Raises QueryError for a part that is no query by itself, or that would change what another means: `a) OR (b` and an
    open quotation mark must not take effect outside of their part, which may be a filter that has to hold."""
    queries = [part.strip() for part in parts if part.strip()]
    if len(queries) < 2:
        return queries[0] if queries else ""
    whole = " ".join(f"({query})" for query in queries)
    if normalized(parse(whole)) != normalized(And(tuple(map(parse, queries)))):
        place = next((n for n, sign in enumerate(whole) if sign in _QUOTES), 0)
        raise QueryError("an open quotation mark reaches into the next part", whole, place)
    return whole


def normalized(node: Node) -> Node:
    """The same query in negation normal form: only leaves are negated, so that the index can use every part.

    `-(-x)` is `x`, `-(a b)` is `-a OR -b`, `-(a OR b)` is `-a -b` (De Morgan)."""
    match node:
        case And(items):
            return And(tuple(map(normalized, items)))
        case Or(items):
            return Or(tuple(map(normalized, items)))
        case Not(Not(item)):
            return normalized(item)
        case Not(And(items)):
            return Or(tuple(normalized(Not(item)) for item in items))
        case Not(Or(items)):
            return And(tuple(normalized(Not(item)) for item in items))
        case _:
            return node


def _count_leaves(node: Node) -> int:
    match node:
        case And(items) | Or(items):
            return sum(map(_count_leaves, items))
        case Not(item):
            return _count_leaves(item)
        case _:
            return 1


def wanted_words(node: Node) -> list[str]:
    """The tokens that a query asks for, in order, without those it excludes."""
    match node:
        case Words(text) | Phrase(text):
            return tokens(text)
        case And(items) | Or(items):
            return [word for item in items for word in wanted_words(item)]
        case _:
            return []


def parse_time(text: str) -> int:
    """Microseconds of a date or time as a person types it (`times.typed`); UTC by default. Raises ValueError."""
    return times.typed(text)


class _Parser:
    def __init__(self, query: str) -> None:
        if len(query) > MAX_LENGTH:
            raise QueryError(f"the query is longer than {MAX_LENGTH} characters", query[:80] + "…", 80)
        self._query, self._at, self._depth = query, 0, 0
        self.hints: list[str] = []

    def _fail(self, reason: str, position: int) -> QueryError:
        return QueryError(reason, self._query, position)

    def _next(self) -> re.Match[str] | None:
        return _TOKEN.match(self._query, self._at)

    def parse(self) -> Node:
        node = self._either()
        token = self._next()
        if token:
            raise self._fail("this ) closes nothing", token.start("close"))
        if _count_leaves(node) > MAX_TERMS:
            raise self._fail(f"more than {MAX_TERMS} words and operators", len(self._query))
        return node

    def _either(self) -> Node:
        branches = [self._all()]
        while (token := self._next()) and token["or"]:
            position = token.start("or")
            if branches[-1] == And(()):
                raise self._fail("OR needs something on its left", position)
            self._at = token.end()
            branches.append(self._all())
            if branches[-1] == And(()):
                raise self._fail("OR needs something on its right", position)
        return branches[0] if len(branches) == 1 else Or(tuple(branches))

    def _all(self) -> Node:
        items: list[Node] = []
        while token := self._next():
            if token["or"] or token["close"]:
                break
            if token["and"]:
                self._at = token.end()
                continue
            item = self._item(token)
            if item is not None:
                items.append(item)
        return items[0] if len(items) == 1 else And(tuple(items))

    def _item(self, token: re.Match[str]) -> Node | None:
        self._at = token.end()
        if token["sign"]:
            return self._negated(token.start("sign"))
        if token["plus"]:
            return self._exact()
        if token["open"]:
            return self._group(token.start("open"))
        if token["quote"]:
            return self._phrase(token)
        if token["op"] is not None:
            return self._operator(token)
        handle = _HANDLE(token["word"])
        return Has("mention", handle[1].lower()) if handle else Words(token["word"])

    def _exact(self) -> Node:
        word = self._next()
        assert word is not None  # the pattern of `plus` looked ahead
        self._at = word.end()
        return Phrase(word.group().strip())

    def _negated(self, position: int) -> Node | None:
        token = self._next()
        if token is None or token["close"] or token["or"] or token["and"]:
            raise self._fail("- needs something to leave out", position)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(f"more than {MAX_DEPTH} levels deep", position)
        item = self._item(token)
        self._depth -= 1
        return None if item is None else Not(item)

    def _group(self, position: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(f"more than {MAX_DEPTH} levels deep", position)
        node = self._either()
        token = self._next()
        if token is None or not token["close"]:
            raise self._fail("this ( is never closed", position)
        self._at = token.end()
        self._depth -= 1
        return node

    def _phrase(self, token: re.Match[str]) -> Node | None:
        if token["phrase"] is not None:
            return Phrase(token["phrase"])
        self.hints.append(
            f"the quotation mark at character {token.start('quote') + 1} is never closed: it is ignored"
        )
        return None

    def _operator(self, token: re.Match[str]) -> Node | None:
        name, position = token["op"].lower(), token.start("op")
        value = token["value"].strip('"')
        if value.startswith("//"):  # a link, not an operator
            return Has("url", token.group().strip().lower())
        if name in _UNSUPPORTED and value:
            raise self._fail(
                f"{name}: is not supported: the stored posts do not contain what it asks for", position
            )
        if name not in OPERATORS:
            if value:
                self.hints.append(f"{name}: is no operator: {token.group().strip()} is searched as words")
            return Words(f"{token['op']} {value}".strip())
        if not value:
            raise self._fail(f"{name}: needs a value right behind it", position)
        try:
            return self._known(name, value)
        except ValueError as error:
            raise self._fail(f"{name}: {error}", token.start("value")) from None

    def _known(self, name: str, value: str) -> Node | None:
        if name in _VALUES:
            value = _language(value) if name == "lang" else value.lower()
            value = place_term(value) if name == "place" else value
            return Has(_VALUES[name], value.removeprefix("@") if name in ("from", "to") else value)
        if name in _COUNTS:
            return AtLeast(_COUNTS[name], _number(value))
        if name in ("filter", "is", "has"):
            if value.lower() not in FILTERS:
                raise ValueError(f"unknown value {value!r} (known: {', '.join(FILTERS)})")
            return Has("is", FILTERS[value.lower()])
        if name == "geocode":
            return _near(value)
        if name == "include":
            return None  # on X this lifts a default exclusion of reposts; here nothing is excluded
        return _range(name, value)


def _near(value: str) -> Near:
    """The node of `geocode:51.5,-0.1,10km`. Raises ValueError."""
    match = _GEOCODE.fullmatch(value.lower())
    here = coordinates(float(match[1]), float(match[2])) if match else None
    if match is None or here is None:
        raise ValueError(
            f"cannot read {value!r}; write latitude, longitude and radius such as 51.5,-0.1,10km"
        )
    return Near(*here, float(match[3]) * (1.609344 if match[4] == "mi" else 1.0))


def _range(name: str, value: str) -> Node:
    """The node of an operator of time, or of `since_id:` and `max_id:`. Raises ValueError."""
    if name in ("since_id", "max_id"):
        number = _number(value)
        return Ids(after=number) if name == "since_id" else Ids(upto=number)
    if name == "within_time":
        match = _DURATION.match(value)
        if not match:
            raise ValueError(f"cannot read {value!r}; write 2d, 3h, 5m or 30s")
        return Between(last=min(int(match[1]) * _SECONDS[match[2]] * 1_000_000, LATEST))
    moment = _number(value) * 1_000_000 if name.endswith("_time") else parse_time(value)
    moment = min(moment, LATEST)
    return Between(start=moment) if name.startswith("since") else Between(end=moment)


_HANDLE = re.compile(r"[@＠]([a-z0-9_.-]*[a-z0-9_])[^\w]*", re.ASCII | re.IGNORECASE).fullmatch


def _language(value: str) -> str:
    """The code under which posts are stored; also for codes that X writes otherwise (`in`, `iw`)."""
    code = language(value)
    return value.lower() if code == "und" and not value.lower().startswith(("und", "q", "zxx")) else code


def _number(value: str) -> int:
    if not value.isdecimal() or len(value) > 20:
        raise ValueError(f"needs a whole number, not {value!r}")
    return int(value)
