"""Order: what came first, and which post is the newest."""

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

from trinch.answers.quantities import figures
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.amounts import numbers, quantity
from trinch.answers.verify.meanings import ENDED, marks
from trinch.answers.verify.reading import CitedText, Text, Word


def stale(aligned: Alignment, cited: Sequence[CitedText]) -> str:
    """An older number, or an older state, given as the present one."""
    said, posts = aligned.said, aligned.posts
    whole = " ".join(said.sentences)
    now = bool(marks("now", whole, said.lang))
    if len(posts) == 1 and now:
        text = " ".join(posts[0].sentences)
        past = marks("past", text, posts[0].lang) and not marks("now", text, posts[0].lang)
        return "the post speaks of a state that is over" if past else ""
    dated = [(post.at, p) for p, post in enumerate(posts) if post.at]
    if len(dated) < 2 or len(dated) < len(posts):
        return ""
    newest = max(dated)[1]
    moving = {**_counts(posts), **_moving(cited)}
    if reason := _older_number(said, moving, newest, now):
        return reason
    if now and not marks("then", whole, said.lang) and not moving:
        return _older_state(aligned, newest)
    return ""


def _older_number(said: Text, moving: dict[str, dict[int, set[float]]], newest: int, now: bool) -> str:
    """A number of which a later post gives a newer one, or of the dead a lower one than another post."""
    whole = " ".join(said.sentences)
    mine = {number.value for number in numbers(said)}
    early = bool(marks("early", whole, said.lang))
    for counted, values in moving.items():
        latest = values.get(newest)
        given = mine & {value for each in values.values() for value in each}
        if latest and given and not given & latest and (now or not early):
            return "a later cited post gives a newer number"
        if counted in ("die", "dead") and given and max(given) < max(map(max, values.values())) and not early:
            return "a cited post gives a higher number"
    return ""


def _older_state(aligned: Alignment, newest: int) -> str:
    """A clause about the present that older posts carry, where the newest does not speak of the present."""
    said, posts = aligned.said, aligned.posts
    newest_text = " ".join(posts[newest].sentences)
    for clause in range(len(said.clauses)):
        among = aligned.clause_words(clause)
        if not among or not marks("now", said.clauses[clause], said.lang):
            continue
        others = [p for p in range(len(posts)) if p != newest and aligned.share(among, [p]) >= ALIKE]
        if others and not marks("now", newest_text, posts[newest].lang):
            return "the present state is that of a later cited post"
    return ""


def _counts(posts: Sequence[Text]) -> dict[str, dict[int, set[float]]]:
    """The counts of people of several posts that name one event or place, with each post's values."""
    found: dict[str, dict[int, set[float]]] = {}
    names = [{word.folded for word in post.words if word.name} for post in posts]
    if not all(a & b for a, b in combinations(names, 2)):
        return {}
    for p, post in enumerate(posts):
        for number in numbers(post):
            for each in quantity(post, number):
                found.setdefault(each, {}).setdefault(p, set()).add(number.value)
    return {name: values for name, values in found.items() if len(values) > 1}


def outlived(aligned: Alignment) -> str:
    """A state that a later cited post says has ended."""
    said, posts = aligned.said, aligned.posts
    whole = " ".join(said.sentences)
    if len(posts) < 2 or marks("then", whole, said.lang) or marks("past", whole, said.lang):
        return ""
    mine = {concept for word in said.words for concept in word.concepts}
    have = [{concept for word in post.words for concept in word.concepts} for post in posts]
    for state, end in ENDED:
        if state not in mine or end in mine:
            continue
        begun = [
            post.at
            for post, held in zip(posts, have, strict=True)
            if post.at and state in held and end not in held
        ]
        over = [post.at for post, held in zip(posts, have, strict=True) if post.at and end in held]
        known = any(state in held for held in have)
        if known and over and (not begun or max(over) > max(begun)):
            return "a later cited post says that this has ended"
    return ""


ALIKE = 0.5
"""Share of a clause's words from which on a post speaks of the same thing."""


def _moving(cited: Sequence[CitedText]) -> dict[str, dict[int, set[float]]]:
    """The counts of people that several posts give, with each post's values."""
    found: dict[str, dict[int, set[float]]] = {}
    for p, post in enumerate(cited):
        for figure in figures(post.text):
            found.setdefault(figure.quantity, {}).setdefault(p, set()).add(figure.value)
    return {name: values for name, values in found.items() if len(values) > 1}


TREND = frozenset({"rise", "fall", "more", "less"})


def shows_trend(aligned: Alignment, cited: Sequence[CitedText], word: Word) -> bool:
    """Whether the posts' counts of one quantity move as a word of the sentence says they do."""
    up = bool(word.concepts & {"rise", "more"})
    mine = {number.value for number in numbers(aligned.said)}
    for values in _moving(cited).values():
        dated = sorted((at, max(found)) for p, found in values.items() if (at := cited[p].at))
        if len(dated) > 1 and dated[-1][1] in mine:
            return (dated[-1][1] > dated[0][1]) == up and dated[-1][1] != dated[0][1]
    return False


_SAME_DAY = re.compile(
    r"\b(?:same day|same time|simultaneously|mismo dia|meme jour|selben tag|gleichen tag|stesso giorno|mesmo dia)\b"
)
_NEXT_DAY = re.compile(
    r"\b(?:next day|(?:a|one) day (?:later|after|before)|dia siguiente|lendemain|tag darauf|nachsten tag|giorno dopo|dia seguinte)\b"
)
LONGEST_SAME_DAY, LEAST_NEXT_DAY, LONGEST_NEXT_DAY = 26, 6, 48
"""Hours between two posts on one day, and on two days running, with an allowance for time zones."""


def wrong_gap(aligned: Alignment) -> str:
    """Two things on the same day, or the day after, whose posts are otherwise apart and do not say so."""
    said, posts = aligned.said, aligned.posts
    whole = " ".join(said.sentences)
    times = [post.at for post in posts if post.at]
    if len(times) < 2 or len(times) < len(posts):
        return ""
    apart = [abs(a - b).total_seconds() / 3600 for a, b in combinations(times, 2)]
    for pattern, least, most in (
        (_SAME_DAY, 0, LONGEST_SAME_DAY),
        (_NEXT_DAY, LEAST_NEXT_DAY, LONGEST_NEXT_DAY),
    ):
        stated = any(pattern.search(" ".join(post.sentences)) for post in posts)
        if pattern.search(whole) and not stated and not any(least <= hours <= most for hours in apart):
            return "the posts are not that far apart"
    return ""


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
    if _first_is_later(aligned):
        return "the posts came in the other order"
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


_FIRST = re.compile(
    r"\b(?:first|at first|initially|primero|zuerst|zunachst|d'abord|prima|inizialmente|primeiro)\b"
)
_LATER = re.compile(r"\b(?:later|then|afterwards|luego|despues|spater|dann|puis|ensuite|poi|dopo|depois)\b")


def _first_is_later(aligned: Alignment) -> bool:
    """Whether the clause with "first" has numbers or quantifiers of a later post only, and that with "later" of an
    earlier one."""
    said = aligned.said
    first = [_only_in(aligned, n) for n, text in enumerate(said.clauses) if _FIRST.search(text)]
    later = [_only_in(aligned, n) for n, text in enumerate(said.clauses) if _LATER.search(text)]
    if len(first) != 1 or len(later) != 1 or None in (first[0], later[0]):
        return False
    early, late = aligned.posts[first[0] or 0].at, aligned.posts[later[0] or 0].at
    return early is not None and late is not None and early > late


def _only_in(aligned: Alignment, clause: int) -> int | None:
    """The one post that holds the numbers and quantifiers of a clause; None where that is none or several."""
    said = aligned.said
    mine = {number.value for number in numbers(said) if said.words[number.at].clause == clause}
    vague = {word.folded for word in said.words if word.clause == clause and word.folded in _VAGUE}
    if not mine and not vague:
        return None
    found = [
        p
        for p, post in enumerate(aligned.posts)
        if mine <= {n.value for n in numbers(post)} and vague <= {word.folded for word in post.words}
    ]
    return found[0] if len(found) == 1 else None


_VAGUE = frozenset(("several", "many", "numerous", "dozens", "hundreds", "thousands"))


def _in_order(said: Text, at: int) -> bool:
    """Whether a number begins an order: after "from", "first", "at first"."""
    before = {word.folded for word in said.words[max(0, at - 6) : at]}
    behind = {word.folded for word in said.words[at : at + 12]}
    return not before.isdisjoint(
        ("from", "de", "von", "da", "first", "initially", "primero", "zuerst", "prima")
    ) or not behind.isdisjoint(
        ("then", "later", "to", "luego", "puis", "dann", "poi", "depois", "despues", "plus", "spater")
    )


_BEFORE = re.compile(
    r"\b(?:before|then|later|afterwards|antes de que|luego|puis|dann|poi|depois(?! d[eoa]s?\b)|despues(?! del?\b))\b"
)
_AFTER = re.compile(r"\b(?:after|following|tras|apres|dopo|nach|apos|depois d[eoa]s?|despues del?)\b")


def _events_order(aligned: Alignment) -> str:
    """ "A before B", "A, then B" with B's post older; "A after B" with A's post older; or one post has it the other way."""
    said = aligned.said
    whole = " ".join(said.sentences)
    for pattern, forward in ((_BEFORE, True), (_AFTER, False)):
        match = pattern.search(whole)
        if not match:
            continue
        cut = len(whole[: match.start()].split())
        if match.start() == 0:  # "After A, B"
            cut = next((n for n, word in enumerate(said.words) if word.clause > 0), 0)
            forward = not forward
        left = [n for n in aligned.content if n < cut]
        right = [n for n in aligned.content if n >= cut]
        a, b = aligned.evidence(left), aligned.evidence(right)
        if not a or not b:
            continue
        if a.post != b.post and _held_whole(aligned, left, b.post, right, a.post):
            continue
        early, late = aligned.posts[a.post].at, aligned.posts[b.post].at
        apart = a.post != b.post and early != late
        if apart and early and late and (early > late) == forward:
            return "the posts came in the other order"
        if a.post == b.post and _turned_round(aligned, a.post, left, right, forward):
            return "the post has these two in the other order"
    return ""


def _held_whole(
    aligned: Alignment, left: Sequence[int], right_post: int, right: Sequence[int], left_post: int
) -> bool:
    """Whether one side of an order is also held whole by the post of the other: then it tells no order of posts."""
    return aligned.share(left, [right_post]) == 1.0 or aligned.share(right, [left_post]) == 1.0


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
