"""From what a client asks to what the ocean is asked: follow-ups, operators inside questions, restrictions.

Owns the meaning of a question inside a conversation (see `follow_up`) and the ocean seen through operators.
Knows nothing of HTTP or of any client's format.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.answer import answer as answer_to
from trinch.answers.model import Answer
from trinch.answers.model import Hit as Found
from trinch.answers.rewrite import rewritten
from trinch.llm.model import Setting
from trinch.models import open_model
from trinch.ocean.match import Candidate, matches
from trinch.ocean.ocean import Hit, Ocean
from trinch.ocean.query import OPERATORS, parse
from trinch.posts.text import fold, tokens

CONTEXT = 10
"""Questions of a conversation that are looked back at."""


class Asked(NamedTuple):
    """A question ready to be put to an ocean."""

    text: str
    """As it was typed."""
    question: str
    """As it is understood in its conversation, without the operators."""
    where: str
    """Operators that every post must satisfy; empty for none."""
    as_of: int | None


def understood(text: str, *, earlier: Sequence[str] = (), where: str = "", as_of: int | None = None) -> Asked:
    """A question with what its conversation and its operators add. Raises QueryError for bad operators."""
    bare, inside = _operators(text)
    before = [_operators(question)[0] for question in earlier[-CONTEXT:]]
    parts = [f"({part})" for part in (where.strip(), inside) if part]
    joined = " ".join(parts)
    parse(joined)
    return Asked(text, follow_up(before, bare), joined, as_of)


def answer(ocean: Ocean, asked: Asked, writer: Setting | None = None) -> Answer:
    """The answer to what was asked, from the posts that its operators let through; in a model's words where one is
    set and they pass the check."""
    sea = Restricted(ocean, asked.where) if asked.where else ocean
    given = answer_to(sea, asked.question, asked.as_of)
    return rewritten(ocean, given, partial(open_model, writer)) if writer else given


class Restricted:
    """An ocean of only those posts that satisfy some operators."""

    def __init__(self, ocean: Ocean, where: str) -> None:
        self._ocean, self._where, self._node = ocean, where, parse(where)
        self.num_posts, self.doc_freq = ocean.num_posts, ocean.doc_freq

    def retrieve(
        self, text: str, *, limit: int = 100, as_of: int | None = None, where: str = ""
    ) -> list[Hit]:
        """As `Ocean.retrieve`, within the restriction."""
        return self._ocean.retrieve(text, limit=limit, as_of=as_of, where=f"{self._where} {where}".strip())

    def copies(self, hit: Found, *, as_of: int | None = None) -> list[Hit]:
        """As `Ocean.copies`, within the restriction."""
        moment = as_of if as_of is not None else hit.at
        found = self._ocean.copies(hit, as_of=as_of)
        return [copy for copy in found if matches(self._node, Candidate(copy.post, copy.at), moment)]


_OPERATOR = re.compile(rf'(?<!\S)-?(?:{"|".join(OPERATORS)}):(?:"[^"]*"|[^\s"]+)')


def _operators(text: str) -> tuple[str, str]:
    """A question without the operators written into it, and those operators."""
    found = [match.group().rstrip("?!,.;") for match in _OPERATOR.finditer(text)]
    return " ".join(_OPERATOR.sub(" ", text).split()), " ".join(found)


# ------------------------------------------------------------------------------------------ conversations

_STOP = frozenset().union(*lexicon.STOPWORDS.values())
_COUNTED = frozenset().union(*lexicon.MEASURES.values())
_CUES = frozenset(word for cues in lexicon.KIND_CUES.values() for word in cues)
_IDLE = _STOP | _CUES | lexicon.OVERVIEW | lexicon.NEWEST | lexicon.PEOPLE
_LEADS = re.compile(r"(and|or|but|what about|how about|et|ou|mais|qu'en est-il d\w*|y|e|und)\b\s*")
_REFERS = frozenset(
    [
        "it",
        "its",
        "they",
        "them",
        "their",
        "he",
        "him",
        "his",
        "she",
        "her",
        "there",
        "this",
        "that",
        "these",
        "those",
        "one",
        "ones",
        "il",
        "elle",
        "ils",
        "elles",
        "lui",
        "leur",
        "leurs",
        "y",
        "cela",
        "ca",
        "celui",
        "celle",
        "ceux",
        "ces",
        "cet",
        "cette",
    ]
)


def follow_up(earlier: Sequence[str], question: str) -> str:
    """`question` as it is meant after the questions `earlier`: with the topic it leaves unsaid.

    Three rules, no guesswork beyond them. A question that names a topic and points back at nothing stands alone.
    One that points back ("how many died there?", "and why?") or names nothing gets the topic words of the question
    before. One that only swaps a name ("and in Paris?") is the question before with that name for its own.
    """
    meant = ""
    for asked in (*earlier[-CONTEXT:], question):
        meant = _after(meant, asked) if meant else asked
    return meant


def _after(before: str, question: str) -> str:
    lead = _LEADS.match(fold(question))
    own = _topic(question)
    points_back = bool(_REFERS.intersection(tokens(fold(question))))
    if own and not points_back and not lead:
        return question
    names = [word for word in own if _is_name(word)]
    if lead and names and not points_back:
        kept = [word for word in before.split() if not (_is_name(word) and _topic(word))]
        return " ".join([*filter(None, (word.rstrip("?!.,") for word in kept)), *own])
    said = set(tokens(fold(question)))
    added = [word for word in _topic(before) if not said.issuperset(tokens(fold(word)))]
    if not own and not _CUES.union(_COUNTED).intersection(said):
        return f"{before.rstrip('?!. ')} {question}"
    cue = next((c for c in lexicon.COUNT_CUES if c in fold(before)), "") if _COUNTED & said else ""
    opening = f"{cue} " if cue and not any(c in fold(question) for c in lexicon.COUNT_CUES) else ""
    return f"{opening}{question} {' '.join(added)}".strip()


def _topic(text: str) -> list[str]:
    """The words of a question that say what it is about, as typed, without punctuation."""
    kept = []
    for word in re.findall(r"[#@$]?\w[\w'’.-]*", text):
        bare = word.rstrip("'’.-")
        parts = tokens(fold(bare))
        if parts and not all(part in _IDLE or part in _COUNTED for part in parts):
            kept.append(bare)
    return kept


def _is_name(word: str) -> bool:
    return word[:1].isupper() or word[:1] in "#@$" or any(c.isdigit() for c in word)
