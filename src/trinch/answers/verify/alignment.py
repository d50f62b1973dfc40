"""Which words of the posts carry which words of a sentence."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.amounts import is_time_word, value_of
from trinch.answers.verify.reading import Text, Word

SYNONYM = 0.8
COGNATE = 0.8
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


def credit(said: Word, given: Word, lang: str, post_lang: str) -> float:
    """How far a word of a post supports a word of a sentence, 0 to 1."""
    if (value := value_of(said.folded, lang)) is not None:
        return float(value == value_of(given.folded, post_lang))
    if said.folded == given.folded or (said.root == given.root and lang == post_lang):
        return 1.0
    if said.name:
        return _same_name(said.folded, given.folded)
    if said.concepts & given.concepts:
        return 1.0
    if lang == post_lang == "en" and meanings.implies(said.folded, given.folded):
        return SYNONYM
    if lang != post_lang and _cognate(said.folded, given.folded):
        return COGNATE
    return 1.0 if meanings.same_name(said.folded, given.folded) else 0.0


def _same_name(a: str, b: str) -> float:
    if meanings.same_name(a, b):
        return 1.0
    short, long = sorted((a, b), key=len)
    base = short.rstrip("aeiouy") or short
    if len(base) >= 3 and len(short) >= 4 and long.startswith(base) and long[len(base) :] in _PEOPLE:
        return 1.0  # the place and its people: Chile, chilena; Guatemala, Guatemalan
    joined = len(short) >= 5 and short in long  # in a hashtag or a handle
    misspelt = len(short) >= 7 and SequenceMatcher(None, a, b).ratio() >= 0.92
    return 1.0 if joined or misspelt else 0.0


@lru_cache(maxsize=50_000)
def _cognate(a: str, b: str) -> bool:
    if a[0] != b[0] or min(len(a), len(b)) < COMMON_START:
        return False
    return a[:COMMON_START] == b[:COMMON_START] or SequenceMatcher(None, a, b).ratio() >= 0.8


def _denies(post: Text) -> bool:
    text = " ".join(post.sentences)
    return bool(meanings.marks("denial", text, post.lang) or meanings.marks("negation", text, post.lang))


class Alignment:
    """The support of every content word of a sentence in every post."""

    def __init__(self, said: Text, posts: Sequence[Text]) -> None:
        self.said, self.posts = said, posts
        content = [n for n, word in enumerate(said.words) if is_content(word, said.lang)]
        self._best = {n: [self._in_post(said.words[n], post) for post in posts] for n in content}
        # A number that no post holds is computed, or a time: `amounts.py` judges it.
        self.content = [n for n in content if any(self._best[n]) or not self.is_number(n)]

    def _in_post(self, word: Word, post: Text) -> list[tuple[int, float]]:
        """The words of a post that support a word, with their credit; -1 is the post's author."""
        found = [
            (at, got)
            for at, given in enumerate(post.words)
            if (got := credit(word, given, self.said.lang, post.lang)) > 0
        ]
        if "deny" in word.concepts and not found and _denies(post):
            found.append((-1, 1.0))
        voices = [name for name in (post.author, post.repeats) if name]
        if word.name and any(word.folded in name or name.startswith(word.folded[:4]) for name in voices):
            found.append((-1, 1.0))
        return found

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
