"""Split a sentence, or the text of a post, into words and clauses."""

import html
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.posts.language_id import identify
from trinch.posts.text import fold

_NOISE = re.compile(r"https?:\S*|\bpic\.twitter\S*|\b\w+\.(?:ly|co|gl|ms|me|it)/\S+")
_QUOTED = re.compile(r"(?<!\w)['‘“«\"](\w[^'’”»\"]{5,}?)['’”»\"](?!\w)")
_REPOST = re.compile(r"(?:^\W*|(?<=\s))(?:RT|MT)\W+@(\w+):?\s*|[\"“]\s*@(\w+):\s*", re.IGNORECASE)
"""How a post begins to repeat another: "RT @handle:", or a quotation mark in front of "@handle:"."""
_DOTTED = re.compile(r"\b(?:[A-Z]\.){2,}")
"""An abbreviation with dots ("U.S."), read without them."""
_HUMP = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Za-z])(?=\d)|_")
_TOKEN = re.compile(
    r"[$€£]?\d+(?:[.,:]\d+)*(?:\+|%)?|[^\W\d_]+(?:['’\-][^\W\d_]+)*|[😂🤣😜😉]|[.!?…;:,()–—|\"“”«»]|\d+"
)
_SENTENCE_END = frozenset(".!?…|")
_QUOTES = frozenset('"“”')
_CLAUSE_END = frozenset(",;:()–—")
_JOINING = lexicon.words(
    "and but while whereas though although y pero mientras e mas enquanto et mais tandis ma mentre und aber wahrend"
)
"""Words between clauses, in the languages of the marks."""


LONGEST_POST = 5000
"""Characters of a post that are read; of a longer one the rest supports nothing."""


class CitedText(NamedTuple):
    """A post as the verifier needs it."""

    text: str
    author: str = ""
    at: datetime | None = None
    lang: str = ""


class Word(NamedTuple):
    folded: str
    root: str
    concepts: frozenset[str]
    sentence: int
    clause: int
    name: bool
    """Written as a name: with a capital that its place does not explain."""
    quoted: bool = False
    """Between quotation marks."""


class Text(NamedTuple):
    words: tuple[Word, ...]
    lang: str
    sentences: tuple[str, ...]
    """Folded, without apostrophes, with their closing mark; `Word.sentence` counts them."""
    clauses: tuple[str, ...]
    author: str = ""
    at: datetime | None = None
    repeats: str = ""
    """The handle whose words the post repeats."""

    def places(self, kind: str) -> list[int]:
        """The words at which marks of a kind begin."""
        found, at, starts = [], 0, {}
        for n, word in enumerate(self.words):
            starts[at] = n
            at += len(word.folded) + 1
        whole = " ".join(word.folded for word in self.words)
        for place in meanings.mark_starts(kind, whole, self.lang):
            if place in starts:
                found.append(starts[place])
        return found


_CUT_OFF = re.compile(r"\s\w{1,3}(?:…|\.\.\.)(?=\s*$)")
"""The first letters of a last word that a collector cut off."""


def without_links(text: str) -> str:
    """A text as it is read: without links and a last word that is cut off, its HTML entities as characters."""
    return _CUT_OFF.sub(" …", _NOISE.sub(" ", html.unescape(text[:LONGEST_POST])))


@lru_cache(maxsize=256)
def read_post(post: CitedText) -> Text:
    """A post's words, in the language that its text is found to be in."""
    raw = without_links(post.text)
    repeated = _REPOST.search(raw)
    raw = _REPOST.sub(" … ", raw)
    if repeated:
        raw = raw.rstrip().removesuffix("”").removesuffix('"')
    raw = _QUOTED.sub(r' "\1" ', raw)
    raw = re.sub(r"^(\W*[#$]\w+):", r"\1 …", raw)  # a topic, not a speaker
    raw = re.sub(r"[#@](\w+)", lambda tag: _HUMP.sub(" ", tag[1]), raw)
    return read(raw, _language(raw, post.lang))._replace(
        author=fold(post.author), at=post.at, repeats=fold(repeated[1] or repeated[2]) if repeated else ""
    )


def _language(raw: str, given: str) -> str:
    """The language of a text: as identified, unless another knows more of its words, as is common in short texts."""
    words = [fold(word) for word in re.findall(r"[^\W\d_]+", raw)]

    def known(lang: str) -> int:
        return sum(bool(meanings.concepts(word, lang)) or word in meanings.generic(lang) for word in words)

    best = max(sorted(meanings.LANGUAGES, key=lambda lang: (lang != "en", lang)), key=known)
    likely = next((lang for lang in (identify(raw), given) if lang in meanings.LANGUAGES), best)
    return likely if known(likely) + 1 >= known(best) else best


class _Builder:
    """Collects words, clauses and sentences in one pass."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.words: list[Word] = []
        self.sentences: list[list[str]] = [[]]
        self.clauses: list[list[str]] = [[]]
        self.quoted = False

    def mark(self, mark: str) -> None:
        if mark in _QUOTES:
            self.quoted = mark == "“" or (mark == '"' and not self.quoted)
            self.sentences[-1].append('"')
        if mark in _SENTENCE_END:
            if self.clauses[-1]:
                self.sentences[-1].append(mark)
                self.clauses[-1].append(mark)
                self.sentences.append([])
                self.clauses.append([])
        elif mark in _CLAUSE_END and self.clauses[-1]:
            self.clauses[-1].append(mark)
            self.sentences[-1].append(mark)
            self.clauses.append([])

    def words_of(self, written: str) -> None:
        """A token as its words: the parts of one with a hyphen, unless the whole is known ("porte-parole")."""
        parts = written.split("-")
        if len(parts) == 1 or meanings.concepts(fold(written), self.lang):
            self.word(written)
            return
        for part in parts:
            self.word(part)

    def word(self, written: str) -> None:
        folded = fold(written).replace("’", "'")
        if folded in _JOINING and len(self.clauses[-1]) >= 3:
            self.clauses.append([])
        bare = folded.removesuffix("'s").partition("'")[2] if re.match(r"[dlcjmnst]'", folded) else folded
        bare = bare.removesuffix("'s").replace("'", "")
        known = bool(meanings.concepts(bare, self.lang)) or bare in meanings.generic(self.lang)
        if bare in lexicon.PLACE_OF:
            known = False
        elif not self.sentences[-1]:
            known = known or meanings.is_common(bare, self.lang)
        elif self.lang != "de":
            known = False
        name = written[0].isupper() and not known
        self.words.append(
            Word(
                bare,
                meanings.root(bare, self.lang),
                meanings.concepts(bare, self.lang),
                len(self.sentences) - 1,
                len(self.clauses) - 1,
                name,
                self.quoted,
            )
        )
        self.sentences[-1].append(folded.replace("'", ""))
        self.clauses[-1].append(folded.replace("'", ""))


def read(text: str, lang: str) -> Text:
    """The words of a text in a language. Clauses end at punctuation and before a joining word."""
    built = _Builder(lang)
    plain = meanings.plain_words(_DOTTED.sub(lambda found: found[0].replace(".", ""), text), lang)
    for token in _TOKEN.findall(plain):
        if token[0].isalnum() or token[0] in "$€£😂🤣😜😉":
            built.words_of(token)
        else:
            built.mark(token)
    return Text(
        tuple(built.words),
        lang,
        tuple(" ".join(words) for words in built.sentences),
        tuple(" ".join(words) for words in built.clauses),
    )


def moment(text: str) -> datetime | None:
    """An RFC 3339 time, UTC where it has no zone; None for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
