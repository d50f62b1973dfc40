"""Numbers of a sentence: in the posts with what they count, computed from them, or a time that they tell."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import combinations, pairwise, product
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.reading import Text, Word

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_629_800, "year": 31_557_600}
_DIGITS = re.compile(r"[$€£]?(\d+(?:[.,]\d+)*)(\+|%)?")
LEAST_COMPUTED = 5
"""Least number that may be a sum or a difference: smaller ones are met by chance."""
_MONTHS = frozenset(
    name
    for lang in lexicon.COMPLETE
    for names in lexicon.LANGUAGES[lang]["time"]["months"]
    for name in names.split()
)
_WEEKDAYS = [
    frozenset(lexicon.LANGUAGES[lang]["time"]["weekdays"].split()[n] for lang in lexicon.COMPLETE)
    for n in range(7)
]
_OVER = re.compile(
    r"(?<!no )\b(?:more than|over|above|mas de|plus de|piu di|mehr als|uber|mais de|oltre|upwards of)\b"
)
_EXCEEDED = re.compile(
    r"\b(?:more than|over|above|surpass\w*|exceed\w*|tops?|topped|pass(?:es|ed)|mas de|supera\w*|plus de|depass\w*|piu di|"
    r"mehr als|uber\w*|mais de|ultrapass\w*|oltre|upwards of)\b|\d\+"
)
_ALMOST = re.compile(
    r"(?<!no )(?<!not )\b(?:less than|fewer than|under|below|nearly|almost|menos de|moins de|meno di|weniger als|fast|casi|quase|quasi|presque|"
    r"pres de)\b"
)
_ORDINALS = frozenset(("st", "nd", "rd", "th"))


_ONE = lexicon.words("a an one un una uno une ein eine einer einem einen um uma")


class Number(NamedTuple):
    value: float
    at: int
    """Index of its word."""


def numbers(text: Text) -> list[Number]:
    """The numbers of a text, words and multipliers included; without dates, years and times of day."""
    found: list[Number] = []
    words = text.words
    for at, word in enumerate(words):
        value = value_of(word.folded, text.lang)
        if value is None and at and words[at - 1].folded in _ONE:
            value = float(meanings.MULTIPLIERS.get(word.folded, 0)) or None
        following = words[at + 1].folded if at + 1 < len(words) else ""
        if value is None or _is_time(text, at) or following in _ORDINALS:
            continue
        if (
            following in meanings.MULTIPLIERS
            and word.folded not in meanings.MULTIPLIERS
            and not (following == "m" and text.lang != "en")
        ):
            value *= meanings.MULTIPLIERS[following]
        if at and found and found[-1].at == at - 1 and word.folded in meanings.MULTIPLIERS:
            continue
        if found and _continues(text, found[-1], at, value):
            found[-1] = Number(found[-1].value + value, found[-1].at)
            continue
        found.append(Number(value, at))
    return found


def _continues(text: Text, before: Number, at: int, value: float) -> bool:
    """Whether a number word goes on with the one before it ("forty-two", "treinta y dos")."""
    between = [word.folded for word in text.words[before.at + 1 : at]]
    written = text.words[before.at].folded + text.words[at].folded
    tens = before.value % 10 == 0 and 20 <= before.value <= 90 and 1 <= value <= 9
    return tens and written.isalpha() and between in ([], ["y"], ["e"], ["et"])


_GERMAN = re.compile(r"(\w+?)und(\w+(?:zig|ssig))")


@lru_cache(maxsize=50_000)
def value_of(word: str, lang: str) -> float | None:
    """The number that a folded word of a language is; None for none."""
    if value := meanings.NUMBERS.get(lang, {}).get(word):
        return float(value)
    if lang == "de" and (joined := _GERMAN.fullmatch(word)):
        ones, tens = (meanings.NUMBERS["de"].get(part, 1 if part == "ein" else 0) for part in joined.groups())
        return float(ones + tens) if ones and tens else None
    match = _DIGITS.fullmatch(word)
    if not match:
        return None
    digits = match[1]
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        return float(re.sub(r"[.,]", "", digits))
    try:
        return float(digits.replace(",", "."))
    except ValueError:
        return None


def _is_time(text: Text, at: int) -> bool:
    """Whether the number is a day of a month or a year."""
    word = text.words[at].folded
    around = {text.words[i].folded for i in (at - 1, at + 1) if 0 <= i < len(text.words)}
    following = [w.folded for w in text.words[at + 1 : at + 3]]
    if len(following) == 2 and following[0] in ("de", "of"):
        around.add(following[1])
    year = bool(re.fullmatch(r"(?:19|20)\d\d", word))
    return year or (word.isdigit() and int(word) <= 31 and not around.isdisjoint(_MONTHS))


def unsupported_number(said: Text, posts: Sequence[Text]) -> str:
    """Which number of a sentence the posts do not give; empty for none."""
    given = [[n.value for n in numbers(post)] for post in posts]
    counted = [[*values, *_ones(post)] for values, post in zip(given, posts, strict=True)]
    every = [value for each in given for value in each]
    every += [value for post in posts for value in _spaced(post)]
    wide = [value * 1000**k for value in every for k in (1, 2, 3)]
    for number in numbers(said):
        value = number.value
        if value in every or value == 1 or value in wide:
            continue
        if _is_span(said, number, posts) or (value <= 4 and value == len(posts)):
            continue
        if _rounds(said, number, every):
            continue
        if any(value * times in every for times in _later_multipliers(said, number)):
            continue
        if value >= LEAST_COMPUTED and value in computed(counted) and not _adds_states(posts, value):
            continue
        return f"no cited post gives the number {value:g}"
    return (
        _miscounted(said, posts)
        or _other_unit(said, posts)
        or _bound(said, posts)
        or _other_extent(said, posts, counted)
        or wrong_ordinal(said, posts)
    )


def _spaced(post: Text) -> list[float]:
    """Thousands written with a space ("1 800")."""
    return [
        float(a.folded + b.folded)
        for a, b in pairwise(post.words)
        if re.fullmatch(r"\d{1,3}", a.folded) and re.fullmatch(r"\d{3}", b.folded)
    ]


def _ones(post: Text) -> list[float]:
    """1 where a post counts one person by a word ("one dead", "killed a man")."""
    words = post.words
    singles = (n for n, word in enumerate(words) if word.folded in _ONE)
    return [1.0] if any(quantity(post, Number(1.0, n)) for n in singles) else []


def _later_multipliers(said: Text, number: Number) -> set[float]:
    """The multipliers of later numbers, which one without any shares ("at 165 and 192 billion")."""
    later = (n for n in range(number.at + 2, len(said.words)) if said.words[n].folded in meanings.MULTIPLIERS)
    return {
        float(meanings.MULTIPLIERS[said.words[n].folded])
        for n in later
        if value_of(said.words[n - 1].folded, said.lang) is not None
    }


def computed(given: Sequence[Sequence[float]]) -> set[float]:
    """Sums and differences of one number each of two or more posts, or of two within one ("144 passengers and 6 crew")."""
    found: set[float] = set()
    for a, b in combinations(given, 2):
        found |= {x + y for x in a for y in b} | {abs(x - y) for x in a for y in b}
    for each in given:
        found |= {abs(x - y) for x, y in combinations(each, 2)} | {x + y for x, y in combinations(each, 2)}
        for size in range(3, len(each) + 1):
            found |= {sum(each[start : start + size]) for start in range(len(each) - size + 1)}
    if len(given) > 2 and all(given):
        found |= {sum(each) for each in product(*(values[:4] for values in given))}
    return found


_COUNTABLE = lexicon.words(
    "people man woman child teen student worker passenger soldier hostage police family victim"
)
_SIGNS = {"$": "money", "€": "money", "£": "money", "%": "share"}
_MEASURES = {word: name for name, words in meanings.MEASURES.items() for word in words}


def _unit(text: Text, number: Number) -> str:
    """What a number measures: a unit of time, money, a share, a length …; empty for a plain count."""
    written = text.words[number.at].folded
    for sign, name in _SIGNS.items():
        if sign in written:
            return name
    for word in text.words[number.at + 1 : number.at + 3]:
        if found := _UNIT_OF.get(word.folded) or _MEASURES.get(word.folded):
            return found
        if word.folded not in meanings.MULTIPLIERS:
            break
    return ""


def _other_unit(said: Text, posts: Sequence[Text]) -> str:
    """A number that measures another thing than in every post ("11 months old" as eleven babies)."""
    given: dict[float, set[str]] = {}
    for post in posts:
        for number in numbers(post):
            given.setdefault(number.value, set()).add(_unit(post, number))
    for number in numbers(said):
        units = given.get(number.value, set())
        mine = _unit(said, number)
        people = any(w.concepts & _COUNTABLE for w in said.words[number.at + 1 : number.at + 3])
        if people and not mine and units and units <= _UNITS.keys():
            return f"in the posts {number.value:g} is a number of something else"
    return ""


_ABOUT = re.compile(
    r"\b(?:about|around|some|roughly|approximately|circa|unos|unas|cerca de|environ|ungefahr|rund|etwa|alrededor de)$"
)


def _rounds(said: Text, number: Number, given: Sequence[float]) -> bool:
    """Whether a number is one of the posts, rounded as its sentence says: "about", "nearly" or "more than"."""
    front = " ".join(word.folded for word in said.words[max(0, number.at - 3) : number.at])
    value = number.value
    if _ABOUT.search(front):
        return any(abs(value - each) <= 0.05 * each for each in given)
    if _OVER.search(front):
        return any(value < each <= 1.25 * value for each in given)
    if _ALMOST.search(front):
        return any(0.9 * value <= each < value for each in given)
    return False


def _adds_states(posts: Sequence[Text], value: float) -> bool:
    """Whether a number is the sum of one count at two times: both posts count the same of the same event."""
    for a, b in combinations(posts, 2):
        for x, y in product(numbers(a), numbers(b)):
            if x.value + y.value == value and quantity(a, x) & quantity(b, y):
                names = {w.folded for w in a.words if w.name} & {w.folded for w in b.words if w.name}
                events = {c for w in a.words for c in w.concepts & meanings.EVENTS} & {
                    c for w in b.words for c in w.concepts & meanings.EVENTS
                }
                if names and events - COUNTED:
                    return True
    return False


def _is_span(said: Text, number: Number, posts: Sequence[Text]) -> bool:
    """Whether a number of hours, days … is the time between two of the posts."""
    unit = next(
        (
            u
            for word in said.words[number.at + 1 : number.at + 3]
            for u in _UNITS
            if word.folded in time_words(u)
        ),
        "",
    )
    times = [post.at for post in posts if post.at]
    if unit == "year" and any(number.value == each for post in posts for each in _years_since(post)):
        return True
    if not unit or len(times) < 2:
        return False
    seconds = _UNITS[unit]
    apart = [abs(a - b) / timedelta(seconds=1) for a, b in combinations(times, 2)]
    return any(abs(each / seconds - number.value) <= max(0.6, 0.25 * number.value) for each in apart)


def _years_since(post: Text) -> set[int]:
    """How many years before its own time the years are that a post names."""
    years = (int(word.folded) for word in post.words if re.fullmatch(r"(?:19|20)\d\d", word.folded))
    return {post.at.year - year for year in years} if post.at else set()


def time_words(unit: str) -> frozenset[str]:
    """The names of a unit of time in every language that answers know."""
    return frozenset(w for lang in lexicon.COMPLETE for w in lexicon.LANGUAGES[lang]["time"][unit].split())


def same_unit(a: str, b: str) -> bool:
    """Whether two folded words name the same unit of time."""
    return bool(_UNIT_OF.get(a)) and _UNIT_OF.get(a) == _UNIT_OF.get(b)


_UNIT_OF = {word: unit for unit in _UNITS for word in time_words(unit)}

COUNTED = frozenset(("die", "hurt", "missing", "rescue", "arrest", "homeless", "evacuate"))
"""Concepts by which people are counted; each is its own quantity."""


def _miscounted(said: Text, posts: Sequence[Text]) -> str:
    """A number that counts people otherwise than the posts do: the injured as dead."""
    given: dict[float, set[str]] = {}
    for post in posts:
        for number in [*numbers(post), *_vague(post)]:
            given.setdefault(number.value, set()).update(quantity(post, number))
    for number in [*numbers(said), *_vague(said)]:
        mine, theirs = quantity(said, number), given.get(number.value, set())
        rivals = {value for value, counts in given.items() if mine and mine & counts} - {number.value}
        if (
            mine
            and number.value in given
            and not theirs
            and _counts_things(posts, number.value, bool(rivals))
        ):
            return f"the posts do not count {min(mine)} by {number.value:g}"
        if mine and theirs and not mine & theirs:
            amount = f"{number.value:g}" if number.value > 0 else said.words[number.at].folded
            return f"the posts count {amount} as {min(theirs)}, not as {min(mine)}"
    return ""


def _counts_things(posts: Sequence[Text], value: float, rivals: bool) -> bool:
    """Whether a number has a word for things behind it in a post ("346 homes"); or an adverb ("11 critically"), by which
    it counts a part of something, where the posts have `rivals`, other numbers of what the sentence counts."""
    for post in posts:
        for number in numbers(post):
            behind = post.words[number.at + 1 : number.at + 2]
            if number.value == value and any(
                (rivals and word.folded.endswith("ly")) or word.concepts & meanings.THINGS for word in behind
            ):
                return True
    return False


def _vague(text: Text) -> list[Number]:
    """ "Hundreds", "dozens" and the like, as numbers of their own."""
    return [Number(VAGUE[w.folded], at) for at, w in enumerate(text.words) if w.folded in VAGUE]


VAGUE = {word: -(10.0**size) for size, found in enumerate(meanings.VAGUE, 1) for word in found}


def quantity(text: Text, number: Number) -> set[str]:
    """What a number counts people as: by the nearest such word behind it in its clause, else in front."""
    here = text.words[number.at].clause
    behind = [w for w in text.words[number.at + 1 :] if w.clause == here]
    front = [w for w in reversed(text.words[: number.at]) if w.clause == here]
    for word in behind:
        if value_of(word.folded, text.lang) is not None:
            break
        if counted := word.concepts & COUNTED:
            return set(counted)
    for n, word in enumerate(front):
        if counted := word.concepts & COUNTED:
            return set() if _has_number(front[n + 1 : n + 3], text.lang) else set(counted)
    return set()


def _has_number(words: Sequence[Word], lang: str) -> bool:
    """Whether a word that counts people already has a number of its own in front ("21 missing to seven")."""
    return any(value_of(word.folded, lang) is not None for word in words)


def _bound(said: Text, posts: Sequence[Text]) -> str:
    """A bound on a number that no post gives ("more than 40" where a post says 40). A weaker bound ("at least 40") follows from the number."""
    whole = " ".join(said.clauses)
    texts = [" ".join(post.clauses) for post in posts]
    for pattern, given in ((_OVER, _EXCEEDED), (_ALMOST, _ALMOST)):
        bound = pattern.search(whole)
        if not bound or any(given.search(text) for text in texts):
            continue
        behind = whole[bound.end() :].split()[:3]
        counts = any(
            value_of(word, said.lang) is not None or word in meanings.MULTIPLIERS for word in behind[:2]
        )
        if counts and not any(word in time_words(unit) for word in behind for unit in _UNITS):
            return "no cited post gives that bound"
    reached = {number.value for text in posts for number in numbers(text) if not _is_most(text, number)}
    for number in numbers(said):
        at_most = any(_is_most(text, n) for text in posts for n in numbers(text) if n.value == number.value)
        if at_most and number.value not in reached and not _is_most(said, number):
            return f"the posts give {number.value:g} as the most there may be"
    return ""


def _other_extent(said: Text, posts: Sequence[Text], given: Sequence[Sequence[float]]) -> str:
    """A number that only adds to an earlier one, given as the whole."""
    adds = {n.value for post in posts for n in numbers(post) if _adds(post, n)}
    plain = {n.value for post in posts for n in numbers(post) if not _adds(post, n)}
    sums = computed(given)
    for number in numbers(said):
        value = number.value
        near = " ".join(w.folded for w in said.words[max(0, number.at - 3) : number.at + 5])
        if value in adds - plain - sums and meanings.marks("altogether", near, said.lang):
            return f"in the posts {value:g} comes on top of an earlier number"
    return ""


def _adds(text: Text, number: Number) -> bool:
    """Whether a number only adds to an earlier one ("another 18", "18 more")."""
    around = [w.folded for w in text.words[max(0, number.at - 1) : number.at + 2]]
    behind = text.words[number.at + 2].folded if number.at + 2 < len(text.words) else ""
    return bool(meanings.marks("further", " ".join(around), text.lang)) and behind not in _THAN


_THAN = lexicon.words("than que de als di")
_MOST = re.compile(
    r"\b(?:up to|as many as|as much as|jusqua|at most|nearly|almost|hasta|jusqu a|fino a|bis zu|ate|casi|quase|quasi|presque|fast)(?: (?:a|de|unos|an?|um|un|une|einer?))?$"
)


def _is_most(text: Text, number: Number) -> bool:
    """Whether a number is given as one that is not, or may not be, reached ("up to 20")."""
    front = text.words[max(0, number.at - 3) : number.at]
    return bool(_MOST.search(" ".join(word.folded for word in front)))


_ORDINAL_WORDS = {word: n for n, found in enumerate(meanings.ORDINALS, 1) for word in found}


def _ordinals(text: Text) -> set[int]:
    found = {_ORDINAL_WORDS[word.folded] for word in text.words if word.folded in _ORDINAL_WORDS}
    for a, b in pairwise(text.words):
        if b.folded in _ORDINALS and a.folded.isdigit():
            found.add(int(a.folded))
    return found


def wrong_ordinal(said: Text, posts: Sequence[Text]) -> str:
    """An ordinal from the second on where the posts have others, and not that one."""
    given = set().union(*(_ordinals(post) for post in posts))
    missing = {n for n in _ordinals(said) if n > 1} - given
    return "no cited post has that ordinal" if missing and given else ""


def wrong_time(said: Text, posts: Sequence[Text]) -> str:
    """A day, month or year of a sentence that is neither in a post nor the time of one; empty for none."""
    words = {word.folded for post in posts for word in post.words}
    days = {day for word in words for day in _weekday(word)}
    near = [post.at + timedelta(hours=h) for post in posts if post.at for h in (-12, 0, 12)]
    for at, word in enumerate(said.words):
        if word.folded in words:
            continue
        if re.fullmatch(r"(?:19|20)\d\d", word.folded):
            if not any(str(time.year) == word.folded for time in near):
                return f"no cited post is of {word.folded}"
        elif _is_time(said, at):
            if not any(time.day == int(word.folded) for time in near):
                return f"no cited post is of that day ({word.folded})"
        elif weekday := _weekday(word.folded):
            dated = all(any(_weekday(w.folded) for w in post.words) for post in posts)
            if days.isdisjoint(weekday) and (dated or not any(time.weekday() in weekday for time in near)):
                return f"no cited post is of a {word.folded}"
        elif word.folded in (
            "yesterday",
            "tomorrow",
            "ayer",
            "hier",
            "ieri",
            "gestern",
            "ontem",
            "demain",
            "domani",
        ):
            return f"no cited post says {word.folded}"
    return ""


def is_time_word(word: str) -> bool:
    """Whether a folded word names a month or a day of the week."""
    return word in _MONTHS or bool(_weekday(word))


def _weekday(word: str) -> Iterable[int]:
    return [n for n, names in enumerate(_WEEKDAYS) if word in names]
