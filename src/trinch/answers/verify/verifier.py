"""Whether a sentence follows from the posts it cites, and from nothing else.

Owns that judgement. It is made by rules that refuse (numbers, times, names, order, and how the posts put it) and by how
much of the sentence the posts carry, word by word, clause by clause, by meaning and across languages. It errs on the
side of refusing: a good sentence that is refused gives way to a quote, a false one with a citation is the worst case.
"""

from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.amounts import unsupported_number, wrong_time
from trinch.answers.verify.conjoined import elsewhere, other_way, shared_by_all, wrong_kin
from trinch.answers.verify.copies import changed_copy, repeats, verbatim
from trinch.answers.verify.exchanged import exchanged
from trinch.answers.verify.frames import CHECKS, denied
from trinch.answers.verify.meanings import marks
from trinch.answers.verify.order import TREND, outlived, shows_trend, stale, wrong_gap, wrong_order
from trinch.answers.verify.reading import CitedText, read, read_post
from trinch.answers.verify.roles import is_somebody, swapped_roles

WHOLE = 0.65
"""Least share of a sentence's words that its posts together must hold."""
CLAUSE = 0.45
"""Least share of each clause's words that a single post must hold."""
ACROSS = 0.75
"""Least share where all posts are in other languages: likeness of words says less there."""
LISTED = 2
"""Most words of a clause that is taken for a further member of a list."""
OFFICES = meanings.SPEAKERS - {
    "president",
    "leader",
    "king",
    "union",
    "company",
    "family",
    "passenger",
    "driver",
    "owner",
}
"""Bodies and offices that the posts must name."""
HAPPENS_TO = frozenset(
    {"die", "hurt", "missing", "rescue", "arrest", "release", "charge", "convict", "kidnap"}
)
"""Concepts of what happens to somebody."""
FEWEST = 2
"""A sentence with fewer content words says too little to be judged."""
LONGEST = 1000
"""Characters of a sentence, beyond which it is refused unread."""


class Verdict(NamedTuple):
    supported: bool
    score: float
    """0 to 1, higher is better supported: what the posts hold of the sentence and of its weakest
    clause, on average; halved where a rule refuses."""
    reason: str
    """What refuses it, for people and for the model that wrote it; empty where it is supported."""


def verify(sentence: str, lang: str, cited: Sequence[CitedText]) -> Verdict:
    """The verdict on a sentence in a language that cites posts. Without posts nothing is supported."""
    if not cited or not sentence.strip():
        return Verdict(False, 0.0, "no post is cited")
    if len(sentence) > LONGEST:
        return Verdict(False, 0.0, "the sentence is too long")
    posts = [read_post(post) for post in cited]
    copied = any(verbatim(sentence, post.text) for post in cited)
    if copied and len(posts) == 1:
        return Verdict(True, 1.0, "")
    if lang not in meanings.LANGUAGES:
        return Verdict(False, 0.0, f"sentences in {lang!r} cannot be verified")
    aligned = Alignment(read(sentence, lang), posts)
    said = aligned.said
    if copied or any(repeats(sentence, a.text, b.lang) for a, b in zip(cited, posts, strict=True)):
        reason = (denied(aligned) or stale(aligned, cited)) if len(posts) > 1 else ""
        return Verdict(not reason, 0.5 if reason else 1.0, reason)
    if len(aligned.content) < FEWEST:
        return Verdict(False, 0.0, "the sentence says too little to be verified")
    whole = aligned.share(aligned.content, range(len(posts)))
    reason = (
        unsupported_number(said, posts)
        or wrong_time(said, posts)
        or _missing_name(aligned)
        or _uncarried(aligned, cited, whole)
        or denied(aligned)
        or _apart(aligned)
        or _misput(aligned)
        or shared_by_all(aligned)
        or elsewhere(aligned)
        or wrong_kin(aligned)
        or other_way(aligned)
        or wrong_gap(aligned)
        or exchanged(aligned)
        or wrong_order(aligned)
        or stale(aligned, cited)
        or outlived(aligned)
        or changed_copy(aligned, sentence, cited)
    )
    score = (whole + _least(aligned)) / 2
    return Verdict(not reason, round(score / 2 if reason else score, 4), reason)


def _least(aligned: Alignment) -> float:
    """The share of the clause that a single post holds least of."""
    found = [aligned.evidence(among) for among in _parts(aligned) if among]
    return min((evidence.held if evidence else 0.0 for evidence in found), default=0.0)


def _missing_name(aligned: Alignment) -> str:
    german = aligned.said.lang == "de"  # which writes every noun with a capital
    missing = [
        word.folded for word in aligned.unsupported() if (word.name and not german) or word.concepts & OFFICES
    ]
    return f"no cited post names {missing[0]}" if missing else ""


def _uncarried(aligned: Alignment, cited: Sequence[CitedText], whole: float) -> str:
    """A sentence, or a clause of it, of which the posts hold too little."""
    across = aligned.said.lang not in {post.lang for post in aligned.posts}
    if whole < (ACROSS if across else WHOLE):
        missing = ", ".join(word.folded for word in aligned.unsupported()[:5])
        return f"no cited post says: {missing}"
    said = aligned.said
    for word in aligned.unsupported():
        if word.concepts & meanings.EVENTS and not (
            word.concepts & TREND and shows_trend(aligned, cited, word)
        ):
            return f"no cited post says: {word.folded}"
        if word.concepts & meanings.THINGS and _other_things(aligned):
            return f"no cited post says: {word.folded}"
    for clause, among in enumerate(_parts(aligned)):
        if not among:
            continue
        if marks("then", said.clauses[clause], said.lang):
            among = [n for n in among if not aligned.is_number(n)] or among  # each of another post
        found = aligned.evidence(among)
        names = [n for n in among if said.words[n].name or aligned.is_number(n)]
        together = not names or any(aligned.share(names, [p]) == 1.0 for p in range(len(aligned.posts)))
        if found is None or found.held < CLAUSE or not together:
            return f"no single post holds this part: {said.clauses[clause]}"
    return ""


def _other_things(aligned: Alignment) -> bool:
    """Whether a post names things or places of a kind that the sentence does not."""
    mine = {concept for word in aligned.said.words for concept in word.concepts}
    given = {c for post in aligned.posts for word in post.words for c in word.concepts & meanings.THINGS}
    return bool(given - mine)


def _parts(aligned: Alignment) -> list[list[int]]:
    """The words of each clause; a clause that only adds a name or a thing to a list has the words for what happened of
    the clause before it, or of the next that says what happened."""
    said = aligned.said
    parts = [aligned.clause_words(clause) for clause in range(len(said.clauses))]
    events = [[n for n in part if said.words[n].concepts & meanings.EVENTS] for part in parts]
    for at, part in enumerate(parts):
        if part and len(part) <= LISTED and not events[at]:
            before = next((found for found in reversed(events[:at]) if found), [])
            parts[at] = [*part, *(before or next((found for found in events[at:] if found), []))]
    return parts


def _apart(aligned: Alignment) -> str:
    """Somebody and what happened in one clause of the sentence, of whom no sentence of a post says that."""
    said = aligned.said
    for clause in range(len(said.clauses)):
        among = aligned.clause_words(clause)
        people = [n for n in among if is_somebody(said, n) and not said.words[n].name]
        events = [n for n in among if said.words[n].concepts & HAPPENS_TO]
        for person in people:
            for event in events:
                if 0 < event - person <= 4 and not _together(aligned, person, event):
                    a, b = said.words[person].folded, said.words[event].folded
                    return f"no cited post says that of {a}: {b}"
    return ""


def _together(aligned: Alignment, a: int, b: int) -> bool:
    """Whether a sentence of a post holds two words; also where it holds neither or a post is by the first."""
    for p, post in enumerate(aligned.posts):
        first = {post.words[at].sentence if at >= 0 else -1 for at, _ in aligned.matches(a, p)}
        second = {post.words[at].sentence for at, _ in aligned.matches(b, p) if at >= 0}
        if first & second or -1 in first:
            return True
    return not any(aligned.matches(a, p) for p in range(len(aligned.posts)))


def _misput(aligned: Alignment) -> str:
    """The first check that a clause fails against the part of a post that carries it."""
    for clause in range(len(aligned.said.clauses)):
        found = aligned.evidence(aligned.clause_words(clause))
        if found is None:
            continue
        for check in (*CHECKS, swapped_roles):
            if reason := check(aligned, clause, found):
                return reason
    return ""
