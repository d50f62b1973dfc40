"""Requests for stories, trends and briefs: which language, network, place, subject or topic they are restricted to.

"Trending in French?", "top tech stories", "what's happening on Bluesky", "brief me on the strike since yesterday". The
words that restrict are taken out; what is left must be a request for trends by the language files.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Literal, NamedTuple

from trinch.answers import lexicon
from trinch.answers.question import language
from trinch.answers.time_expressions import period
from trinch.posts.text import fold, tokens

_TABLE = tomllib.loads(files("trinch.answers").joinpath("story_requests.toml").read_text("utf-8"))


def _names(section: str) -> dict[str, str]:
    return {name: key for key, names in _TABLE[section].items() for name in names.split()}


_LANGUAGES, _NETWORKS, SUBJECTS = _names("languages"), _names("networks"), _names("subjects")
SUBJECT_WORDS: dict[str, str] = _TABLE["subject_words"]
"""By key of a subject, words that lie near those of its stories."""
_RANKED = frozenset(_TABLE["words"]["ranked"].split())
_BRIEF = {lang: [re.compile(pattern) for pattern in patterns] for lang, patterns in _TABLE["brief"].items()}


class StoryFilter(NamedTuple):
    """What stories are restricted to; empty for no restriction."""

    lang: str = ""
    network: str = ""
    about: tuple[str, ...] = ()
    """Subjects (keys of SUBJECT_WORDS) and search queries, all of which must fit."""
    shown: str = ""
    """The restriction in the words of the request."""


class StoryRequest(NamedTuple):
    """A request for stories."""

    kind: Literal["trends", "brief"]
    lang: str
    """The language in which it is asked."""
    only: StoryFilter
    topic: str = ""
    """Of a brief: what it is about, folded; empty for everything."""


def frame(section: str, lang: str, **values: object) -> str:
    """A phrase of `story_requests.toml` in a language, else in English."""
    phrases: dict[str, str] = _TABLE[section]
    return phrases.get(lang, phrases["en"]).format(**values)


def read(text: str, as_of: int) -> StoryRequest | None:
    """What a request for restricted trends or for a brief asks for; None for any other request."""
    plain = " ".join(fold(text).strip(" .!?¡¿,;:").split())
    asked = _brief(plain, as_of) or _trends(plain, as_of)
    return asked and asked._replace(
        only=asked.only._replace(shown=_as_typed(asked.only.shown, text, asked.lang))
    )


def _as_typed(shown: str, text: str, lang: str) -> str:
    """The words of a restriction with the capitals and accents of the request; names of places, and in English of
    languages, have a capital however they are typed."""
    named = set(lexicon.PLACE_OF) | (set(_LANGUAGES) if lang == "en" else set())
    typed = {fold(word.strip(".!?¡¿,;:")): word.strip(".!?¡¿,;:") for word in text.split()}
    kept = (typed.get(word, word) for word in shown.split(" "))
    return " ".join(word[:1].upper() + word[1:] if fold(word) in named else word for word in kept)


def _brief(plain: str, as_of: int) -> StoryRequest | None:
    lang = _language(plain)
    found = next((match for cue in _BRIEF.get(lang, ()) if (match := cue.search(plain))), None)
    if found is None:
        return None
    left = f"{plain[: found.start()]} {plain[found.end() :]}"
    named = period(left, as_of)
    words = tokens(named.rest if named else left)
    kept = [
        place for place, word in enumerate(words) if word not in lexicon.ANY_STOPWORD and word not in _EXTRA
    ]
    topic = " ".join(words[kept[0] : kept[-1] + 1]) if kept else ""
    if topic and not named:
        return None  # a summary of the topic, whenever it was
    return StoryRequest("brief", lang, StoryFilter(), topic)


_EXTRA = frozenset(
    ["me", "us", "please", "moi", "nous", "mich", "uns", "mi", "me", "us", "what", "happened", "sur", "about"]
)


def _language(plain: str) -> str:
    said = language(tokens(plain))
    cued = (lang for lang, cues in _BRIEF.items() if any(cue.search(plain) for cue in cues))
    return next(cued, said if said in lexicon.COMPLETE else "en")


def _trends(plain: str, as_of: int) -> StoryRequest | None:
    left, only = plain, StoryFilter()
    explicit = not _RANKED.isdisjoint(tokens(plain))
    for step in (_by_network, _by_language, _by_place, _by_subject, _by_topic):
        if step in (_by_place, _by_topic) and not explicit:
            continue
        left, only = step(left, only)
    if only == StoryFilter():
        return None
    named = period(left, as_of)
    cores = {" ".join(core.split()) for core in (left, named.rest if named else left)}
    lang = next((lang for lang in lexicon.COMPLETE if _asks_for_trends(cores, lang)), "")
    return StoryRequest("trends", lang, only) if lang else None


def _asks_for_trends(cores: Iterable[str], lang: str) -> bool:
    return any(cue.fullmatch(core) for core in cores for cue in lexicon.tasks(lang)["trends"])


def _pattern(names: Iterable[str], leads: Callable[[str], str]) -> re.Pattern[str]:
    alternatives = "|".join(sorted(map(re.escape, names), key=lambda name: (-len(name), name)))
    return re.compile(leads(f"(?P<name>{alternatives})"))


_INSIDE = "|".join(_TABLE["words"]["inside"].split())
_ARTICLE = f"(?:(?:{'|'.join(_TABLE['words']['articles'].split())})[ '])?"


def _after_preposition(name: str) -> str:
    return rf"\b(?:{_INSIDE}) {_ARTICLE}{name}(?: language)?(?![\w-])"


def _anywhere(name: str) -> str:
    return rf"(?:\b(?:{_INSIDE}) {_ARTICLE})?\b{name}(?![\w-])"


_ON_NETWORK = _pattern(_NETWORKS, _after_preposition)
_IN_LANGUAGE = _pattern(_LANGUAGES, _after_preposition)
_IN_PLACE = _pattern(lexicon.PLACE_OF, _after_preposition)
_OF_SUBJECT = _pattern(SUBJECTS, _anywhere)
_ABOUT = re.compile(rf"\b(?:{'|'.join(_TABLE['words']['about'].split())}) (?P<name>.+)$")


def _cut(left: str, only: StoryFilter, found: re.Match[str]) -> tuple[str, StoryFilter]:
    """The request without a restriction, and the filter with its words."""
    shown = ", ".join(part for part in (only.shown, found[0].strip()) if part)
    return f"{left[: found.start()]} {left[found.end() :]}", only._replace(shown=shown)


def _by_network(left: str, only: StoryFilter) -> tuple[str, StoryFilter]:
    if found := _ON_NETWORK.search(left):
        left, only = _cut(left, only._replace(network=_NETWORKS[found["name"]]), found)
    return left, only


def _by_language(left: str, only: StoryFilter) -> tuple[str, StoryFilter]:
    if found := _IN_LANGUAGE.search(left):
        left, only = _cut(left, only._replace(lang=_LANGUAGES[found["name"]]), found)
    return left, only


def _by_place(left: str, only: StoryFilter) -> tuple[str, StoryFilter]:
    if found := _IN_PLACE.search(left):
        names = sorted(lexicon.PLACE_OF[found["name"]])
        left, only = _cut(left, only._replace(about=(*only.about, " OR ".join(names))), found)
    return left, only


def _by_subject(left: str, only: StoryFilter) -> tuple[str, StoryFilter]:
    if found := _OF_SUBJECT.search(left):
        left, only = _cut(left, only._replace(about=(*only.about, SUBJECTS[found["name"]])), found)
    return left, only


def _by_topic(left: str, only: StoryFilter) -> tuple[str, StoryFilter]:
    found = _ABOUT.search(left)
    words: Sequence[str] = tokens(found["name"]) if found else ()
    words = [word for word in words if word not in lexicon.ANY_STOPWORD]
    if found and words:
        left, only = _cut(left, only._replace(about=(*only.about, " ".join(words))), found)
    return left, only
