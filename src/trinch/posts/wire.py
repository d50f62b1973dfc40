"""What every wire format needs: decode a line or say what is wrong with it, and tidy common fields.

Owns the one door from bytes to typed structs, so that whatever arrives the caller sees `Malformed` and
nothing else. Knows no format.
"""

import re
from functools import lru_cache
from typing import Annotated, Protocol, TypeVar

import msgspec

from trinch.posts.schema import Malformed

T = TypeVar("T", covariant=True)

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that every store can hold; JSON alone sets no bound."""


class _Decoder(Protocol[T]):
    def decode(self, buf: bytes, /) -> T: ...


_PLACE = re.compile(r"(.*) - at `(key in )?\$\.?(.*)`$", re.DOTALL)


def decode(decoder: _Decoder[T], line: bytes) -> T:
    """`decoder.decode(line)`; every failure becomes a `Malformed` that names the field."""
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        place = _PLACE.match(str(error))
        raise Malformed(f"{place[3] or 'the line'}: {place[1]}" if place else f"the line: {error}") from None
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise Malformed(f"the line is not JSON: {reason}") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"the line is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise Malformed("the line is nested too deeply") from None


def unescape(text: str) -> str:
    """Undo X's escaping, which knows exactly three entities; `&amp;lt;` comes back as `&lt;`."""
    if "&" in text:
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text


_OLD_CODES = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "zxx": "und"}
"""Codes withdrawn from ISO 639 that X and others still send; `zxx` says "no language"."""


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
