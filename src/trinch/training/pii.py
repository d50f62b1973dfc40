"""Removal of personal data from text before training; docs/training.md states the rules in words.

Other fields of a post are never trained on. The rules err on the side of removing: a number too many costs nothing, an
address too few does.
"""

import re

LINK, EMAIL, PHONE, ADDRESS, ACCOUNT, USER = "<link>", "<email>", "<phone>", "<ip>", "<account>", "@user"

_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s<>\"]+|\bdid:(?:plc|web):[\w.:%-]+", re.I)
_EMAIL = re.compile(
    r"(?<![\w.+%@-])[\w.+%-]+(?:@|\s?[(\[]at[)\]]\s?)[\w-]+(?:\.[\w-]+)+", re.I
)  # not after an @: @name@host is a handle
_HANDLE = re.compile(r"(?:[@＠]\w(?:[\w.-]*\w)?)+")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IPV6 = re.compile(
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![\w:])|(?<![\w:])(?:[0-9a-f]{1,4}:)+:[0-9a-f:]*", re.I
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b")
_DIGITS = re.compile(r"(?<![\w.,$€£#])[+(]?\d(?:[\s().\-/]{0,2}\d){7,18}(?![\w])")
_DATE = re.compile(
    r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|(?:19|20)\d{2}\s?[-/]\s?(?:19|20)\d{2}"
)
_GROUPED = re.compile(r"\d{1,3}(?:[ .]000)+|\d{1,3}(?:[ .]\d{3}){2,}")


def scrub(text: str) -> str:
    """The text without links, addresses, handles, phone, card and bank numbers; placeholders stand for them.

    Scrubbing twice changes nothing more. Names in running text stay: see the docs for what this does not
    catch.
    """
    text = _LINK.sub(LINK, text)
    text = _EMAIL.sub(EMAIL, text)
    text = _HANDLE.sub(USER, text)
    text = _IPV4.sub(ADDRESS, text)
    text = _IPV6.sub(ADDRESS, text)
    text = _IBAN.sub(lambda m: ACCOUNT if _iban(m[0]) else m[0], text)
    return _DIGITS.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    """Card numbers by their check digit; then what is written like a phone number and not like a date or a
    sum."""
    written = match[0]
    digits = re.sub(r"\D", "", written)
    if len(digits) >= 13 and _luhn(digits):
        return ACCOUNT
    if _DATE.fullmatch(written) or _GROUPED.fullmatch(written) or len(digits) > 15:
        return written
    if written[0] in "+(" or written.startswith("0") or (len(digits) >= 9 and len(digits) < len(written)):
        return PHONE
    return PHONE if len(digits) in (10, 11) else written


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 * (d > 9) for d in doubled) % 10 == 0


def _iban(written: str) -> bool:
    """ISO 13616: the number formed by moving the first four to the end is 1 modulo 97."""
    plain = re.sub(r"[ -]", "", written)
    moved = plain[4:] + plain[:4]
    return len(plain) >= 15 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1
