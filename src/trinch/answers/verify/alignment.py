"""Which words of the posts carry which words of a sentence."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.amounts import is_time_word, same_unit, value_of
from trinch.answers.verify.reading import Text, Word

SYNONYM = 0.8
COGNATE = 0.8
NEAR = 0.55
"""Least cosine of the vectors of two words that may mean the same."""
ALIKE_SOUND = 0.85
"""Least likeness of two names of which only the sounds that languages agree on are compared."""
COMMON_START = 5
"""Letters that words of two languages must begin with alike to be taken for the same word."""
NAME_WEIGHT = 1.5


_PEOPLE = lexicon.words(
    "s an ans ian ians ean ese ish i is ite ites er ers no na nos nas ano ana anos anas ana ense enses ien ienne iens ain aine isch ische ischen isches er erin iano iana iani eno ena enos enas ino ina in en ns n"
)
"""Endings by which the name of a place becomes that of its people."""


class Evidence(NamedTuple):
    """The part of a post that carries a clause best."""

    post: int
    sentence: int
    clause: int
    held: float
    """Share of the clause's words that the post holds, 0 to 1."""


def is_content(word: Word, lang: str) -> bool:
    """Whether a word needs support from a post."""
    known = meanings.generic(lang)
    if value_of(word.folded, lang) is not None:
        return True
    if word.folded in known or (word.root in known and not word.name):
        return False
    return not is_time_word(word.folded) and len(word.folded) > 1


def credit(said: Word, given: Word, lang: str, post_lang: str, cosine: float) -> float:
    """How far a word of a post supports a word of a sentence, 0 to 1; `cosine` is that of their vectors."""
    if (value := value_of(said.folded, lang)) is not None:
        return float(value == value_of(given.folded, post_lang))
    if said.folded == given.folded or (said.root == given.root and lang == post_lang):
        return 1.0
    if said.name:
        return _same_name(said.folded, given.folded) or float(lang != post_lang and cosine >= NEAR)
    if _opposed(said.folded, given.folded):
        return 0.0
    if any((one, other) in meanings.IMPLIED for one in given.concepts for other in said.concepts):
        return SYNONYM
    if said.concepts & given.concepts or same_unit(said.folded, given.folded):
        return 1.0
    if lang == post_lang == "en" and meanings.implies(said.folded, given.folded):
        return SYNONYM
    if lang != post_lang and _cognate(said.folded, given.folded):
        return COGNATE
    if meanings.same_name(said.folded, given.folded):
        return 1.0
    return SYNONYM if cosine >= NEAR and _may_be_alike(said, given, post_lang) else 0.0


def _opposed(a: str, b: str) -> bool:
    """Whether one of two words is the other with a prefix that denies it ("known", "unknown")."""
    short, long = sorted((a, b), key=len)
    return (
        len(short) >= 4
        and long.endswith(short)
        and long[: -len(short)] in ("un", "in", "im", "dis", "non", "des")
    )


def _may_be_alike(said: Word, given: Word, post_lang: str) -> bool:
    """Whether words with vectors close together may mean the same: not two known concepts, numbers, days, or names.

    Vectors of opposites and of things of one kind ("second", "third") are close too.
    """
    return not (
        (said.concepts and given.concepts)
        or given.root in meanings.opposites(said.folded)
        or given.name
        or value_of(given.folded, post_lang) is not None
        or said.folded in meanings.SERIES
        or given.folded in meanings.SERIES
        or is_time_word(given.folded)
    )


@lru_cache(maxsize=100_000)
def _same_name(a: str, b: str) -> float:
    if meanings.same_name(a, b):
        return 1.0
    short, long = sorted((a, b), key=len)
    base = short.rstrip("aeiouy") or short
    if len(base) >= 3 and len(short) >= 4 and long.startswith(base) and long[len(base) :] in _PEOPLE:
        return 1.0  # the place and its people: Chile, chilena; Guatemala, Guatemalan
    joined = len(short) >= 5 and short in long  # in a hashtag or a handle
    misspelt = len(short) >= 7 and SequenceMatcher(None, a, b).ratio() >= 0.92
    if joined or misspelt:
        return 1.0
    sound, other = _sound(a), _sound(b)
    return float(
        len(sound) >= 4
        and sound[0] == other[:1]
        and SequenceMatcher(None, sound, other, autojunk=False).ratio() >= ALIKE_SOUND
    )


_SPELLINGS = (("sch", "s"), ("sh", "s"), ("ch", "s"), ("ph", "f"), ("qu", "k"), ("ck", "k"), ("ks", "x"))
_LETTERS = str.maketrans("cqwyjzg", "kkviisk", "h")


@lru_cache(maxsize=50_000)
def _sound(name: str) -> str:
    """A name without what languages spell differently: vowels but the first letter, c and k, w and v, double letters."""
    for written, sound in _SPELLINGS:
        name = name.replace(written, sound)
    name = name.translate(_LETTERS)
    name = name[:1] + re.sub(r"[aeiou]", "", name[1:])
    return re.sub(r"(.)\1+", r"\1", name)


@lru_cache(maxsize=50_000)
def _cognate(a: str, b: str) -> bool:
    if a[0] != b[0] or min(len(a), len(b)) < COMMON_START:
        return False
    return a[:COMMON_START] == b[:COMMON_START] or SequenceMatcher(None, a, b).ratio() >= 0.8


_POSTS = lexicon.words(
    "post posts message messages user users report tweet tweets publicacion publicaciones mensaje message messages "
    "publication beitrag beitrage nutzer post utente utenti messaggio usuario publicacao publicacoes mensagem"
)


def _denies(post: Text) -> bool:
    text = " ".join(post.sentences)
    return bool(meanings.marks("denial", text, post.lang) or meanings.marks("negation", text, post.lang))


_CURRENCIES = {"$": ("dollar", "dolar"), "€": ("euro",), "£": ("pound", "libra", "livre", "sterlin")}


def _as_sign(word: Word, post: Text) -> list[tuple[int, float]]:
    """The support of a currency ("dollars") in a post that gives an amount with its sign ($10), at no word of it."""
    signs = tuple(sign for sign, names in _CURRENCIES.items() if word.folded.startswith(names))
    return [(-1, 1.0)] if any(given.folded.startswith(signs) for given in post.words) else []


class Alignment:
    """The support of every content word of a sentence in every post."""

    def __init__(self, said: Text, posts: Sequence[Text]) -> None:
        self.said, self.posts = said, posts
        languages = frozenset().union(
            *(meanings.LANGUAGE_NAMES.get(post.lang, frozenset()) for post in posts)
        )
        content = [
            n
            for n, word in enumerate(said.words)
            if is_content(word, said.lang) and not (word.folded in languages and self._of_posts(n))
        ]
        mine = meanings.vectors([said.words[n].folded for n in content])
        self._best: dict[int, list[list[tuple[int, float]]]] = {n: [] for n in content}
        for post in posts:
            cosines = mine @ meanings.vectors([word.folded for word in post.words]).T
            for row, n in enumerate(content):
                self._best[n].append(self._in_post(n, post, cosines[row].tolist()))
        # A number that no post holds is computed, or a time: `amounts.py` judges it.
        self.content = [n for n in content if any(self._best[n]) or not self._counts(n)]

    def _in_post(self, n: int, post: Text, cosines: Sequence[float]) -> list[tuple[int, float]]:
        """The words of a post that support the `n`th word, with their credit; -1 is the post's author, or none of its words."""
        word = self.said.words[n]
        found = [
            (at, got)
            for at, given in enumerate(post.words)
            if (got := credit(word, given, self.said.lang, post.lang, cosines[at])) > 0
        ]
        if word.name:
            found = [pair for pair in found if post.words[pair[0]].folded == word.folded] or found
        if not found:
            found = self._joined(n, post) or _as_sign(word, post)
        if "deny" in word.concepts and not found and _denies(post):
            found.append((-1, 1.0))
        voices = [name for name in (post.author, post.repeats) if name]
        if word.name and any(word.folded in name or name.startswith(word.folded[:4]) for name in voices):
            found.append((-1, 1.0))
        return found

    def _joined(self, n: int, post: Text) -> list[tuple[int, float]]:
        """The words of a post that hold the `n`th word and its neighbour as one ("Costa Rica", #CostaRica), or as
        initials ("New York City", NYC); or two words that it joins."""
        words = self.said.words
        pairs = [words[i].folded + words[i + 1].folded for i in (n - 1, n) if 0 <= i < len(words) - 1]
        runs = [words[i : i + size] for size in (2, 3) for i in range(n - size + 1, n + 1)]
        initials = {
            "".join(word.folded[0] for word in run)
            for run in runs
            if run and words[n] in run and all(word.name for word in run) and len(run) > 1
        }
        given = [word.folded for word in post.words]
        whole = {a + b: at for at, (a, b) in enumerate(pairwise(given))}
        found = [
            at
            for at, word in enumerate(given)
            if any((len(p) >= 6 and p in word) or meanings.same_name(p, word) for p in pairs)
        ]
        found += [at for at, word in enumerate(given) if word in initials and post.words[at].name]
        found += [whole[words[n].folded]] if words[n].folded in whole and len(words[n].folded) >= 6 else []
        return [(at, 1.0) for at in found]

    def _of_posts(self, n: int) -> bool:
        """Whether the word beside the `n`th is one for posts, so that it says in what language they are."""
        around = self.said.words[max(0, n - 2) : n + 3]
        return any(word.folded in _POSTS for word in around)

    def _counts(self, n: int) -> bool:
        """Whether the `n`th word of the sentence is a number, or a part of one such as "milliards"."""
        return self.is_number(n) or self.said.words[n].folded in meanings.MULTIPLIERS

    def is_number(self, n: int) -> bool:
        """Whether the `n`th word of the sentence is a number."""
        return value_of(self.said.words[n].folded, self.said.lang) is not None

    def matches(self, n: int, post: int) -> list[tuple[int, float]]:
        """The words of a post that support the `n`th word of the sentence."""
        return self._best[n][post]

    def _credit(self, n: int, post: int) -> float:
        return max((got for _, got in self._best[n][post]), default=0.0)

    def weight(self, n: int) -> float:
        return NAME_WEIGHT if self.said.words[n].name or self.is_number(n) else 1.0

    def share(self, among: Sequence[int], posts: Sequence[int]) -> float:
        """The weighted share of words that some of the posts hold; 1 where there is none."""
        total = sum(self.weight(n) for n in among)
        held = sum(self.weight(n) * max(self._credit(n, post) for post in posts) for n in among)
        return held / total if total else 1.0

    def touched(self, post: int) -> dict[int, set[int]]:
        """The clauses of a post that hold words of the sentence, with those words."""
        found: dict[int, set[int]] = {}
        for n in self.content:
            for at, _ in self._best[n][post]:
                if at >= 0:
                    found.setdefault(self.posts[post].words[at].clause, set()).add(n)
        return found

    def carrying(self, post: int) -> list[int]:
        """The clauses of a post that the sentence rests on: they hold two of its words, or one that no other holds."""
        touched = self.touched(post)
        return [
            clause
            for clause, held in touched.items()
            if len(held) >= 2
            or any(not any(n in others for c, others in touched.items() if c != clause) for n in held)
        ]

    def pairs(self, clause: int, post: int) -> list[tuple[int, int]]:
        """The words of a clause of the sentence, names and numbers apart, with each word of a post that supports them."""
        return [
            (n, at)
            for n in self.clause_words(clause)
            if not self.said.words[n].name and not self.is_number(n)
            for at, _ in self._best[n][post]
            if at >= 0
        ]

    def unsupported(self) -> list[Word]:
        """The content words that no post holds."""
        everywhere = range(len(self.posts))
        return [self.said.words[n] for n in self.content if max(self._credit(n, p) for p in everywhere) == 0]

    def clause_words(self, clause: int) -> list[int]:
        return [n for n in self.content if self.said.words[n].clause == clause]

    def evidence(self, among: Sequence[int]) -> Evidence | None:
        """The part of a post that holds most of some words; of two alike that of the later post."""
        found: list[tuple[float, int, int, int, int]] = []
        for p, post in enumerate(self.posts):
            sentences: dict[int, float] = {}
            clauses: dict[int, float] = {}
            for n in among:
                per_sentence: dict[int, float] = {}
                per_clause: dict[int, float] = {}
                for at, got in self._best[n][p]:
                    if at >= 0:
                        word = post.words[at]
                        per_sentence[word.sentence] = max(got, per_sentence.get(word.sentence, 0))
                        per_clause[word.clause] = max(got, per_clause.get(word.clause, 0))
                for key, got in per_sentence.items():
                    sentences[key] = sentences.get(key, 0) + got
                for key, got in per_clause.items():
                    clauses[key] = clauses.get(key, 0) + got
            if sentences:
                sentence = max(sentences, key=lambda key: (sentences[key], -key))
                clause = max(clauses, key=lambda key: (clauses[key], -key))
                found.append((self.share(among, [p]), p, sentence, clause, 0))
        if not found:
            return None
        held, post_at, sentence, clause, _ = max(found)
        return Evidence(post_at, sentence, clause, held)
