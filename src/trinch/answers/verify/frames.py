"""How a sentence puts what it says: how sure, who says so, denied, planned, caused, how much.

A sentence may be weaker than its posts and never stronger: what bears a mark in the post that carries a clause must
bear it in the sentence, and a mark of strength in the sentence must come from a post.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment, Evidence
from trinch.answers.verify.amounts import value_of
from trinch.answers.verify.meanings import EVENTS, OPERATORS, OPPOSITES, SPEAKERS, SPEECH, marks
from trinch.answers.verify.reading import Text

Check = Callable[[Alignment, int, Evidence], str]

QUOTED = 2
"""Words in quotation marks from which on a sentence repeats what somebody says."""
BEFORE, BEHIND = 4, 2
"""Words before and behind a negation, or a mark of the future, that it may govern."""

_QUIET = {
    "hedge": "the post only says that it may be so",
    "hearsay": "the post passes on what it has heard",
    "joke": "the post is a joke",
}


def _whole(text: Text) -> str:
    return " ".join(text.sentences)


def unsure(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A hedge, a rumour or a joke stated as a fact."""
    said, post = aligned.said, aligned.posts[found.post]
    sentence = post.sentences[found.sentence]
    mine = _whole(said)
    doubts = [*marks("hedge", mine, said.lang), *marks("hearsay", mine, said.lang)]
    if marks("hedge", sentence, post.lang) and not doubts and _reaches(aligned, "hedge", clause, found):
        return _QUIET["hedge"]
    if marks("hearsay", sentence, post.lang) and not (doubts or marks("speech", mine, said.lang)):
        return _QUIET["hearsay"]
    if marks("joke", _whole(post), post.lang) and not marks("joke", mine, said.lang):
        return _QUIET["joke"]
    if "?" in sentence and not doubts and "?" not in mine and not marks("speech", mine, said.lang):
        return "the post asks whether it is so"
    return ""


def attributed(aligned: Alignment, clause: int, found: Evidence) -> str:
    """What somebody says, or thinks, stated as a fact; or attributed to somebody else."""
    said, post = aligned.said, aligned.posts[found.post]
    sentence = post.sentences[found.sentence]
    if _attributes(said):
        return wrong_speaker(aligned) or _other_voice(aligned, clause, found)
    pairs = aligned.pairs(clause, found.post)
    quoted = {n for n, at in pairs if post.words[at].quoted}
    spoken = _speech(post, found.sentence, _placed(said)) and not _plain_account(post, found.sentence)
    if len(quoted) >= QUOTED or spoken or _judges(said, sentence, post):
        return "the post says so in somebody's words"
    return ""


def _plain_account(post: Text, sentence: int) -> bool:
    """Whether those who say so in a sentence of a post are bodies whose account of what happened may be repeated."""
    if marks("contested", post.sentences[sentence], post.lang):
        return False
    voices = {n for n in _voices(post) if post.words[n].sentence == sentence}
    spoken = [n for n in post.places("attribution") if post.words[n].sentence == sentence]
    if any(post.words[n - 1].folded in _ANYBODY for n in spoken if n):
        return False
    return any(
        post.words[n].concepts & meanings.AUTHORITATIVE
        or post.words[n].folded in meanings.AUTHORITATIVE_WORDS
        for n in voices
    )


_ANYBODY = lexicon.words("they he she it who i we you")


def accused(aligned: Alignment, clause: int, found: Evidence) -> str:
    """What a post says that somebody is accused of, stated as a fact."""
    said, post = aligned.said, aligned.posts[found.post]
    mine = {concept for word in said.words for concept in word.concepts}
    if post.lang != "en" or "charge" in mine or _attributes(said):
        return ""
    matched = {at for _, at in aligned.pairs(clause, found.post)}
    for at, word in enumerate(post.words):
        if word.folded in _ACCUSING and matched & set(range(at + 2, at + 2 + BEFORE_SPEECH)):
            of = [w.folded for w in post.words[at + 1 : at + 2 + BEFORE]]
            if "of" in of:
                return "the post only says that somebody is accused of it"
    return ""


_ACCUSING = lexicon.words("accuse accuses accused accusing suspected convicted acquitted cleared")


def _other_voice(aligned: Alignment, clause: int, found: Evidence) -> str:
    """What one speaker says in a clause without a speaker, where the sentence names only others for other clauses."""
    said, post = aligned.said, aligned.posts[found.post]
    if len(said.clauses) == 1 or not marks("attribution", post.sentences[found.sentence], post.lang):
        return ""
    if _plain_account(post, found.sentence) or marks("speech", said.clauses[clause], said.lang):
        return ""
    voices = {n for n in _voices(post) if post.words[n].sentence == found.sentence}
    heard = {at for n in aligned.content for at, _ in aligned.matches(n, found.post)}
    author = (
        -1 in heard
        or marks("speech", said.clauses[0], said.lang)
        or marks("speech", said.clauses[-1], said.lang)
    )
    if not voices or voices & heard or author:
        return ""
    return "the post says this part in somebody's words"


def _judges(said: Text, sentence: str, post: Text) -> bool:
    """Whether a sentence of a post is its writer's view, or the said one repeats its praise or blame."""
    judged = marks("judgement", sentence, post.lang) and marks("judgement", _whole(said), said.lang)
    return bool(marks("opinion", sentence, post.lang) or judged)


def _attributes(said: Text) -> bool:
    """Whether a sentence says who says so."""
    return bool(marks("speech", _whole(said), said.lang)) or any(
        word.concepts & SPEECH for word in said.words
    )


def _speech(post: Text, sentence: int, placed: frozenset[str]) -> bool:
    """Whether a sentence of a post says who says so: by a verb, by a speaker and a colon in front, or behind a colon or
    dash at the end ("…: officials")."""
    text = post.sentences[sentence]
    if marks("attribution", text, post.lang):
        return True
    words = [word for word in post.words if word.sentence == sentence]
    if not words:
        return False
    tail = [word for word in words if word.clause == words[-1].clause]
    if len(tail) <= LONGEST_LEAD and len(tail) < len(words) and any(w.concepts & SPEAKERS for w in tail):
        return True
    lead = [word for word in words if word.clause == words[0].clause]
    if sentence != words[0].sentence or len(lead) > LONGEST_LEAD or len(lead) == len(words):
        return False
    if not post.clauses[words[0].clause].endswith(":") or any(
        word.concepts & EVENTS or word.folded in _LEADS for word in lead
    ):
        return False
    if any(word.concepts & SPEAKERS for word in lead):
        return True
    if post.lang == "en" and meanings.is_common(lead[-1].folded, "en"):  # a topic: "Ebola epidemic:"
        return False
    return any(
        word.name and word.folded not in lexicon.PLACE_OF and word.folded not in placed for word in lead
    )


_LEADS = frozenset(word for lead in lexicon.LEADS for word in lead.split())
LONGEST_LEAD = 3
"""Words of the longest speaker in front of a colon, or behind one at the end."""


_PLACING = lexicon.words("in at near from of en em a de no na bei aus nel nella sa")


def _placed(said: Text) -> frozenset[str]:
    """The names that a sentence has for places: behind a preposition."""
    return frozenset(
        word.folded for before, word in pairwise(said.words) if word.name and before.folded in _PLACING
    )


def wrong_speaker(aligned: Alignment) -> str:
    """A speaker of the sentence whom no post has for one: not named there at all, or only spoken of."""
    said = aligned.said
    for speaker in _speakers(said):
        held = [
            (p, at)
            for n in speaker
            if n in aligned.content
            for p in range(len(aligned.posts))
            for at, _ in aligned.matches(n, p)
        ]
        named = [n for n in speaker if n in aligned.content]
        if not named:
            continue
        offices = [n for n in named if said.words[n].concepts & SPEAKERS]
        missing = [n for n in offices if not any(aligned.matches(n, p) for p in range(len(aligned.posts)))]
        if not held or missing:
            return f"no cited post has {said.words[(missing or named)[-1]].folded} say so"
        if not any(_speaks_in(aligned.posts[p], at) for p, at in held):
            return f"in the posts {said.words[named[-1]].folded} is not the one who says so"
        if _says_in_other_post(aligned, speaker):
            return f"the post of that part does not have {said.words[named[-1]].folded} say so"
    return ""


def _says_in_other_post(aligned: Alignment, speaker: Sequence[int]) -> bool:
    """Whether no post that holds most of what a speaker of the sentence says has that speaker."""
    said = aligned.said
    own = said.words[speaker[0]].clause
    rest = [n for n in aligned.clause_words(own) if n > max(speaker)]
    if len(rest) < 2:
        following = own + 1 if max(speaker) < min((*rest, len(said.words))) and speaker[0] == 0 else own - 1
        rest = [*rest, *aligned.clause_words(following)]
    rest = [n for n in rest if n not in speaker]
    if len(aligned.posts) < 2 or len(rest) < 2:
        return False
    shares = [aligned.share(rest, [p]) for p in range(len(aligned.posts))]
    best = [p for p, share in enumerate(shares) if share >= max(shares) - 0.01]
    return not any(aligned.matches(n, p) for n in speaker if n in aligned.content for p in best)


_ACCORDING = lexicon.words("acc per via according segun selon secondo segundo laut stando d'apres acordo")
_BETWEEN = lexicon.words("to the a an la el le les il lo der die das den o os as de di du des a")
LONGEST_SPEAKER = 6


def _speakers(text: Text) -> list[list[int]]:
    """The words that name each speaker of a sentence: in front of a verb of speech, within its clause, or behind
    "according to"."""
    found = []
    for at in text.places("attribution"):
        word = text.words[at]
        if word.folded in _ACCORDING:
            behind = range(at + 1, min(len(text.words), at + 1 + LONGEST_SPEAKER))
            found.append([n for n in behind if text.words[n].clause == word.clause])
            continue
        front = [n for n in range(max(0, at - LONGEST_SPEAKER), at) if text.words[n].clause == word.clause]
        if front and not set(front) & set(text.places("attribution")):
            found.append(front)
    return found


def _speaks_in(post: Text, at: int) -> bool:
    """Whether a post has a word of its own as a speaker, or says nothing of who says so. -1 is its author."""
    speakers = _voices(post)
    return at < 0 or not speakers or at in speakers


def _voices(post: Text) -> set[int]:
    """The words of a post that name who says so: in front of a verb of speech up to another verb, behind "according to",
    in front of a colon, or at the end behind a colon or dash."""
    found: set[int] = set()
    words = post.words
    for place in post.places("speech"):
        clause = words[place].clause
        if words[place].folded in _ACCORDING:
            found |= set(range(place + 1, min(len(words), place + 1 + BEFORE_SPEECH)))
            continue
        front = range(place - 1, max(-1, place - 1 - BEFORE_SPEECH), -1)
        for n in front:
            if clause - words[n].clause > 1 or words[n].folded in _THAT:
                break
            found.add(n)
        rest = [n for n in range(place + 1, len(words)) if words[n].clause == clause]
        if (
            place == 0 or words[place - 1].clause != clause or len(rest) <= LONGEST_LEAD
        ):  # "…, said the mayor"
            found |= set(rest[:4])
    ends = {word.clause: n for n, word in enumerate(words)}
    for clause, last in ends.items():
        lead = [n for n in range(max(0, last - BEFORE_SPEECH), last + 1) if words[n].clause == clause]
        if post.clauses[clause].endswith(":") and clause == words[0].clause and len(lead) <= BEFORE_SPEECH:
            found |= set(lead)
    tail = [n for n, word in enumerate(words) if word.clause == words[-1].clause]
    if found and len(tail) <= LONGEST_LEAD and any(words[n].concepts & SPEAKERS for n in tail):
        found |= set(tail)
    return found


_THAT = lexicon.words("that which when where que che dass")
BEFORE_SPEECH = 6
"""Words between a speaker and the verb of speech."""


def negated(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A negation that the post has not, or the other way round."""
    said, post = aligned.said, aligned.posts[found.post]
    sentences = {post.words[at].sentence for _, at in aligned.pairs(clause, found.post)} | {found.sentence}
    if marks("negation", said.clauses[clause], said.lang):
        over = {c for word in post.words if word.sentence in sentences for c in word.concepts} & _OVER
        denies = any(marks("negation", post.sentences[n], post.lang) for n in sentences) or (
            over and "no longer" in said.clauses[clause]
        )
        return "" if denies else "the sentence denies what the post says"
    if marks("negation", _whole(said), said.lang):
        return ""
    if marks("negation", post.clauses[found.clause], post.lang) and _reaches(
        aligned, "negation", clause, found
    ):
        return "the post denies it"
    pairs = [
        (n, at)
        for n, at in aligned.pairs(clause, found.post)
        if post.words[at].clause in aligned.carrying(found.post)
    ]
    return "the post denies it" if _governs(post, "negation", pairs) else ""


LONG = 16
"""Words of a part of a post from which on a mark in it does not reach everything in it."""
REACH = 7
"""Words on either side that a mark in a long part reaches."""


def _reaches(aligned: Alignment, kind: str, clause: int, found: Evidence) -> bool:
    """Whether a mark of a kind in the sentence of the evidence is so near to what the clause takes from it that it may
    bear on it. In a short part it always is."""
    post = aligned.posts[found.post]
    length = sum(word.sentence == found.sentence for word in post.words)
    if length < LONG:
        return True
    held = [at for n in aligned.clause_words(clause) for at, _ in aligned.matches(n, found.post) if at >= 0]
    places = [at for at in post.places(kind) if post.words[at].sentence == found.sentence]
    return any(abs(at - place) <= REACH for place in places for at in held)


_OVER = frozenset({"end", "cancel"})
"""Concepts of a state that is over, which "no longer" may stand for."""


def _governs(post: Text, kind: str, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether a mark of a kind is so near to a word of the pairs, in its clause, that it governs it."""
    return any(
        post.words[place].clause == post.words[at].clause and -BEHIND <= at - place <= BEFORE
        for place in post.places(kind)
        for _, at in pairs
    )


def governed(aligned: Alignment, clause: int, found: Evidence) -> str:
    """What the post says has ended, is denied, attempted, warned of or threatened, where the sentence has no such word."""
    post, said = aligned.posts[found.post], aligned.said
    mine = {concept for word in said.words for concept in word.concepts}
    if "no longer" in said.clauses[clause]:
        mine |= _OVER
    for _, at in aligned.pairs(clause, found.post):
        if post.lang == "en" and not (post.words[at].concepts or meanings.is_verb(post.words[at].folded)):
            continue
        behind = post.words[at + 1 : at + 2] if post.lang == "en" else ()
        for near in (*post.words[max(0, at - 2) : at], *behind):
            turns = near.concepts & OPERATORS
            if near in behind:
                turns &= _COMPOUND
            elif post.lang != "en" and "alert" in turns and near is not post.words[at - 2]:
                continue  # "alerta de tsunami"
            if "less" in turns and near.folded in ("menos", "meno", "moins"):
                continue  # "al menos", "per lo meno", "au moins"
            if turns and near.clause == post.words[at].clause and not near.concepts & mine:
                return f"the post has “{near.folded}” there"
    return ""


_COMPOUND = frozenset({"alert", "warn", "threaten", "try", "plan", "suspect"})
"""What a word is only warned of, or planned, where one of these follows it ("tsunami alert")."""


def planned(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A plan, a wish or a demand stated as done."""
    said, post = aligned.said, aligned.posts[found.post]
    if marks("future", _whole(said), said.lang):
        return ""
    if marks("future", post.clauses[found.clause], post.lang) and _reaches(aligned, "future", clause, found):
        return "the post speaks of a plan, a wish or a demand, not of what has happened"
    pairs = aligned.pairs(clause, found.post)
    if _governs(post, "future", pairs):
        return "the post speaks of a plan, a wish or a demand, not of what has happened"
    return "the post says what is to happen" if _infinitive(aligned, pairs, post) else ""


def _infinitive(aligned: Alignment, pairs: Sequence[tuple[int, int]], post: Text) -> bool:
    """Whether a verb follows "to" in an English post ("mayor to visit camp") that the sentence has in a past form."""
    said = aligned.said
    return post.lang == "en" and any(
        at > 0
        and post.words[at - 1].folded == "to"
        and said.words[n].folded != post.words[at].folded
        and not _is_first_to(post, at)
        and (
            meanings.is_past(said.words[n].folded) or said.words[n].folded.endswith("s") or _is_seen(said, n)
        )
        and not _is_noun_in(said, n)
        for n, at in pairs
    )


def _is_first_to(post: Text, at: int) -> bool:
    """Whether an infinitive says who was the first, or the only one, to do a thing ("the first woman to win")."""
    return any(word.folded in _FIRST for word in post.words[max(0, at - 5) : at - 1])


_FIRST = lexicon.words("first last only youngest oldest latest")


def _is_seen(said: Text, n: int) -> bool:
    """Whether a bare verb follows a pronoun behind one of perception ("saw it land"): it has happened."""
    return n > 1 and said.words[n - 1].folded in _OBJECTS and said.words[n - 2].folded in _PERCEIVED


_OBJECTS = lexicon.words("it him her them")
_PERCEIVED = lexicon.words("saw see sees seen watched watch heard")


def _is_noun_in(said: Text, n: int) -> bool:
    return n > 0 and said.words[n - 1].folded in ("the", "a", "an", "of", "his", "her", "their", "its")


def caused(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A cause that no post states."""
    said = aligned.said
    if not marks("because", _whole(said), said.lang):
        return ""
    if any(marks("because", _whole(post), post.lang) for post in aligned.posts):
        turned_round = any(_cause_turned(aligned, p) for p in range(len(aligned.posts)))
        return "the post has cause and effect the other way round" if turned_round else ""
    return "no cited post states that cause"


_CAUSE_BEHIND = re.compile(
    r"\b(?:because(?: of)?|due to|caused by|as a result of|owing to|thanks to|in response to|sparked by|triggered by|prompted by)\b"
)
_CAUSE_BEFORE = re.compile(
    r"\b(?:caus(?:ed|es|ing)|led to|leads to|leading to|result(?:ed|s) in|spark(?:ed|s)|trigger(?:ed|s)|prompt(?:ed|s))\b(?! by)"
)


def _cause_turned(aligned: Alignment, post: int) -> bool:
    """Whether an English post has the cause of the sentence for the effect, and the effect for the cause."""
    said, text = aligned.said, aligned.posts[post]
    mine, theirs = _cause_place(said), _cause_place(text)
    if mine is None or theirs is None:
        return False
    (cut, cause_first), (place, their_cause_first) = mine, theirs

    def lean(before: bool) -> int:
        """How many more words of a side of the sentence the post has on its first side than on its second."""
        found = (
            at
            for n in aligned.content
            if (n < cut) == before and not said.words[n].name
            for at in _matches_in(aligned, n, post, text.words[place].sentence)[:1]
        )
        return sum(1 if at < place else -1 for at in found)

    causes_lean, effects_lean = lean(cause_first), lean(not cause_first)
    if not their_cause_first:
        causes_lean, effects_lean = -causes_lean, -effects_lean
    return causes_lean < 0 < effects_lean


def _matches_in(aligned: Alignment, n: int, post: int, sentence: int) -> list[int]:
    """The words of a sentence of a post that support the `n`th word."""
    words = aligned.posts[post].words
    return [at for at, _ in aligned.matches(n, post) if at >= 0 and words[at].sentence == sentence]


def _cause_place(text: Text) -> tuple[int, bool] | None:
    """The word at which an English text joins a cause and an effect, and whether the cause is in front of it."""
    whole = " ".join(word.folded for word in text.words)
    for pattern, cause_first in ((_CAUSE_BEHIND, False), (_CAUSE_BEFORE, True)):
        if text.lang == "en" and (match := pattern.search(whole)) and match.start():
            return len(whole[: match.start()].split()), cause_first
    return None


_NUMBERED = re.compile(r"\bas many as\b|\b(?:in|at|after) all\b|\ball (?:two|three|four|\d+)\b|\bof all\b")
"""Where a word of extent only says what is counted."""


def strengthened(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A word of degree or extent that no post has: all, most, always, hundreds, worst."""
    said = aligned.said
    mine = set(marks("strong", _NUMBERED.sub(" ", _whole(said)), said.lang))
    if not mine:
        return ""
    given = {mark for post in aligned.posts for mark in marks("strong", _whole(post), post.lang)}
    if any(marks("negation", _whole(post), post.lang) for post in aligned.posts):
        mine -= _DENYING  # a negation is not stronger for being one of these
    if said.lang in {post.lang for post in aligned.posts}:
        missing = sorted(mine - given)
        return f"no cited post says “{missing[0]}”" if missing else ""
    return "" if given else f"no cited post says “{min(mine)}”"


_DENYING = frozenset({"never", "ever", "nothing", "nobody", "none", "anyone", "anywhere"})


def quantified(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A word for an uncounted number ("numerous") that the post has of other things."""
    said, post = aligned.said, aligned.posts[found.post]
    given = [at for at in post.places("quantifier") if at + 1 < len(post.words)]
    mine = [n for n in said.places("quantifier") if said.words[n].clause == clause]
    if not given:
        return ""
    for n in mine:
        things = [m for m in (n + 1, n + 2) if m in aligned.content]
        same = {at for m in things for at, _ in aligned.matches(m, found.post)}
        counted = {at + step for at in given for step in (1, 2)}
        agents = any(post.words[at].concepts & EVENTS for at in counted if at < len(post.words))
        if (things or agents) and not same & counted:
            return f"the post says “{post.words[given[0]].folded}” of something else"
    return ""


def limited(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A limit that the post sets to what it says, left out: to a part, a time, a condition."""
    said, post = aligned.said, aligned.posts[found.post]
    if marks("limit", _whole(said), said.lang) or marks("hedge", _whole(said), said.lang):
        return ""
    given = [
        post.words[at].folded
        for at in post.places("limit")
        if post.words[at].clause == found.clause and not _limits_number(post, at)
    ]
    return f"the post limits it: “{given[0]}”" if given else ""


def _limits_number(post: Text, at: int) -> bool:
    """Whether a mark only says that a number is small ("only 54"): the number says so too."""
    following = post.words[at + 1].folded if at + 1 < len(post.words) else ""
    return post.words[at].folded in _ONLY and value_of(following, post.lang) is not None


_ONLY = lexicon.words("only just solo apenas so seulement nur solo")


def turned(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A word whose opposite the post has in its place."""
    said = aligned.said
    have = {concept for post in aligned.posts for word in post.words for concept in word.concepts}
    roots = {word.root for post in aligned.posts if post.lang == "en" for word in post.words}
    for n, word in enumerate(said.words):
        known = word.concepts & have or word.root in roots
        by_concept = any(OPPOSITES.get(concept, frozenset()) & have for concept in word.concepts)
        if known or not (by_concept or (said.lang == "en" and meanings.opposites(word.folded) & roots)):
            continue
        if not any(aligned.matches(n, p) for p in range(len(aligned.posts)) if n in aligned.content):
            return f"the posts say the opposite of “{word.folded}”"
    return ""


def denied(aligned: Alignment) -> str:
    """A cited post that denies or corrects, where the sentence knows of no denial."""
    said = aligned.said
    if marks("denial", _whole(said), said.lang) or marks("negation", _whole(said), said.lang):
        return ""
    for p, post in enumerate(aligned.posts):
        if marks("denial", _whole(post), post.lang):
            return "a cited post denies or corrects it"
        pairs = [pair for clause in range(len(said.clauses)) for pair in aligned.pairs(clause, p)]
        if len(aligned.posts) > 1 and _governs(post, "negation", pairs):
            return "a cited post denies it"
    return ""


CHECKS: Sequence[Check] = (
    unsure,
    attributed,
    accused,
    negated,
    governed,
    planned,
    caused,
    strengthened,
    quantified,
    limited,
    turned,
)
