"""Copies of a post: word for word, which always pass, and near copies, in which what differs is the point."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from trinch.answers import lexicon
from trinch.answers.spans import spans
from trinch.answers.verify.alignment import SYNONYM, Alignment, is_content
from trinch.answers.verify.reading import CitedText, Text, Word, without_links
from trinch.answers.verify.rewording import AFTER_ARTICLE, faithful
from trinch.posts.text import fold

COPIED, SHARED_WHOLE = 0.6, 0.85
"""Share of a sentence's words that a post has in the same order, from which on it is read as a copy with changes;
and share that a post has in any order, from which on it is nothing but one."""


def changed_copy(aligned: Alignment, sentence: str, cited: Sequence[CitedText]) -> str:
    """A near copy of a post with words exchanged, added or left out, other than those that keep its meaning.

    Where most words of a sentence are those of a post, what differs is the point. The more it copies, the less may differ.
    """
    mine = [word.folded for word in aligned.said.words]
    for p, (post, original) in enumerate(zip(aligned.posts, cited, strict=True)):
        given = [word.folded for word in post.words]
        if post.lang != aligned.said.lang or repeats(sentence, original.text, post.lang):
            continue
        blocks = SequenceMatcher(None, given, mine, autojunk=False).get_matching_blocks()
        copied = sum(block.size for block in blocks) / len(mine)
        whole = (Counter(given) & Counter(mine)).total() >= SHARED_WHOLE * len(mine)
        same = keeps_meaning if whole else keeps_order
        if (whole or copied >= COPIED) and not same(_in_words_of(aligned, p), post):
            return "this repeats a post with changes that may alter its meaning"
    return ""


def _in_words_of(aligned: Alignment, post: int) -> Text:
    """The sentence with each word that a post says otherwise replaced by the post's."""
    said = aligned.said
    words = list(said.words)
    for n in aligned.content:
        found = [(got, -at) for at, got in aligned.matches(n, post) if at >= 0 and got >= SYNONYM]
        if found:
            words[n] = words[n]._replace(folded=aligned.posts[post].words[-max(found)[1]].folded)
    return said._replace(words=tuple(words))


_WORD = re.compile(r"\w+")
_BREAK = re.compile(r"(?<=[.!?…])\s+|\n+|(?<=[.!?…]['\"”’])\s+")
_LEAD = re.compile(r"^\W*(?:(?:RT|MT)\W+@\w+:?|@\w+:)\s*", re.IGNORECASE)


def verbatim(sentence: str, text: str) -> bool:
    """Whether a sentence is one or more whole sentences of a post, but for case, accents, punctuation, # and @.

    A question stays one. Links, the names in front of a repost, and hashtags at the end may be left out.
    """
    mine = _WORD.findall(fold(without_links(sentence)))
    plain = without_links(text)
    for whole in (plain, _LEAD.sub("", plain)):
        pieces = [piece for piece in _BREAK.split(whole) if _WORD.search(piece)]
        parts = [_WORD.findall(fold(piece)) for piece in pieces]
        for first in range(len(parts)):
            held: list[str] = []
            for last in range(first, len(parts)):
                asks = "?" in pieces[last]
                bare = _WORD.findall(fold(re.sub(r"(?:\s+[#@]\w+)+\W*$", "", pieces[last])))
                if mine and mine in (held + parts[last], held + bare) and ("?" in sentence) == asks:
                    return True
                held += parts[last]
                if len(held) >= len(mine):
                    break
    return False


_FREE = lexicon.words(
    "a an the is are was were be been has have had of in at on near that it there "
    "le la les un une des de du en el los las una il lo i gli di der die das ein eine o os as um uma no na do da"
)
"""Small words that a copy may add."""
_GUARDED = (
    (
        lexicon.GUARDED
        | lexicon.SCOPING
        | lexicon.AT_LEAST
        | lexicon.NEARLY
        | lexicon.FEARED
        | lexicon.NEGATIONS
    )
    - lexicon.SAYING
    - {"as", "near", "all", "up", "on", "to", "last", "a", "in"}
)
"""Words that a copy may not leave out."""


def keeps_meaning(said: Text, post: Text) -> bool:
    """Whether a near copy differs from its post only in small words added, in words left out that do not limit the rest,
    and in at most one part moved: a place."""
    mine = [word.folded for word in said.words]
    used = {word.sentence for word in post.words if word.folded in mine and word.folded not in _FREE}
    words = [word for word in post.words if word.sentence in used]
    given = [word.folded for word in words]
    few = any(a in ("a", "an") and a not in given and b in AFTER_ARTICLE for a, b in pairwise(mine))
    changed = (
        few
        or any("?" in post.sentences[n] for n in used)
        or any("?" in sentence for sentence in said.sentences)
    )
    changed = changed or any(word.name and word.folded not in given for word in said.words)
    if changed or any(word not in given and word not in _FREE for word in mine):
        return False
    if not _omits_only_free(words, set(mine), post) or _joins_clauses(said, words):
        return False
    if any(count > given.count(word) for word, count in Counter(mine).items() if word not in _FREE):
        return False
    return _in_order(said, mine, given, False)


def keeps_order(said: Text, post: Text) -> bool:
    """Whether a sentence that shares many words with a post has no word of its own that needs support, none more often
    than the post, and all in the post's order, but for one part moved."""
    small = {word.folded for word in said.words if not word.name and not is_content(word, said.lang)}
    needed = [word.folded for word in said.words if word.folded not in small]
    given = [word.folded for word in post.words]
    asks = any("?" in sentence for sentence in said.sentences)
    denies = {word.folded for word in said.words} & (lexicon.NEGATIONS | _TURNING) - set(given)
    if asks or denies or any(count > given.count(word) for word, count in Counter(needed).items()):
        return False
    return _in_order(said, needed, given, True)


_TURNING = lexicon.words("he she him his her from against without el ella il elle lui lei er sie")
"""Small words that make another thing of the rest."""


def _in_order(said: Text, mine: Sequence[str], given: Sequence[str], parts: bool) -> bool:
    """Whether words are in the order of the post's, but for one part moved: a place, or with `parts` several words."""
    shared = [word for word in mine if word in given]
    blocks = SequenceMatcher(None, given, shared, autojunk=False).get_matching_blocks()
    if sum(block.size for block in blocks) == len(shared):
        return True
    places = [given.index(word) for word in shared if given.count(word) == 1]
    moved = _moved(places)
    if not moved or moved[-1] - moved[0] != len(moved) - 1:
        return False
    front = places[moved[0]]
    return front > 0 and ((parts and len(moved) > 1) or _is_place(said, given[front]))


def _moved(places: Sequence[int]) -> list[int]:
    """The fewest places of a row that must be taken out for the rest to rise."""
    best: list[list[int]] = [[]]
    for n, place in enumerate(places):
        before = [row for row in best if not row or places[row[-1]] < place]
        longest: list[int] = max(before, key=len)
        best.append([*longest, n])
    longest = max(best, key=len)
    kept = set(longest)
    return [n for n in range(len(places)) if n not in kept]


def _omits_only_free(words: Sequence[Word], mine: set[str], post: Text) -> bool:
    """Whether no word is left out that limits the rest, or is in front of a colon."""
    omitted = [word for word in words if word.folded not in mine and word.folded not in _FREE]
    if not omitted:
        return True
    limits = mine & lexicon.SCOPING or {word.folded for word in omitted} & _GUARDED or _limits(words, mine)
    return not limits and not any(post.clauses[word.clause].endswith(":") for word in omitted)


def _joins_clauses(said: Text, words: Sequence[Word]) -> bool:
    """Whether neighbours within one clause of a sentence come from two clauses of the post."""
    clause = {word.folded: word.clause for word in words}
    pairs = pairwise(word for word in said.words if word.folded in clause and word.folded not in _FREE)
    return any(a.clause == b.clause and clause[a.folded] != clause[b.folded] for a, b in pairs)


def _limits(words: Sequence[Word], mine: set[str]) -> bool:
    """Whether a part of a post that is left out begins with a word that makes it a condition."""
    return any(word.folded in _CONDITIONS and word.folded not in mine for word in words)


_CONDITIONS = lexicon.words(
    "if unless until except before after while because when si sauf falls wenn se salvo"
)


def _is_place(said: Text, first: str) -> bool:
    """Whether a word of a sentence is behind a preposition of place, as a name."""
    return any(
        word.folded == first and word.name and before.folded in _PLACING
        for before, word in pairwise(said.words)
    )


_PLACING = lexicon.words("in at near from en em bei nel nella a au")


def repeats(sentence: str, text: str, lang: str) -> bool:
    """Whether a sentence repeats a post, or a part of it that can be quoted, word for word but for what says nothing."""
    plain = " ".join(text.split())
    quotes = [plain, *(plain[span.start : span.end] for span in spans(plain))]
    return any(faithful(sentence, quote, lang) for quote in quotes)
