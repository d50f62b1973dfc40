"""What a request wants: its task, its topic without instruction words, the form and the language of the answer.

Reads the request by the cues of the language files; no model. The topic words become a `Question` (question.py).
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from trinch.answers import lexicon, story_requests
from trinch.answers.polarity import with_both_poles
from trinch.answers.quantities import figures
from trinch.answers.question import Question, language, understand
from trinch.answers.story_requests import StoryFilter
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
    "brief",
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
    """The kinds of answer it names: place, person, time, magnitude, manner, result (of a match)."""
    members: str = ""
    """What the things listed are to be ("musicians"), folded; empty where the request does not say."""
    only: StoryFilter = StoryFilter()
    """What trends are restricted to."""


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


def spelled_out(text: str) -> str:
    """A request without laughter, and with the words that its shorthand means ("what do ppl think" of people)."""
    lang = language(tokens(fold(text)))
    short = lexicon.SHORTHAND.get(lang, {})
    kept = []
    for word in text.split():
        bare = fold(word.strip("¿¡?!.,;:…"))
        if bare in short and not word.isupper():
            word = word.lower().replace(word.lower().strip("¿¡?!.,;:…"), short[bare])
        if bare not in lexicon.NOISE:
            kept.append(word)
    return " ".join(kept) or text


def interpret(text: str, as_of: int, corpus: Corpus, author: str = "") -> Request:
    """Read a request asked as of `as_of` (microseconds). `author`: the only one whose posts are searched."""
    return _interpreted(spelled_out(text), as_of, corpus, author)._replace(text=text)


def _interpreted(text: str, as_of: int, corpus: Corpus, author: str) -> Request:
    if kind := chat_kind(text):
        return Request(text, "chat", _chat_language(text), "", understand("", as_of, corpus), chat=kind)
    if not author and (asked := story_requests.read(text, as_of)):
        question = understand(text, as_of, corpus, topic=asked.topic, lang=asked.lang)
        return Request(text, asked.kind, asked.lang, asked.topic, question, only=asked.only)
    bare, into = _without_language(text)
    plain = " ".join(fold(bare).strip(" .!?¡¿,;:").split())
    lang = language(tokens(plain))
    lang = lang if lang in lexicon.COMPLETE else "en"
    cues = lexicon.tasks(lang)
    named = period(plain, as_of)
    asked_for = {plain, " ".join(named.rest.split()) if named else plain}
    if not author and any(pattern.fullmatch(core) for pattern in cues["trends"] for core in asked_for):
        return Request(text, "trends", into or lang, "", understand(bare, as_of, corpus, topic="", lang=lang))
    wants = frozenset(key for key in _WANTS if _has(cues, key, plain))
    is_asked = bare.rstrip().endswith("?")
    yes_no = _has(cues, "yes_no", plain) or (is_asked and _has(cues, "statement", bare.lower()))
    task = _task(cues, plain, author)
    sides = _sides(bare, cues) if task == "comparison" else ()
    if task == "comparison" and not sides:
        task = "question"
    topic = _topic(bare, cues, task, author)
    question = understand(bare, as_of, corpus, topic=topic, lang=lang)
    if "magnitude" in wants and question.kind == "count":
        question = question._replace(kind="fact", measure="")  # "how strong was it, and was anybody hurt"
    if task == "question":
        task = _task_of_question(question, plain, yes_no, bool(wants), is_asked)
    if task in ("explain", "verify") or _has(cues, "talked_about", plain):
        # A date names the happening, not when it was posted of.
        question = question._replace(period=None, newest=task != "verify")
    if task in ("explain", "opinions"):
        question = _of_names(question)
    if task == "verify":
        question = _without_counts(with_both_poles(question), bare)
    limit, max_words = _sizes(cues, plain)
    who = "" if author else _who(cues, plain)
    members = _members(cues, plain) if task == "list" else ""
    return Request(
        text, task, into or lang, topic, question, sides, limit, max_words, who, "", yes_no, wants, members
    )


_WANTS = ("place", "person", "time", "magnitude", "amount", "price", "manner", "result")
_ADJECTIVES = ("magnitude", "amount")
"""Wants whose words say what is asked ("how strong"): no post need hold them."""
_BARE = 4
"""A request of no more words, without a question in it, is a headline: it asks for a summary."""
_ASIDE = 0.35
"""What a common word weighs where a reason or an opinion is asked for: posts give those in words of their own."""


def _task_of_question(question: Question, plain: str, yes_no: bool, wants: bool, asked: bool) -> Task:
    if question.kind == "overview":
        return "summary"
    if question.kind == "fact" and yes_no:
        return "verify"
    bare = question.kind == "fact" and not (wants or asked) and len(plain.split()) <= _BARE
    return "summary" if bare else "question"


def _of_names(question: Question) -> Question:
    """A question whose names and events count for more than its common words, where it has any."""
    if not any(term.role == "name" for term in question.terms):
        return question  # "why did bitcoin crash": none but its words says of what
    terms = [
        t if t.needed or t.role == "part" else t._replace(weight=_ASIDE * t.weight, role="aside")
        for t in question.terms
        if t.needed or t.role == "part" or t.text not in lexicon.REACTIONS
    ]
    return question._replace(terms=tuple(terms))


def _without_counts(question: Question, text: str) -> Question:
    """A question without the numbers of people in its text: posts with other numbers decide whether they are right."""
    counted = {f"{figure.value:.0f}" for figure in figures(text) if figure.quantity != "unit"}
    kept = tuple(term for term in question.terms if term.text.replace(",", "") not in counted)
    return question._replace(terms=kept) if kept else question


def _without_language(text: str) -> tuple[str, str]:
    """A request without the words that ask for a language, and that language; empty where it asks for none."""
    folded = fold(text)
    for key, code in _INTO.items():
        for lang in lexicon.COMPLETE:
            for pattern in lexicon.tasks(lang)[key]:
                if pattern.search(folded):
                    left = tokens(pattern.sub(" ", folded))
                    return " ".join(w for w in text.split() if all(t in left for t in tokens(w))), code
    return text, ""


def _chat_language(text: str) -> str:
    """The language of small talk: of the words if any, else the first in which it is a phrase."""
    said = language(tokens(fold(text)))
    if said in lexicon.COMPLETE and _is_chat_in(text, said):
        return said
    return next(lang for lang in lexicon.COMPLETE if _is_chat_in(text, lang))


def _is_chat_in(text: str, lang: str) -> bool:
    folded = " ".join(fold(text).strip(" .!?¡¿,;:").split())
    return any(pattern.fullmatch(folded) for kind in _CHAT for pattern in lexicon.tasks(lang)[f"chat_{kind}"])


def _has(cues: dict[str, tuple[re.Pattern[str], ...]], key: str, plain: str) -> bool:
    return any(pattern.search(plain) for pattern in cues[key])


def _task(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str, author: str) -> Task:
    if author:
        return "said_by"
    if _has(cues, "talked_about", plain):
        return "summary"  # "why is everyone talking about Beckham": the news is the reason
    for task in _PRIORITY:
        if task == "said_by" and not _who(cues, plain):
            continue
        if task == "comparison" and _has(cues, "result", plain):
            continue  # "Leafs vs Bruins, what was the score": one thing is asked of both
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


def _members(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str) -> str:
    """What the things are that a list is to hold; empty where the request does not say."""
    found = (pattern.search(plain) for pattern in cues["list"] if "members" in pattern.groupindex)
    return next((match["members"] for match in found if match), "")


def _sizes(cues: dict[str, tuple[re.Pattern[str], ...]], plain: str) -> tuple[int, int]:
    """How many claims and how many words are wanted; 0 for no wish."""
    limit = max_words = 0
    for pattern in cues["list"]:
        if "members" in pattern.groupindex:
            continue
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
    used: Sequence[str] = (task, "shorter", *_INTO) if task != "question" else ("verify",)
    if task in ("opinions", "comparison", "timeline", "list", "latest", "changes", "said_by"):
        used = (*used, "summary", "latest", "changes", "list", "opinions", "explain")
    for key in dict.fromkeys(("talked_about", *used, *_ADJECTIVES, "filler")):
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
    while kept and all(part in lexicon.ANY_STOPWORD - lexicon.NEGATING for part in tokens(kept[0])):
        kept.pop(0)
    return " ".join(kept)


def _is_author(word: str, names: set[str]) -> bool:
    return len(word) >= 4 and any(word.lstrip("@") in name for name in names)


def _cut(pattern: re.Pattern[str], folded: str) -> str:
    """`folded` without what a cue matched, but for its group `kept`."""
    if "kept" in pattern.groupindex:
        return pattern.sub(lambda found: f" {found['kept']} ", folded)
    return pattern.sub(" ", folded)


_SEPARATORS = re.compile(r"(?i)\s+(?:versus|vs|and|or|with|to|et|ou|y|o|und|oder|mit|e|con|com)\b\.?\s+|,\s+")


def _sides(text: str, cues: dict[str, tuple[re.Pattern[str], ...]]) -> tuple[str, ...]:
    """The two topics that a comparison names, without the words of comparing; empty where it does not name two."""
    head = text.split(":")[0] if _SEPARATORS.search(text.split(":")[0]) else text
    parts = []
    for part in _SEPARATORS.split(head.strip(" ?!.")):
        folded = fold(part)
        for key in ("comparison", "opinions", "magnitude", "filler"):
            for pattern in cues[key]:
                folded = _cut(pattern, folded)
        left = tokens(folded)
        words = [
            word.strip(",;:!?¿¡")
            for word in part.split()
            if tokens(word) and all(t in left for t in tokens(word))
        ]
        while words and all(t in lexicon.ANY_STOPWORD or t in _COUNTED for t in tokens(words[0])):
            words.pop(0)
        if words:
            parts.append(" ".join(words))
    if len(parts) > 2 and not _COUNTED.isdisjoint(tokens(fold(parts[0]))):
        parts = parts[1:]  # "which quake killed more people, Nepal or Chile"
    return (parts[0], parts[1]) if len(parts) >= 2 else ()


_COUNTED = (
    frozenset().union(*lexicon.MEASURES.values()) | lexicon.TALLIES | lexicon.PEOPLE | frozenset({"tolls"})
)
