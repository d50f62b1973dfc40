"""Order: what came first, which post is the newest, and what is a copy with changes."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from trinch.answers import lexicon
from trinch.answers.quantities import figures
from trinch.answers.spans import spans
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.amounts import numbers
from trinch.answers.verify.meanings import marks
from trinch.answers.verify.reading import CitedText, Text, Word
from trinch.answers.verify.rewording import AFTER_ARTICLE, faithful

COPIED = 0.6
"""Share of a sentence's words that a post has in the same order, from which on it is read as a copy with changes."""


def changed_copy(aligned: Alignment, sentence: str, cited: Sequence[CitedText]) -> str:
    """A near copy of a post with words exchanged, added or left out, other than those that keep its meaning.

    Where most words of a post are repeated in its order, what differs is the point: there `rewording.faithful` decides.
    """
    mine = [word.folded for word in aligned.said.words]
    for post, original in zip(aligned.posts, cited, strict=True):
        given = [word.folded for word in post.words]
        blocks = SequenceMatcher(None, given, mine, autojunk=False).get_matching_blocks()
        if post.lang != aligned.said.lang or sum(block.size for block in blocks) < COPIED * len(mine):
            continue
        if not (repeats(sentence, original.text, post.lang) or keeps_meaning(aligned.said, post)):
            return "this repeats a post with changes that may alter its meaning"
    return ""


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
    """Whether a near copy differs from its post only in small words added, in whole clauses left out that do not limit
    the rest, and in at most one part moved: a place."""
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
    if changed or any(word not in given and word not in _FREE for word in mine):
        return False
    if not _omits_whole_clauses(words, set(mine), post) or _joins_clauses(said, words):
        return False
    if any(count > given.count(word) for word, count in Counter(mine).items() if word not in _FREE):
        return False
    shared = [word for word in mine if word in given]
    blocks = SequenceMatcher(None, given, shared, autojunk=False).get_matching_blocks()
    if sum(block.size for block in blocks) == len(shared):
        return True
    places = [given.index(word) for word in mine if given.count(word) == 1]
    breaks = [n for n in range(1, len(places)) if places[n] < places[n - 1]]
    moved = [given[places[n]] for n in breaks]
    return len(moved) == 1 and given.index(moved[0]) > 0 and _is_place(said, moved[0])


def _omits_whole_clauses(words: Sequence[Word], mine: set[str], post: Text) -> bool:
    """Whether what is left out of a post's words are whole clauses without a word that limits the rest."""
    omitted = [word for word in words if word.folded not in mine and word.folded not in _FREE]
    if not omitted:
        return True
    if mine & lexicon.SCOPING or {word.folded for word in omitted} & _GUARDED or _limits(words, mine):
        return False
    kept = {word.clause for word in words if word.folded in mine and word.folded not in _FREE}
    return all(word.clause not in kept and not post.clauses[word.clause].endswith(":") for word in omitted)


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


def stale(aligned: Alignment, cited: Sequence[CitedText]) -> str:
    """An older number, or an older state, given as the present one."""
    said, posts = aligned.said, aligned.posts
    if len(posts) == 1 and marks("now", " ".join(said.sentences), said.lang):
        text = " ".join(posts[0].sentences)
        past = marks("past", text, posts[0].lang) and not marks("now", text, posts[0].lang)
        return "the post speaks of a state that is over" if past else ""
    dated = [(post.at, p) for p, post in enumerate(posts) if post.at]
    if len(dated) < 2 or len(dated) < len(posts):
        return ""
    whole = " ".join(said.sentences)
    now, then = marks("now", whole, said.lang), marks("then", whole, said.lang)
    newest = max(dated)[1]
    mine = {number.value for number in numbers(said)}
    moving = _moving(cited)
    for values in moving.values():
        latest = values.get(newest)
        given = mine & {value for each in values.values() for value in each}
        if latest and given and not given & latest and (now or not then):
            return "a later cited post gives a newer number"
    if now and not then and not moving:
        newest_text = " ".join(posts[newest].sentences)
        for clause in range(len(said.clauses)):
            among = aligned.clause_words(clause)
            if not among or not marks("now", said.clauses[clause], said.lang):
                continue
            others = [p for p in range(len(posts)) if p != newest and aligned.share(among, [p]) >= ALIKE]
            if others and not marks("now", newest_text, posts[newest].lang):
                return "the present state is that of a later cited post"
    return ""


ALIKE = 0.5
"""Share of a clause's words from which on a post speaks of the same thing."""


def _moving(cited: Sequence[CitedText]) -> dict[str, dict[int, set[float]]]:
    """The counts of people that several posts give, with each post's values."""
    found: dict[str, dict[int, set[float]]] = {}
    for p, post in enumerate(cited):
        for figure in figures(post.text):
            found.setdefault(figure.quantity, {}).setdefault(p, set()).add(figure.value)
    return {quantity: values for quantity, values in found.items() if len(values) > 1}


_FROM_TO = re.compile(r"\b(?:from|de|von|da|di)\b\D{0,40}?$")


def wrong_order(aligned: Alignment) -> str:
    """Two numbers, or two events, in another order than that of their posts."""
    said, posts = aligned.said, aligned.posts
    mine = numbers(said)
    places = {
        number.at: [p for p, post in enumerate(posts) if number.value in {n.value for n in numbers(post)}]
        for number in mine
    }
    whole = " ".join(said.sentences)
    if not marks("then", whole, said.lang):
        return ""
    for first, second in pairwise(mine):
        a, b = places[first.at], places[second.at]
        if len(a) != 1 or len(b) != 1 or a == b:
            continue
        between = " ".join(word.folded for word in said.words[first.at : second.at])
        early, late = posts[a[0]].at, posts[b[0]].at
        if early is None or late is None or early == late:
            continue
        backwards = bool(re.search(r"\b(?:up from|down from|before that|earlier|previously)\b", between))
        forwards = not backwards and _in_order(said, first.at)
        if (forwards and early > late) or (backwards and early < late):
            return "the posts came in the other order"
    return _events_order(aligned)


def _in_order(said: Text, at: int) -> bool:
    """Whether a number begins an order: after "from", "first", "at first"."""
    before = {word.folded for word in said.words[max(0, at - 6) : at]}
    behind = {word.folded for word in said.words[at : at + 12]}
    return not before.isdisjoint(
        ("from", "de", "von", "da", "first", "initially", "primero", "zuerst", "prima")
    ) or not behind.isdisjoint(
        ("then", "later", "to", "luego", "puis", "dann", "poi", "depois", "despues", "plus", "spater")
    )


_BEFORE = re.compile(r"\b(?:before|then|later|afterwards|antes de que|luego|puis|dann|poi|depois|despues)\b")
_AFTER = re.compile(r"\b(?:after|following|tras|apres|dopo|nach|apos)\b")


def _events_order(aligned: Alignment) -> str:
    """ "A before B", "A, then B" with B's post older; "A after B" with A's post older; or one post has it the other way."""
    said = aligned.said
    whole = " ".join(said.sentences)
    for pattern, forward in ((_BEFORE, True), (_AFTER, False)):
        match = pattern.search(whole)
        if not match or match.start() == 0:
            continue
        cut = len(whole[: match.start()].split())
        left = [n for n in aligned.content if n < cut]
        right = [n for n in aligned.content if n >= cut]
        a, b = aligned.evidence(left), aligned.evidence(right)
        if not a or not b:
            continue
        early, late = aligned.posts[a.post].at, aligned.posts[b.post].at
        apart = a.post != b.post and early and late and early != late
        if apart and (early > late) == forward:
            return "the posts came in the other order"
        if a.post == b.post and _turned_round(aligned, a.post, left, right, forward):
            return "the post has these two in the other order"
    return ""


def _turned_round(
    aligned: Alignment, post: int, left: Sequence[int], right: Sequence[int], forward: bool
) -> bool:
    """Whether a post that says what came before what says it the other way round."""
    text = aligned.posts[post]
    folded = [word.folded for word in text.words]
    for cut, word in enumerate(folded):
        before, after = bool(_BEFORE.fullmatch(word)), bool(_AFTER.fullmatch(word))
        if not before and not after:
            continue

        def share(among: Sequence[int], cut: int = cut) -> float:
            """How many of the words are in front of the mark, less those behind it."""
            places = [at for n in among for at, _ in aligned.matches(n, post)[:1] if at >= 0]
            return sum(1 if at < cut else -1 for at in places)

        straight = share(left) - share(right)
        if abs(straight) >= 2 and (straight > 0) != (before == forward):
            return True
    return False
