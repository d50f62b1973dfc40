"""Split a sentence, or the text of a post, into words and clauses."""

import html
import re
from datetime import UTC, datetime
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.posts.language_id import identify
from trinch.posts.text import fold

_NOISE = re.compile(r"https?:\S*|\bpic\.twitter\S*|\b\w+\.(?:ly|co|gl|ms|me|it)/\S+")
_QUOTED = re.compile(r"(?<!\w)['‘“«\"](\w[^'’”»\"]{5,}?)['’”»\"](?!\w)")
_REPOST = re.compile(r"^\W*(?:RT|MT)\W+@(\w+):?\s*", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Za-z])(?=\d)|_")
_TOKEN = re.compile(
    r"[$€£]?\d+(?:[.,:]\d+)*(?:\+|%)?|[^\W\d_]+(?:['’\-][^\W\d_]+)*|[😂🤣😜😉]|[.!?…;:,()–—|\"“”«»]|\d+"
)
_SENTENCE_END = frozenset(".!?…|")
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

    def of_clause(self, n: int) -> list[Word]:
        return [word for word in self.words if word.clause == n]


def read_post(post: CitedText) -> Text:
    """A post's words, in the language that its text is found to be in."""
    raw = _NOISE.sub(" ", html.unescape(post.text[:LONGEST_POST]))
    repeated = _REPOST.match(raw)
    raw = _REPOST.sub("", raw)
    raw = _QUOTED.sub(r' "\1" ', raw)
    raw = re.sub(r"[#@](\w+)", lambda tag: _HUMP.sub(" ", tag[1]), raw)
    return read(raw, _language(raw, post.lang))._replace(
        author=fold(post.author), at=post.at, repeats=fold(repeated[1]) if repeated else ""
    )


def _language(raw: str, given: str) -> str:
    """The language of a text: as identified, unless another knows more of its words, as is common in short texts."""
    words = [fold(word) for word in re.findall(r"[^\W\d_]+", raw)]

    def known(lang: str) -> int:
        return sum(bool(meanings.concepts(word, lang)) or word in meanings.generic(lang) for word in words)

    best = max(sorted(meanings.LANGUAGES, key="en".__ne__), key=known)
    likely = next((lang for lang in (identify(raw), given) if lang in meanings.LANGUAGES), best)
    return likely if known(likely) + 1 >= known(best) else best


class _Builder:
    """Collects words, clauses and sentences in one pass."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.words: list[Word] = []
        self.sentences: list[list[str]] = [[]]
        self.clauses: list[list[str]] = [[]]

    def mark(self, mark: str) -> None:
        if mark == '"':
            self.sentences[-1].append(mark)
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
        if not self.sentences[-1]:
            known = known or (self.lang == "en" and meanings.is_english(bare))
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
            )
        )
        self.sentences[-1].append(folded.replace("'", ""))
        self.clauses[-1].append(folded.replace("'", ""))


def read(text: str, lang: str) -> Text:
    """The words of a text in a language. Clauses end at punctuation and before a joining word."""
    built = _Builder(lang)
    for token in _TOKEN.findall(text):
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
