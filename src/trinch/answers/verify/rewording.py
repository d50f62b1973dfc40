"""Whether a sentence that a model wrote says no more and no other than the quote it cites.

Owns that judgement and nothing else. It is lexical and made to refuse: a sentence passes only if it can be made from
the quote by a few steps that are known to keep its meaning (`_versions`, `_same`); any other word, order or omission
fails it. So it cannot be talked into anything, and it refuses most good paraphrases: those fall back to their quote.

What it cannot see: an omitted clause that frames the rest without any word of the lists ("…, delighting the studio
audience"), and words that mean something else in the sentence than in the quote.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import product

from trinch.answers import lexicon
from trinch.posts.text import fold

LANGUAGES = frozenset({"en", "fr", "es", "de", "it", "pt"})
"""Those of the word lists. In others only case, hashes and a full stop may differ from the quote."""

MIN_WORDS = 3
WHOLE = 4
"""Least words of a first clause that may stand without a later one: a shorter one is only a subject."""
MAX_OMITTED = 6
"""Most clauses considered for omission; any further one must be kept."""

ARTICLES = frozenset({"a", "an", "the"})
AFTER_ARTICLE = frozenset(
    {"few", "little", "lot", "bit", "couple", "number", "hundred", "thousand", "million", "most"}
)
"""Words that mean something else with an article in front than without."""
HURT = lexicon.words("dead missing injured hurt wounded")
_SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: str(n) for n, word in enumerate(_SMALL, 2)}

_CUTS = {
    ",": ",",
    ";": ",",
    "-": ",",
    "–": ",",
    "—": ",",
    "|": ",",
    ".": ".",
    "!": ".",
    "…": ".",
    ":": ":",
    "(": "(",
    ")": ")",
}
"""Punctuation between clauses, and what is taken for the same."""
_CUT = frozenset(_CUTS.values())
_QUOTES = dict.fromkeys('"“”„«»‘', '"')
_EDGE = "".join(_CUTS) + "".join(_QUOTES) + "'?"
_YEAR = re.compile(r"(1[5-9]|20)\d\d")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")

Token = str
Clause = tuple[Token, ...]


def faithful(sentence: str, quote: str, lang: str) -> bool:
    """Whether `sentence` says nothing that `quote`, a span of a post in `lang`, does not say."""
    english = lang == "en"
    said, given = _tokens(sentence, english), _tokens(quote, english)
    closing = _closing(given)
    if sum(token not in _CUT for token in said) < MIN_WORDS or not _closing(said) <= closing | {"."}:
        return False
    body = _without_closing(said)
    return any(_same(version, body, english) for version in _versions(_without_closing(given), lang))


def _tokens(text: str, english: bool) -> list[Token]:
    """Words in lower case and punctuation, in order. Accents stay, and so does the case of short words in capitals
    (US, WHO), by which alone they differ from others."""
    found: list[Token] = []
    for piece in unicodedata.normalize("NFC", text).replace("’", "'").split():
        start, end = 0, len(piece)
        while (
            start < end
            and piece[start] in _EDGE
            and not (piece[start] in "-–.'" and piece[start + 1 : start + 2].isdigit())
        ):
            start += 1
        while end > start and piece[end - 1] in _EDGE:
            end -= 1
        found += _marks(piece[:start])
        if word := piece[start:end].removeprefix("#"):
            letter = word == "A" and found and found[-1] not in _CUT  # "plan A", no article
            found.append(word if letter else _word(word, english))
        found += _marks(piece[end:])
    return found


def _marks(text: str) -> list[Token]:
    """Punctuation as tokens; a row of the same is one."""
    marks = [_CUTS.get(c) or _QUOTES.get(c) or ('"' if c == "'" else c) for c in text]
    return [mark for i, mark in enumerate(marks) if i == 0 or mark != marks[i - 1]]


def _word(word: str, english: bool) -> Token:
    if word.isupper() and word.isalpha() and 2 <= len(word) <= 4:
        return word
    if _THOUSANDS.fullmatch(word):
        return word.replace(",", "")
    lower = word.lower()
    return "and" if lower == "&" else _NUMBERS.get(lower, lower) if english else lower


def _closing(tokens: Sequence[Token]) -> set[Token]:
    """The punctuation behind the last word."""
    return set(tokens[len(_without_closing(tokens)) :])


def _without_closing(tokens: Sequence[Token]) -> list[Token]:
    """Without the punctuation behind the last word; a question stays one."""
    end = len(tokens)
    while end and tokens[end - 1] in _CUT - {")", ":"}:
        end -= 1
    return list(tokens[:end])


def _clauses(tokens: Sequence[Token]) -> tuple[list[Clause], list[Token]]:
    """The stretches between punctuation, and the punctuation before each (empty before the first)."""
    clauses: list[list[Token]] = [[]]
    marks = [""]
    for token in tokens:
        if token in _CUT:
            if not clauses[-1] and len(clauses) > 1:
                marks[-1] += token  # ") ," is one boundary of a kind of its own
            else:
                clauses.append([])
                marks.append(token)
        else:
            clauses[-1].append(token)
    return [tuple(clause) for clause in clauses], marks


def _versions(tokens: Sequence[Token], lang: str) -> Iterator[list[Token]]:
    """The quote in all ways of telling it that leave its meaning alone: without a lead, without clauses that only add,
    with the clause that says who says so at the other end."""
    clauses, marks = _clauses(tokens)
    if (
        lang in LANGUAGES
        and len(clauses) > 1
        and clauses[0]
        and lexicon.LEADS.issuperset(map(fold, clauses[0]))
        and marks[1] in (":", ".")
    ):
        yield from _versions(_joined(clauses[1:], ["", *marks[2:]]), lang)
    yield list(tokens)
    if lang not in LANGUAGES:
        return
    free = (
        []
        if _reaches(tokens)
        else [i for i in range(1, len(clauses)) if _adds(clauses, marks, i, lang == "en")]
    )
    choices = [(False, True) if i in free[:MAX_OMITTED] else (False,) for i in range(len(clauses))]
    for omitted in product(*choices):
        kept = [i for i, out in enumerate(omitted) if not out]
        yield from _orders([clauses[i] for i in kept], ["", *(marks[i] for i in kept[1:])])


def _orders(clauses: list[Clause], marks: list[Token]) -> Iterator[list[Token]]:
    """As it is, and with who says so moved from one end to the other where only commas are between."""
    yield _joined(clauses, marks)
    if len(clauses) < 2 or set(marks[1:]) != {","}:
        return
    if _attributes(clauses[-1]):
        rest = _joined(clauses[:-1], marks[:-1])
        yield [*clauses[-1], *rest] if clauses[-1][-1] in lexicon.SAYING else [*clauses[-1], ",", *rest]
    if len(clauses) == 2 and _attributes(clauses[0]):
        yield [*clauses[1], ",", *clauses[0]]


def _joined(clauses: Sequence[Clause], marks: Sequence[Token]) -> list[Token]:
    found: list[Token] = []
    for clause, mark in zip(clauses, marks, strict=True):
        found += [*mark, *clause]
    return found


def _attributes(clause: Clause) -> bool:
    """Whether a clause only says who says so ("police say", "selon la préfecture")."""
    folded = [fold(token) for token in clause]
    if not 2 <= len(clause) <= 6 or _reaches(clause) or not lexicon.PRONOUNS.isdisjoint(folded):
        return False
    named = folded[-1] in lexicon.SAYING and folded[0] not in lexicon.SAYING | lexicon.SUBORDINATE
    return named or " ".join(folded).startswith(lexicon.ACCORDING)


def _reaches(tokens: Sequence[Token]) -> bool:
    """Whether something in a quote may govern any part of it: a negation, an exception, a choice, quotation marks."""
    return any(
        token in ('"', "?") or fold(token) in lexicon.SCOPING or token.endswith("n't") for token in tokens
    )


def _adds(clauses: Sequence[Clause], marks: Sequence[Token], i: int, english: bool) -> bool:
    """Whether the `i`th clause only adds to the others, so that they stay true without it: a further count ("60
    hurt"), what came along with it ("taking 181 homes"), or who somebody is ("who lived nearby")."""
    clause, after = clauses[i], marks[i + 1] if i + 1 < len(marks) else ","
    folded = [fold(token) for token in clause]
    if len(clause) < 2:
        return False
    aside = english and (re.fullmatch(r"[a-z]{3,}ing", folded[0]) or folded[0] in ("who", "which", "whose"))
    return (
        marks[i] == after == ","
        and ":" not in marks
        and len(clauses[0]) >= WHOLE
        and fold(clauses[0][0]) not in lexicon.SUBORDINATE
        and bool(aside or _counts(clause))
        and lexicon.GUARDED.isdisjoint(folded)
        and not any(_YEAR.fullmatch(token) for token in clause)
        and all(token[0].isalnum() or token[0] in "$€£" for token in clause)
    )


# One branch per permitted difference, in order of precedence: a table of rules, not to be split.
def _same(version: Sequence[Token], said: Sequence[Token], english: bool) -> bool:  # noqa: C901 - see above
    """Whether two rows of tokens differ at most in small words of English that carry nothing here."""
    v = s = 0
    while v < len(version) and s < len(said):
        old, new, before = version[v], said[s], said[s - 1] if s else ""
        if old == new:
            v, s = v + 1, s + 1
        elif not english:
            return False
        elif {old, new} <= lexicon.SAYING or _tense(version, v, said, s):
            v, s = v + 1, s + 1
        elif _article(said, s) and before not in ARTICLES:
            s += 1
        elif _article(version, v):
            v += 1
        elif new == "that" and before in lexicon.SAYING:
            s += 1
        elif old == "that" and version[v - 1] in lexicon.SAYING:
            v += 1
        elif new in ("is", "are") and (
            (old in HURT and before.isdigit()) or (old == "likely" and _object(said, s + 1) == old)
        ):
            s += 1
        elif old == "," and new == "and" and _counts(version[v + 1 : v + 5]):
            v, s = v + 1, s + 1
        else:
            return False
    return v == len(version) and s == len(said)


def _is_word(token: Token) -> bool:
    return token[:1].isalnum()


def _article(tokens: Sequence[Token], at: int) -> bool:
    """Whether there is an article that may as well be missing."""
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    return tokens[at] in ARTICLES and _is_word(following) and following not in AFTER_ARTICLE | ARTICLES


def _counts(tokens: Sequence[Token]) -> bool:
    """Whether a clause begins with a number of something ("60 hurt"; "45" alone may be an age)."""
    if tuple(tokens[:2]) in (("more", "than"), ("at", "least")):
        tokens = tokens[2:]
    return len(tokens) >= 2 and tokens[0].isdigit() and _is_word(tokens[1])


def _tense(version: Sequence[Token], v: int, said: Sequence[Token], s: int) -> bool:
    """Whether "confirms 9" became "confirmed 9": a headline's present put in the past. Only with the same object behind,
    for without one it may be passive ("man stabs" is not "man stabbed")."""
    now, past = version[v], said[s]
    past_tense = (now in lexicon.HEADLINE_VERBS and past in (f"{now[:-1]}ed", f"{now[:-1]}d")) or (
        now,
        past,
    ) == (
        "hits",
        "hit",
    )
    behind = _object(version, v + 1)
    return past_tense and behind != "" and behind == _object(said, s + 1)


def _object(tokens: Sequence[Token], at: int) -> Token:
    """The word from a place on, past an article; empty where that begins something else than an object."""
    if at < len(tokens) and tokens[at] in ARTICLES:
        at += 1
    found = tokens[at] if at < len(tokens) else ""
    return found if _is_word(found) and found not in lexicon.SUBORDINATE else ""
