"""What a request wants: its task, its topic without instruction words, the form and the language of the answer.

Reads the request by the cues of the language files; no model. The topic words become a `Question` (question.py).
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from trinch.answers import lexicon
from trinch.answers.question import Question, language, understand
from trinch.answers.time_expressions import period
from trinch.answers.types import Corpus
from trinch.posts.text import fold, tokens

Task = Literal[
    "question",
    "summary",
    "timeline",
    "comparison",
    "opinions",
    "list",
    "latest",
    "changes",
    "explain",
    "verify",
    "said_by",
    "trends",
    "chat",
]
TASKS: tuple[Task, ...] = get_args(Task)

_PRIORITY: tuple[Task, ...] = (
    "said_by",
    "comparison",
    "timeline",
    "opinions",
    "list",
    "changes",
    "latest",
    "explain",
    "verify",
    "summary",
)
"""The first task with a cue in the request is the one it wants."""

_CHAT = ("greeting", "thanks", "goodbye", "identity", "capabilities", "outside")
_STYLE = (
    "shorter",
    *(f"into_{name}" for name in ("english", "french", "spanish", "german", "italian", "portuguese")),
)
_INTO = dict(zip(_STYLE[1:], ("en", "fr", "es", "de", "it", "pt"), strict=True))
_SIDES = re.compile(r"(?i)\s*(?:\b(?:versus|vs|and|or|with|to|et|ou|y|o|und|oder|mit|e|con|com)\b\.?|,)\s*")
_BRIEF = 2
"""Claims of an answer that was only asked to be shorter."""


class Request(NamedTuple):
    text: str
    task: Task
    lang: str
    """The language to answer in."""
    topic: str
    """The request without its instruction words, as typed."""
    question: Question
    sides: tuple[str, ...] = ()
    """The two topics of a comparison."""
    limit: int = 0
    """How many claims are wanted; 0 where the request does not say."""
    max_words: int = 0
    author: str = ""
    """Whose posts are asked about, without `@`; empty for everybody's."""
    chat: str = ""
    """Which kind of small talk it is: the frame that answers it."""
    yes_no: bool = False
    wants: frozenset[str] = frozenset()
    """The kinds of answer it names: place, person, time, magnitude, manner."""


def chat_kind(text: str) -> str:
    """Which kind of small talk a whole message is; empty where it is none."""
    folded = " ".join(fold(text).strip(" .!?¡¿,;:").split())
    for lang in lexicon.COMPLETE:
        for kind in _CHAT:
            if any(pattern.fullmatch(folded) for pattern in lexicon.tasks(lang)[f"chat_{kind}"]):
                return kind
    return ""


def is_style(text: str) -> bool:
    """Whether a message only asks for another form of the answer before ("shorter, please", "in French")."""
    folded = fold(text)
    for lang in lexicon.COMPLETE:
        cues = lexicon.tasks(lang)
        found = [pattern for key in _STYLE for pattern in cues[key] if pattern.search(folded)]
        if not found:
            continue
        for pattern in (*found, *cues["filler"]):
            folded = pattern.sub(" ", folded)
        return all(word in lexicon.ANY_STOPWORD for word in tokens(folded))
    return False


def interpret(text: str, as_of: int, corpus: Corpus, author: str = "") -> Request:
    """Read a request asked as of `as_of` (microseconds). `author`: the only one whose posts are searched."""
    folded = fold(text)
    lang = language(tokens(folded))
    cues_in = lang if lang in lexicon.COMPLETE else "en"
    cues = lexicon.tasks(cues_in)
    into = next(
        (
            code
            for key, code in _INTO.items()
            for lg in lexicon.COMPLETE
            for p in lexicon.tasks(lg)[key]
            if p.search(folded)
        ),
        "",
    )
    answer_lang = into or cues_in
    if kind := chat_kind(text):
        spoken = (
            next(code for code in lexicon.COMPLETE if _is_chat_in(text, code))
            if lang not in lexicon.COMPLETE or not _is_chat_in(text, lang)
            else lang
        )
        return Request(text, "chat", spoken, "", understand("", as_of, corpus), chat=kind)
    plain = " ".join(folded.strip(" .!?¡¿,;:").split())
    if not author and any(pattern.fullmatch(plain) for pattern in cues["trends"]):
        return Request(text, "trends", answer_lang, "", understand(text, as_of, corpus, topic=""))
    task = _task(cues, plain, author)
    limit, max_words = _sizes(cues, plain)
    who = author or _who(cues, plain)
    topic = _topic(text, cues, task, author)
    sides = _sides(topic) if task == "comparison" else ()
    if task == "comparison" and len(sides) != 2:
        task, sides = "question", ()
    wants = frozenset(
        key for key in ("place", "person", "time", "magnitude", "manner") if _has(cues, key, plain)
    )
    question = understand(text, as_of, corpus, topic=topic, lang=cues_in)
    yes_no = _has(cues, "yes_no", plain)
    if task == "question" and question.kind == "overview":
        task = "summary"
    if (
        task == "question"
        and len(plain.split()) <= 4
        and question.kind == "fact"
        and not (yes_no or wants)
        and not text.rstrip().endswith("?")
    ):
        task = "summary"
    return Request(text, task, answer_lang, topic, question, sides, limit, max_words, who, "", yes_no, wants)


def _is_chat_in(text: str, lang: str) -> bool:
    folded = " ".join(fold(text).strip(" .!?¡¿,;:").split())
    return any(pattern.fullmatch(folded) for kind in _CHAT for pattern in lexicon.tasks(lang)[f"chat_{kind}"])


def _has(cues: dict[str, tuple[re.Pattern[str], ...]], key: str, plain: str) -> bool:
    return any(pattern.search(plain) for pattern in cues[key])


def _task(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str, author: str) -> Task:
    if author:
        return "said_by"
    for task in _PRIORITY:
        if task == "said_by" and not _who(cues, plain):
            continue
        if task == "explain" and any(phrase in plain for phrase in lexicon.COUNT_CUES):
            continue
        if _has(cues, task, plain):
            return task
    return "question"


def _who(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str) -> str:
    """The author that a request asks about; empty where it asks about none."""
    for pattern in cues["said_by"][:2]:
        if found := pattern.search(plain):
            named = next((name for name in found.groupdict().values() if name), "")
            words = [
                word
                for word in tokens(named)
                if word not in lexicon.ANY_STOPWORD and word not in lexicon.PEOPLE
            ]
            return "".join(words).lstrip("@")
    return ""


def _sizes(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str) -> tuple[int, int]:
    """How many claims and how many words are wanted; 0 for no wish."""
    limit = max_words = 0
    for pattern in cues["list"]:
        if (found := pattern.search(plain)) and (named := [g for g in found.groupdict().values() if g]):
            limit = limit or (int(named[0]) if named[0].isdigit() else lexicon.NUMBER_WORDS.get(named[0], 1))
    for pattern in cues["shorter"]:
        if found := pattern.search(plain):
            named = [group for group in found.groupdict().values() if group]
            max_words = max_words or (int(named[0]) if named else 0)
            limit = limit or _BRIEF
    return min(limit, 20), max_words


def _topic(text: str, cues: dict[str, tuple[re.Pattern[str], ...]], task: Task, author: str) -> str:
    """The words of a request that are left when its cues are taken out, as typed."""
    folded = fold(text)
    used: Sequence[str] = ("filler", "shorter", *_INTO, task) if task != "question" else ("filler", "verify")
    if task in ("opinions", "comparison", "timeline", "list", "latest", "changes", "said_by"):
        used = (*used, "summary", "latest", "changes", "list", "opinions", "explain")
    for key in dict.fromkeys(used):
        for pattern in cues.get(key, ()):
            folded = _cut(pattern, folded)
    left = tokens(folded)
    names = {fold(author)} if author else set()
    kept = []
    for word in text.split():
        parts = tokens(word)
        if (
            parts
            and all(part in left for part in parts)
            and not any(_is_author(part, names) for part in parts)
        ):
            kept.append(word.strip(',;:!?¿¡"“”.') if word.strip(',;:!?¿¡"“”.') else word)
    return " ".join(kept)


def _is_author(word: str, names: set[str]) -> bool:
    return len(word) >= 4 and any(word.lstrip("@") in name for name in names)


def _cut(pattern: re.Pattern[str], folded: str) -> str:
    """`folded` without what a cue matched; lookarounds aside, a named author goes with its cue."""
    return pattern.sub(" ", folded)


def _sides(topic: str) -> tuple[str, ...]:
    """The two topics that a comparison names; the words in front of the first are shared by both."""
    parts = [part.strip(" :?") for part in _SIDES.split(topic)]
    parts = [part for part in parts if any(word not in lexicon.ANY_STOPWORD for word in tokens(part))]
    if len(parts) < 2:
        return ()
    return parts[0], parts[1]


def has_period(text: str, as_of: int) -> bool:
    """Whether a request names a time."""
    return period(fold(text), as_of) is not None
