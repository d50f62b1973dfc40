"""What every wire format needs: decode a line or say what is wrong with it, and normalise common fields."""

import re
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec

from trinch.posts import forgive, times
from trinch.posts.notes import Notes
from trinch.posts.schema import Malformed

T = TypeVar("T")

MAX_LINE = 16 * 2**20
"""Bytes of one line or one JSON document, wherever it is read; a longer one is rejected."""

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that every store can hold; JSON alone sets no bound."""

Text = Annotated[str, forgive.ESSENTIAL]
"""The text of a post: neither converted from another type nor left out."""

Time = str | int | float | None
"""A time as a format may write it; read by `moment`."""

_PLACE = re.compile(r"(.*) - at `(key in )?\$\.?(.*)`$", re.DOTALL)
_LONE = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""A surrogate escape: group 2 holds a pair, which is right; without it, the escape is half a character."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON of the type wanted: the last two are no errors of its own."""


def decode(decoder: "msgspec.json.Decoder[T]", line: bytes, notes: Notes | None = None) -> T:
    """The line as the decoder's type, forgiving in what is optional (see `forgive.py`).

    Raises `Malformed` and nothing else; it names the field."""
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        return _fitted(decoder, line, error, notes)
    except msgspec.DecodeError as error:
        for kind, repair in (("lone surrogate", repair_surrogates), ("NaN", repair_numbers)):
            if (repaired := repair(line)) != line:
                if notes:
                    notes.forgive(kind)
                return decode(decoder, repaired, notes)
        reason = str(error).removeprefix("JSON is malformed: ")
        raise Malformed(f"the line is not JSON: {reason}{_hint(line)}") from None
    except UnicodeDecodeError as error:
        if (repaired := _repair_halves(line)) != line:
            if notes:
                notes.forgive("lone surrogate")
            return decode(decoder, repaired, notes)
        raise Malformed(f"the line is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise Malformed("the line is nested too deeply") from None


def _fitted(
    decoder: "msgspec.json.Decoder[T]", line: bytes, error: msgspec.ValidationError, notes: Notes | None
) -> T:
    """The line fitted to the type. The strict decoder stopped before it had seen the whole line."""
    value: Any = decode(_ANY, line, notes)
    fitted: T = forgive.fit(value, decoder.type, notes)
    return fitted


_ANY: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fields(line: bytes, notes: Notes | None = None) -> dict[str, msgspec.Raw]:
    """The top-level fields of a JSON object, their values undecoded. Raises Malformed where it is none."""
    try:
        return _FIELDS.decode(line)
    except msgspec.ValidationError:
        raise Malformed("the line: expected a JSON object") from None
    except UNREADABLE:
        return decode(_FIELDS, line, notes)


def repair_surrogates(line: bytes) -> bytes:
    """The JSON text with every lone surrogate escape replaced by that of U+FFFD."""
    return _LONE.sub(lambda found: found[1] + (found[2] or rb"\ufffd"), line)


_NUMBER = re.compile(rb'("(?:[^"\\]|\\.)*+")|(?:-?Infinity|\bNaN)\b', re.DOTALL)


def repair_numbers(line: bytes) -> bytes:
    """The JSON text with NaN and Infinity, which Python's writer emits for missing values, replaced by null."""
    if b"NaN" not in line and b"Infinity" not in line:
        return line
    return _NUMBER.sub(lambda found: found[1] or b"null", line)


def _repair_halves(line: bytes) -> bytes:
    """The text with surrogates that are encoded as if they were characters (CESU-8) joined, halves as U+FFFD."""
    try:
        text = line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return line
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


_POINTERS = (
    (b"version https://git-lfs", "; this is a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"<!DOCTYPE", "; this is a web page"),
    (b"<html", "; this is a web page"),
)


def _hint(line: bytes) -> str:
    if b"\x00" in line[:200]:
        return "; it holds NUL bytes, as a binary file or a damaged disk block does"
    return next((hint for start, hint in _POINTERS if line.startswith(start)), "")


def moment(written: Time, field: str, notes: Notes | None = None, id: str = "") -> int | None:
    """When a post was made, in microseconds; None where neither `written` nor its X id has it.

    A time that cannot be read is forgiven, with the field's name."""
    claimed = None
    if written is not None and written != "":
        try:
            claimed = times.parse(written)
        except ValueError:
            if notes:
                notes.forgive(field)
    return times.snowflake(id, claimed) if id else claimed


def unescape(text: str) -> str:
    """Undo X's escaping, which knows exactly three entities; `&amp;lt;` comes back as `&lt;`."""
    if "&" in text:
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text


_OLD_CODES = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "zxx": "und"}
"""Codes withdrawn from ISO 639 that X and others still send; `zxx` means "no language"."""


@lru_cache(4096)
def language(tag: str | None) -> str:
    """The primary subtag of a BCP 47 tag: `en-GB` -> `en`. What is none, or reserved (X's `qme`, `qst`…,
    which mean "media only", "short text"…), is `und`."""
    primary = re.split("[-_]", tag or "", maxsplit=1)[0].strip().lower()
    primary = _OLD_CODES.get(primary, primary)
    reserved = len(primary) == 3 and "qaa" <= primary <= "qtz"
    if reserved or not (2 <= len(primary) <= 3 and primary.isascii() and primary.isalpha()):
        return "und"
    return primary
