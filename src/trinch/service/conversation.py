"""What a question leaves unsaid in its conversation, put back by three rules and no model (see `follow_up`).

Owns the rules and the few words they know, by language, in one table. Knows nothing of posts and of clients.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.lexicon import words
from trinch.answers.question import language
from trinch.posts.text import fold, tokens

CONTEXT = 10
"""Questions of a conversation that are looked back at."""


class _Words(NamedTuple):
    """How a language goes on from what was said; all folded (`posts.text.fold`)."""

    leads: str
    """A pattern for how a question begins that goes on from another. Begins no question that stands alone."""
    back: frozenset[str]
    """What stands for something said before, wherever it stands."""
    people: frozenset[str] = frozenset()
    """What stands for something said before unless a name before it in the same question does ("Ann and her dog")."""
    idle: str = r"(?!)"
    """A pattern for where those words stand for nothing: "is there a fire in Kiel?", "this week"."""


_LANGUAGES = {
    lang: _Words(part["leads"], words(part["back"]), words(part["people"]), part["idle"])
    for lang, table in lexicon.LANGUAGES.items()
    for part in [table["follow_up"]]
}

_LEADS = re.compile(
    r"[¿¡\s]*(?:(?:"
    + "|".join(known.leads for lang, known in _LANGUAGES.items() if lang != "ja")
    + rf")\b\s*|{_LANGUAGES['ja'].leads})"
)
_BARE_TOPIC = re.compile(r".{1,10}は[?？]?")
"""Japanese for "and …?": a topic and nothing of it."""
_NAMED = r"([A-ZÄÖÜ][\w-]*(?: [A-ZÄÖÜ][\w-]*)*)"
_PLACED = re.compile(rf"\b(in|aus|bei|mit|nach|von|vor|auf|um) {_NAMED}")
"""German for "in …", where a name stands."""

_STOP = lexicon.ANY_STOPWORD
_COUNTED = frozenset().union(*lexicon.MEASURES.values())
_CUES = frozenset(word for cues in lexicon.KIND_CUES.values() for word in cues)
_IDLE = _STOP | _CUES | lexicon.OVERVIEW | lexicon.NEWEST | lexicon.PEOPLE


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
    folded = fold(question)
    said = set(tokens(folded))
    own = _topic(question)
    lang = language(tokens(folded))
    lead = _LEADS.match(folded) or (lang == "ja" and _BARE_TOPIC.fullmatch(folded))
    points_back = _points_back(question, folded, lang)
    if own and not points_back and not lead:
        return question
    asks = bool(said & (_COUNTED | _CUES)) or any(cue in folded for cue in lexicon.COUNT_CUES)
    names = _names(question, lang)
    if names and not points_back:
        if (
            asks or names != own
        ):  # "and how many died in Kiel?", "and the fire in Kiel?" say all there is to say
            return question
        return _swapped(before, question, names)
    if (not own and not asks) or lang == "ja":
        return f"{before.rstrip('?!.？。 ')} {question}"
    added = [word for word in _topic(before) if not said.issuperset(tokens(fold(word)))]
    asks_otherwise = said & _CUES or any(cue in folded for cue in lexicon.COUNT_CUES)
    cue = next((c for c in lexicon.COUNT_CUES if c in fold(before)), "") if _COUNTED & said else ""
    opening = f"{cue} " if cue and not asks_otherwise else ""
    return f"{opening}{_without_pointers(question, lang)} {' '.join(added)}".strip()


def _points_back(question: str, folded: str, lang: str) -> bool:
    """Whether a word of the question stands for something said before it."""
    if lang not in _LANGUAGES:
        return False
    known = _LANGUAGES[lang]
    if lang == "ja":
        return any(word in folded for word in known.back)
    lead = _LEADS.match(folded)
    rest = re.sub(rf"\b(?:{known.idle})", " ", folded[lead.end() if lead else 0 :])
    name = fold(next(iter(_names(question, lang)), ""))
    unnamed = rest.partition(name)[0] if name else rest
    return bool(known.back.intersection(tokens(rest)) or known.people.intersection(tokens(unnamed)))


def _without_pointers(question: str, lang: str) -> str:
    """A question without the words that pointed back and would now be looked for in posts, as "dort" and "allí"."""
    pointers = _LANGUAGES[lang].back - _STOP if lang in _LANGUAGES else frozenset()
    return " ".join(word for word in question.split() if not pointers.intersection(tokens(fold(word))))


def _names(question: str, lang: str) -> list[str]:
    """The names in a question. German writes all nouns as it writes names: there, what follows a preposition."""
    names = [word for word in _topic(question) if _is_name(word)]
    if lang != "de":
        return names
    placed = {name for match in _PLACED.finditer(question) for name in match[2].split()}
    return [name for name in names if name in placed]


def _swapped(before: str, question: str, names: list[str]) -> str:
    """The question before with other names for its own."""
    placed = _PLACED.search(question)
    if language(tokens(fold(before))) == "de" and placed:
        own = re.search(rf"\b({placed[1]}) {_NAMED}", before) or _PLACED.search(before)
        if own:
            before = before[: own.start(2)] + placed[2] + before[own.end(2) :]
        return before.rstrip("?!., ") + ("" if own else f" {placed[0]}")
    kept = [
        word.rstrip("?!.,") for word in before.split() if not (_is_name(word.lstrip("¿¡")) and _topic(word))
    ]
    return " ".join([*filter(None, kept), *names])


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
