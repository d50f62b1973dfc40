"""Complete a question from its conversation, by three rules and no model (see `follow_up`)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.lexicon import words
from trinch.answers.question import language
from trinch.answers.request import chat_kind, is_style
from trinch.posts.text import fold, tokens

CONTEXT = 10
"""Number of earlier questions that are taken into account."""


SHORT = 1
"""A question of no name and at most so many topic words ("who was the co-pilot?") is about what was asked before."""


class _Words(NamedTuple):
    """How a language refers to an earlier question; all folded (`posts.text.fold`)."""

    leads: str
    """Pattern of how a follow-up question begins; no self-contained question begins so."""
    back: frozenset[str]
    """Pronouns and adverbs that refer to an earlier question, wherever they occur."""
    people: frozenset[str] = frozenset()
    """Pronouns that refer to an earlier question unless a name precedes them in this one ("Ann and her dog")."""
    idle: str = r"(?!)"
    """Pattern of where those words refer to nothing: "is there a fire in Kiel?", "this week"."""


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
"""Japanese for "and …?": a topic without a predicate."""
_NAMED = r"([A-ZÄÖÜ][\w-]*(?: [A-ZÄÖÜ][\w-]*)*)"
_PLACED = re.compile(rf"\b(in|aus|bei|mit|nach|von|vor|auf|um) {_NAMED}")
"""A German preposition followed by a name."""

_STOP = lexicon.ANY_STOPWORD
_COUNTED = frozenset().union(*lexicon.MEASURES.values())
_CUES = frozenset(word for cues in lexicon.KIND_CUES.values() for word in cues)
_IDLE = _STOP | _CUES | lexicon.OVERVIEW | lexicon.NEWEST | lexicon.PEOPLE


def follow_up(earlier: Sequence[str], question: str) -> str:
    """`question` as a self-contained question, given the questions `earlier` (oldest first).

    Three rules. A question that names a topic and refers to nothing earlier is kept. One that refers back ("how
    many died there?", "and why?") or names nothing gets the topic words of the question before. One that only
    changes a name ("and in Paris?") is the question before with that name instead of its own.
    """
    meant = ""
    for asked in (*earlier[-CONTEXT:], question):
        meant = _after(meant, asked) if meant else asked
    return meant


def _after(before: str, question: str) -> str:
    if chat_kind(question):
        return question
    if is_style(question):
        return f"{before.rstrip('?!.？。 ')} {question}"
    folded = fold(question)
    said = set(tokens(folded))
    own = _topic(question)
    lang = language(tokens(folded))
    lead = _LEADS.match(folded) or (lang == "ja" and _BARE_TOPIC.fullmatch(folded))
    points_back = _points_back(question, folded, lang)
    if lead and own and not points_back and not _names(question, lang) and (asking := _author_asked(before)):
        return f"{asking} {' '.join(own)}"
    if own and not points_back and not lead:
        return (
            question
            if _names(question, lang) or len(own) > SHORT or lang not in lexicon.COMPLETE
            else f"{question} {' '.join(_topic(before))}"
        )
    asks = bool(said & (_COUNTED | _CUES)) or any(cue in folded for cue in lexicon.COUNT_CUES)
    names = _names(question, lang)
    if names and not points_back:
        if asks or names != own:  # "and how many died in Kiel?", "and the fire in Kiel?": self-contained
            return question
        return _swapped(before, question, names)
    if (not own and not asks) or lang == "ja":
        return f"{before.rstrip('?!.？。 ')} {question}"
    added = [word for word in _topic(before) if not said.issuperset(tokens(fold(word)))]
    asks_otherwise = said & _CUES or any(cue in folded for cue in lexicon.COUNT_CUES)
    cues = [cue for cue in lexicon.COUNT_CUES if cue in fold(before)] if _COUNTED & said else []
    cue = max(cues, key=len, default="")
    opening = f"{cue} " if cue and not asks_otherwise else ""
    return f"{opening}{_without_pointers(question, lang)} {' '.join(added)}".strip()


def _author_asked(before: str) -> str:
    """The part of a question that asks what somebody said; empty where it does not ask that."""
    folded = fold(before)
    found = [p.search(folded) for lang in lexicon.COMPLETE for p in lexicon.tasks(lang)["said_by"][:1]]
    return next((before[: match.end()] for match in found if match), "")


def _points_back(question: str, folded: str, lang: str) -> bool:
    """Whether a word of the question refers to an earlier question."""
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
    """A question without the words that referred back and would now be searched for, such as "dort"."""
    pointers = _LANGUAGES[lang].back - _STOP if lang in _LANGUAGES else frozenset()
    return " ".join(word for word in question.split() if not pointers.intersection(tokens(fold(word))))


def _names(question: str, lang: str) -> list[str]:
    """The names in a question. German capitalises all nouns: there, only what follows a preposition."""
    names = [word for word in _topic(question) if _is_name(word)]
    if lang != "de":
        return names
    placed = {name for match in _PLACED.finditer(question) for name in match[2].split()}
    return [name for name in names if name in placed]


def _swapped(before: str, question: str, names: list[str]) -> str:
    """The question before with other names in place of its own."""
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
        acronym = len(bare) > 1 and bare.isupper() and not text.isupper()  # MIT, though German "mit" is idle
        if parts and (acronym or not all(part in _IDLE or part in _COUNTED for part in parts)):
            kept.append(bare)
    return kept


def _is_name(word: str) -> bool:
    return word[:1].isupper() or word[:1] in "#@$" or any(c.isdigit() for c in word)
