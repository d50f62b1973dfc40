"""From the text of a post to the terms it is indexed under.

Owns folding (case, accents, compatibility forms), splitting into tokens, stemming, and the mirror image for
queries. `language_id.py` identifies the language.

A document is stemmed in its own language, a query's language is unknown: `query_terms` gives every form a
query word may have been indexed under. Where two languages disagree (`news` is `new` to the French stemmer),
`stem(word, post.lang)` decides for a post at hand.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache

import Stemmer

MAX_TOKEN = 64
"""Longest token in characters; the rest of a longer one is dropped."""

STEMMED = {
    "en": "english",
    "fr": "french",
    "es": "spanish",
    "de": "german",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "ru": "russian",
    "ar": "arabic",
    "el": "greek",
    "hi": "hindi",
}
"""Languages that are stemmed, with their Snowball names; words of any other stay whole."""

_LATIN = ("en", "fr", "es", "de", "it", "pt", "nl")
_OTHERS = (
    ("\u0400", "\u04ff", "ru"),
    ("\u0600", "\u06ff", "ar"),
    ("\u0370", "\u03ff", "el"),
    ("\u0900", "\u097f", "hi"),
)

_FUNCTION_WORDS = """
a about am an and any are as at be been but by can could did do does for from had has have how i if in
into is it its many me much my of on or our shall should so some than that the their them there these they
this those to was we were what when where which who whom whose why will with would you your au aux avec ce
ces cet cette combien comme dans de des du elle elles en est et etait ete etre il ils je la le les leur
lui ma mais moi ne nos notre nous ont ou par pas pourquoi qu quand que quel quelle quelles quels qui quoi
sa se ses sont sur ta te tu une vos votre vous y al algo como cual cuales cuando cuanta cuantas cuanto
cuantos del donde el ella ellos entre es esta estaba estan este esto fue ha han las lo los muy ni o para
pero por porque quien quienes si sido sobre su sus una unos ya ao aos com da e ela ele isso isto na nas
nao no onde os pela pelo qual quais quando quanta quantas quanto quantos quem sao seu sua tem um uma auch
auf aus bei dass dem der doch durch ein eine einem einen einer fur gibt habe haben ich ihr im ist mit nach
nicht noch nur oder sich sie sind uber und uns vom von vor wann warum wegen welche welcher welches wem wen
wenn wer werden wie wieviel wieviele wird wurde wurden zu zum zur aan bij dat deze dit een geen het hij
hoe hoeveel ik naar niet ook uit van voor waar waarom wat welke werd wordt zijn agli alla alle anche che
ci cosa cui dal dalla degli dei della delle di gli hanno io nei nel nella non per perche piu quale quali
quante quanti sono stata stato sul sulla tra uno а без бы был была были было в вы где для до его ее если
есть еще же за и из или их к как какая какие какой когда кто ли мы на не но о об он она они от по почему
при с сколько со так то только у уже что это я happen happened happening happens situation situacion
situazione situacao lage passe passiert pasa sucede sucedio aconteceu gebeurt gebeurd hay
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that say how a question is put, not what it is about ("what is the situation in"), folded, in the
Latin-script languages stemmed here and Russian. Left out are those that elsewhere are words of substance:
German `die`, Italian `ai`, French `un`."""

# --- folding -----------------------------------------------------------------------------------------------

# Marks that carry no meaning for search: Latin, Greek, Cyrillic accents (but й is a letter), Hebrew points,
# Arabic vowel signs and stretching line. Vowel signs of Indic and South-East Asian scripts stay.
_MARKS = re.compile(
    r"(?<!и)\u0306|[\u0300-\u0305\u0307-\u036f\u0591-\u05bd\u05bf-\u05c7\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
)
# Soft hyphen, zero-width space and non-joiner, direction marks, byte-order mark; a joiner before a letter.
_HIDDEN = r"\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_INVISIBLE = re.compile(rf"[{_HIDDEN}]")
_JOINERS = re.compile(r"(?<!\u200d)\u200d++(?=\w)")  # a run is looked at once, however long it is
_TINT = re.compile(r"[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
_LETTERS = str.maketrans("’‘ʼʻ′øłđðı", "'''''olddi") | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th"})
# Letters of Persian, Urdu and Arabic that readers take for one (yeh, kaf, heh, alef), and the marks of Arabic numbers.
_LETTERS |= str.maketrans("یىکڪہھەٱ٫٬", "ييككههها.,")
_DIGIT = re.compile(r"(?![0-9])\d")


def _decimal(digit: re.Match[str]) -> str:
    return str(unicodedata.decimal(digit[0]))


def fold(text: str) -> str:
    """`text` without differences of case, accent, typographic form or the script of digits, and with letters of the
    Arabic script that readers do not distinguish made one. Idempotent; ASCII is only lowered."""
    if text.isascii():
        return text.lower()
    text = text.replace("\uff5e", "\u301c")  # in hashtags; as `~` it would end them
    text = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    text = _TINT.sub("", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
    text = _DIGIT.sub(_decimal, _INVISIBLE.sub("", text))
    if "\u200d" in text:
        text = _JOINERS.sub("", text)
    return unicodedata.normalize("NFC", text)


# --- tokens ------------------------------------------------------------------------------------------------

# A link ends where text that is written without spaces goes on: at a comma or a character that is not ASCII. X's
# short links are letters and digits (twitter-text, `validTcoUrl`).
_URL_REST = r"[a-z0-9_!#$%&'()*+\-./:;=?@\[\]|~]*"
_URL = rf"https?://t\.co/[a-z0-9]*|https?://{_URL_REST}|www\.{_URL_REST}"
_LINK = re.compile(_URL, re.ASCII | re.IGNORECASE).fullmatch
# `\w` leaves out the vowel signs of Indic scripts, Thai, Lao, Tibetan, Burmese and Khmer.
_SIGNS = (
    r"\u0900-\u0963\u0966-\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
    r"\u0f71-\u0fbc\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
)
_WORD = rf"[\w{_SIGNS}]"
# Signs that twitter-text allows within a hashtag (`hashtagSpecialChars`).
_IN_TAG = rf"[\w{_SIGNS}\u00b7\u05be\u05f3\u05f4\u0f0b\u0f0c\u3003\u301c\u309b\u309c\u30a0\u30fb\ua67e]"
_TAG = rf"#(?!https?://)(?:(?![^\W\d_]){_IN_TAG})*[^\W\d_]{_IN_TAG}*"
_CASH = r"\$[a-z]{1,6}(?:[._][a-z]{1,2})?(?![^\W_])"
# Handles are ASCII: what follows without a space, as in Japanese, is text. Behind these characters `@` begins none,
# unless they are `rt`; `@` or `://` behind it make it another thing (twitter-text, `validMentionPrecedingChars`).
_USER = (
    r"(?:(?<![a-z0-9_!#$%&*@])|(?<=\brt))"
    r"@(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|[a-z0-9_]++(?!@|://))"
)
_SIGNED = rf"(?<![^\W_])(?:{_TAG}|{_CASH})|{_USER}"
_NUMBER = r"\d+(?:[.,]\d+)+"
_ODD = r"(?<!\w)(?:[^\W\d_]\.){2,}|[a-z]\+\+|[cf]#(?!\w)"  # U.S., C++, C#
_ASCII = re.compile(rf"{_URL}|({_SIGNED}|{_NUMBER}|{_ODD}|[^\W_]+(?:'[^\W_]+)*)", re.ASCII)

# Written without spaces: a token is one character, in Thai and Lao with its signs.
_SOLID = (
    r"[\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6]"
    r"[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd]*"
    r"|[\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff]"
    r"|[\U00020000-\U0003ffff]"
)
_PICTURE = (
    r"[\u203c\u2049\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    r"\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
)
_EMOJI = (
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\u20e3|{_PICTURE}[\U000e0020-\U000e007f]*(?:\u200d{_PICTURE})*"
)
_LETTER = rf"(?:(?!{_SOLID}|_|https?://){_WORD})"
_ANY = re.compile(rf"{_URL}|({_EMOJI}|{_SIGNED}|{_SOLID}|{_NUMBER}|{_ODD}|{_LETTER}+(?:'{_LETTER}+)*)")

_THOUSANDS = re.compile(r"(\d{1,3}(?:,\d{3})+)(\.\d+)?|(\d{1,3}(?:\.\d{3}){2,})(,\d+)?")
# Turkish writes an apostrophe between a name and its endings (İstanbul'da): of case, number, possession and the
# copula, folded (Göksel & Kerslake, "Turkish: A Comprehensive Grammar", 2005, ch. 8). Bare vowels follow consonants.
_TURKISH = re.compile(
    r"(.*[^\Waeiou_\d]|\d+)'(?:l[ae]r)?(?:[iu]n?|[ae])|(.{2,}|\d+)'(?:l[ae]r)?(?:n[iu]n|[yn][aeiu]|[dt][ae](?:n|ki)?|y?l[ae]|"
    r"l[iu]k?|s[iu]z|c[ae]|[dt][iu]r)"
)
_ELIDED = {"l", "d", "j", "m", "t", "s", "n", "c", "qu", "un", "all", "dell", "nell", "sull", "dall"}


def _tidy(token: str) -> str:
    """A token of more than letters and digits, as it is written in the index."""
    if token[0] in "#@$" and len(token) > 1:
        return token
    if "'" in token:
        article, _, rest = token.partition("'")
        if article in _ELIDED and len(rest) > 1:
            return _tidy(rest)
        if turkish := _TURKISH.fullmatch(token):
            return turkish[1] or turkish[2]
        return token.removesuffix("'s").replace("'", "")
    if token[0].isdigit():
        if grouped := _THOUSANDS.fullmatch(token):
            whole, part = grouped[1] or grouped[3], grouped[2] or grouped[4] or ""
            return whole.replace(",", "").replace(".", "") + part.replace(",", ".")
        return token.replace(",", ".")
    return token.replace(".", "") if "." in token else token


def tokens(text: str) -> list[str]:
    """Folded tokens of `text` in reading order, each of 1 to `MAX_TOKEN` characters.

    Words, `#tag`, `@user`, `$CASH` (with the sign), numbers (`1,021` is `1021`, `3,5` is `3.5`), single
    characters of Chinese, Japanese, Korean, Thai and Lao, and emoji (a joined sequence is one token; skin
    tones are folded). Links are dropped; `don't` is `dont`, `people's` is `people`, `l'eau` is `eau`,
    `İstanbul'da` is `istanbul`, `U.S.` is `us`; hyphens split (`F-16` is `f`, `16`).
    """
    return " ".join(map(_tokens.__getitem__, text.split())).split()


def _split(text: str) -> list[str]:
    """What `tokens` says, in one go."""
    folded = fold(text)
    found: list[str] = (_ASCII if folded.isascii() else _ANY).findall(folded)
    return [(token if token.isalnum() else _tidy(token))[:MAX_TOKEN] for token in found if token]


_EDGES = ".,!?:;\"'()[]*/<>“”‘’…–—"
"""Signs that belong to no token where they stand before or behind a word."""


def _plain_word(chunk: str) -> str:
    """The token of a chunk that is one ASCII word between signs, as most are; "" for any other chunk."""
    word = chunk.strip(_EDGES)
    is_word = word.isalnum() and word.isascii() and (chunk.isascii() or "://" not in chunk)
    if is_word and (token := word.lower()[:MAX_TOKEN]) != "www":
        return token
    return ""  # "www." and "://" are of links


class _Remembered(dict[str, str]):
    """A chunk of text without white space -> what `read` makes of it, words with a space between each two; no token
    reaches over white space.

    Most chunks of a stream were seen before. What a lookup costs is memory that is in no cache of the processor: hence
    one string for all words, the chunk itself where they are the same. When full, what was not used since it was last
    full is forgotten: a stream's words never end.
    """

    ROOM = 75_000
    LONGEST = 24

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._older: dict[str, str] = {}

    def __missing__(self, chunk: str) -> str:
        found = self._older.get(chunk)
        if found is None:
            if chunk.startswith(("https://", "http://")) and _LINK(chunk):
                return ""
            found = self._read(chunk)
            if found == chunk:
                found = chunk
        if len(chunk) <= self.LONGEST:
            if len(self) >= self.ROOM:
                self._older = dict(self)
                self.clear()
            self[chunk] = found
        return found


_tokens = _Remembered(lambda chunk: " ".join(_split(chunk)))


# --- terms -------------------------------------------------------------------------------------------------


class _Stems(dict[str, str]):
    """Word -> stem in one language, remembered; emptied when full, since a stream's words never end."""

    ROOM = 200_000

    def __init__(self, language: str) -> None:
        self.of_letters = Stemmer.Stemmer(language, 0).stemWord

    def __missing__(self, word: str) -> str:
        if len(self) >= self.ROOM:
            self.clear()
        stemmed = self[word] = self.compute(word)
        return stemmed

    def compute(self, word: str) -> str:
        """The stem, not remembered."""
        # Numbers, signed tokens and the like have no stem; a vowel sign (Hindi) is no letter to `isalpha`.
        plain = word.isalpha() or (word[0].isalpha() and not word.isascii())
        return (self.of_letters(word) or word) if plain else word


@lru_cache(maxsize=len(STEMMED))
def _stems(lang: str) -> _Stems:
    return _Stems(STEMMED[lang])


def stem(word: str, lang: str) -> str:
    """The form under which a folded `word` is indexed in a document of language `lang`."""
    return _stems(lang)[word] if lang in STEMMED else word


_TAGS = re.compile(rf"[#＃]({_IN_TAG}+)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z0-9])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])|_")
_PLAIN_TAG = re.compile(
    rf"[{re.escape(_EDGES)}]*(?:#((?!http)(?=[0-9]*[a-z])[a-z0-9]{{1,{MAX_TOKEN - 1}}})|\$([a-z]{{1,6}}))[{re.escape(_EDGES)}]*",
    re.ASCII | re.IGNORECASE,
)
"""A tag or ticker of ASCII letters and digits between signs, as most are."""


def _words(text: str, split: Callable[[str], list[str]] = tokens) -> tuple[list[str], list[str]]:
    """Tokens with tags and cashtags as plain words in their place, and those tags with their sign.

    `split` cuts into tokens: `_split` where the caller remembers the result itself."""
    if plain_tag := _PLAIN_TAG.fullmatch(text):
        tag, ticker = plain_tag.groups()
        parts_of_tag = _HUMP.sub(" ", tag).lower().split() if tag else [ticker.lower()]
        return parts_of_tag, [f"#{tag}".lower() if tag else f"${ticker}".lower()]
    words = split(text)
    signed = [token for token in words if token[0] in "#$" and len(token) > 1]
    if not signed:
        return words, signed
    parts = {"#" + fold(tag): tokens(_HUMP.sub(" ", tag)) for tag in _TAGS.findall(text)}
    plain: list[str] = []
    for token in words:
        if token[0] == "#" and token in parts:
            plain += parts[token]
        elif token[0] in "#$" and len(token) > 1:
            plain += tokens(token[1:])
        else:
            plain.append(token)
    return plain, signed


def terms(text: str, lang: str) -> list[str]:
    """What a post is indexed under: stemmed tokens in order, then its `#tags` and `$CASH` with their sign.

    In the running text a tag becomes its words (`#BostonMarathon` as `boston marathon`), so that words and
    phrases find it whether or not it was marked.
    """
    return joined_terms(text, lang).split()


def joined_terms(text: str, lang: str) -> str:
    """`terms` with a space between each two, as the text index takes them."""
    if _native:
        with suppress(UnicodeEncodeError):  # half of a surrogate pair is no UTF-8
            joined: str = _native.terms(text, lang)
            return joined
    return python_terms(text, lang)


def python_terms(text: str, lang: str) -> str:
    """`joined_terms` without the native part: its definition, and what runs where that is not installed."""
    chunks = text.split()
    found = " ".join(filter(None, map(_plain(lang if lang in STEMMED else "").__getitem__, chunks)))
    if "#" in text or "$" in text or "＃" in text:
        signed = map(_signed.__getitem__, [one for one in chunks if not one.isalnum()])
        found = " ".join(filter(None, [found, *signed]))
    return found


@lru_cache(maxsize=len(STEMMED) + 1)
def _plain(lang: str) -> _Remembered:
    """Chunk -> its terms in a language that is stemmed, tags as words; `""`: not stemmed."""
    stems = _stems(lang) if lang else None

    def read(chunk: str) -> str:
        if word := _plain_word(chunk):
            return word if stems is None else stems[word]
        words = _words(chunk, _split)[0]
        return " ".join(words if stems is None else map(stems.__getitem__, words))

    return _Remembered(read)


_signed = _Remembered(lambda chunk: "" if _plain_word(chunk) else " ".join(_words(chunk, _split)[1]))


def read_chunk(chunk: str, lang: str) -> tuple[str, str]:
    """The terms of one chunk without white space, and its signed terms; `lang` is stemmed, or "". Not remembered."""
    word = _plain_word(chunk)
    words, signed = ([word], []) if word else _words(chunk, _split)
    return " ".join(map(_stems(lang).compute, words) if lang else words), " ".join(signed)


def stemmers() -> dict[str, Callable[[str], str]]:
    """Language -> function from a folded word of ASCII letters to its stem ("": the word itself), not remembered."""
    return {lang: _stems(lang).of_letters for lang in STEMMED}


try:
    from trinch_native import Terms
except ImportError:  # it is optional: see docs/native.md
    _native = None
else:
    _native = Terms(stemmers(), read_chunk)


def _languages(word: str) -> Sequence[str]:
    """The stemmed languages a word may belong to, by its letters."""
    if word.isascii():
        return _LATIN
    others = [lang for first, last, lang in _OTHERS if any(first <= letter <= last for letter in word)]
    return [*_LATIN, *others] if min(word) < "\u0250" else others


@lru_cache(maxsize=10_000)
def query_terms(word: str) -> tuple[str, ...]:
    """Every form under which one token of a query (see `tokens`) may have been indexed, likeliest first."""
    return tuple(dict.fromkeys([*(stem(word, lang) for lang in _languages(word)), word]))


def phrase_terms(text: str) -> tuple[tuple[str, ...], ...]:
    """The sequences of terms a quoted phrase may have been indexed as: the distinct ones of all languages.

    A tag within the phrase becomes its words, as it does in `terms`.
    """
    words, _ = _words(text)
    if not words:
        return ()
    langs = dict.fromkeys(lang for word in words for lang in _languages(word))
    stemmed = [tuple(stem(word, lang) for word in words) for lang in langs]
    return tuple(dict.fromkeys([*stemmed, tuple(words)]))
