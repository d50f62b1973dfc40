"""How a sentence puts what it says: how sure, who says so, denied, planned, caused, how much.

A sentence may be weaker than its posts and never stronger: what bears a mark in the post that carries a clause must
bear it in the sentence, and a mark of strength in the sentence must come from a post.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from trinch.answers import lexicon
from trinch.answers.verify.alignment import Alignment, Evidence
from trinch.answers.verify.meanings import OPERATORS, OPPOSITES, SPEAKERS, SPEECH, marks
from trinch.answers.verify.reading import Text

Check = Callable[[Alignment, int, Evidence], str]

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
    if marks("hedge", sentence, post.lang) and not doubts:
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
    attributes = _attributes(said)
    quoted = '"' in sentence
    if not attributes and (
        quoted or _speech(post, found.sentence, _placed(said)) or _judges(said, sentence, post)
    ):
        return "the post says so in somebody's words"
    return wrong_speaker(aligned) if attributes else ""


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
    """Whether a sentence of a post says who says so: by a verb, or by a speaker and a colon in front."""
    text = post.sentences[sentence]
    if marks("attribution", text, post.lang):
        return True
    lead = text.partition(" : ")[0]
    if sentence or lead == text or len(lead.split()) > 4:
        return False
    words = post.words[: len(lead.split())]
    return any(
        word.concepts & SPEAKERS
        or (word.name and word.folded not in lexicon.PLACE_OF and word.folded not in placed)
        for word in words
    )


_PLACING = lexicon.words("in at near from of en em a de no na bei aus nel nella sa")


def _placed(said: Text) -> frozenset[str]:
    """The names that a sentence has for places: behind a preposition."""
    return frozenset(
        word.folded for before, word in pairwise(said.words) if word.name and before.folded in _PLACING
    )


_ACCORDING = (
    "according to",
    "in the words of",
    "segun",
    "selon",
    "secondo",
    "segundo",
    "laut",
    "stando a",
    "d'apres",
    "de acordo com",
)


def wrong_speaker(aligned: Alignment) -> str:
    """A speaker of the sentence that no post has for one: an office or body that is not named there at all, or is
    in a post only what is spoken of."""
    said = aligned.said
    for n in aligned.content:
        word = said.words[n]
        if not (word.concepts & SPEAKERS) and not word.name:
            continue
        if not _is_speaker(said, n):
            continue
        carriers = [p for p in range(len(aligned.posts)) if aligned.matches(n, p)]
        if not carriers:
            return f"no cited post has {word.folded} say so"
        if not any(_speaks_in(aligned, n, p) for p in carriers):
            return f"in the posts {word.folded} is not the one who says so"
    return ""


def _is_speaker(text: Text, at: int) -> bool:
    """Whether a word comes just before a verb of speech, or after "according to", within its clause."""
    word = text.words[at]
    clause = text.clauses[word.clause]
    before, _, behind = clause.partition(word.folded)
    if any(before.rstrip().endswith(lead) or lead + " the" in before[-20:] for lead in _ACCORDING):
        return True
    near = " ".join(behind.split()[:3])
    verbs = marks("speech", near, text.lang)
    return bool(verbs) and not marks("speech", before, text.lang)


def _speaks_in(aligned: Alignment, n: int, post: int) -> bool:
    """Whether a post has the word as its author, in front of a colon, or near a verb of speech."""
    text = aligned.posts[post]
    for at, _ in aligned.matches(n, post):
        if at < 0:
            return True
        word = text.words[at]
        clause = text.clauses[word.clause]
        if marks("speech", clause, text.lang) or clause.rstrip().endswith(":"):
            return True
        if word.clause + 1 < len(text.clauses) and marks(
            "speech", text.clauses[word.clause + 1][:25], text.lang
        ):
            return True
    return bool(text.repeats or text.author) and not marks("speech", _whole(text), text.lang)


def negated(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A negation that the post has not, or the other way round."""
    said, post = aligned.said, aligned.posts[found.post]
    if marks("negation", said.clauses[clause], said.lang):
        return "" if marks("negation", _whole(post), post.lang) else "the sentence denies what the post says"
    if marks("negation", _whole(said), said.lang):
        return ""
    carrying = [found.clause, *aligned.carrying(found.post)]
    return (
        "the post denies it" if any(marks("negation", post.clauses[c], post.lang) for c in carrying) else ""
    )


def governed(aligned: Alignment, clause: int, found: Evidence) -> str:
    """What the post says has ended, is denied, attempted or threatened, where the sentence has no such word."""
    post, said = aligned.posts[found.post], aligned.said
    mine = {concept for word in said.words for concept in word.concepts}
    for n in aligned.clause_words(clause):
        for at, _ in aligned.matches(n, found.post):
            if at < 0 or said.words[n].name:
                continue
            for near in post.words[max(0, at - 2) : at]:
                turns = near.concepts & OPERATORS
                if turns and near.clause == post.words[at].clause and not near.concepts & mine:
                    return f"the post has “{near.folded}” there"
    return ""


def planned(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A plan, a wish or a demand stated as done."""
    said, post = aligned.said, aligned.posts[found.post]
    if marks("future", post.clauses[found.clause], post.lang) and not marks(
        "future", _whole(said), said.lang
    ):
        return "the post speaks of a plan, a wish or a demand, not of what has happened"
    if _infinitive(aligned, clause, found) and not marks("future", _whole(said), said.lang):
        return "the post says what is to happen"
    return ""


def _infinitive(aligned: Alignment, clause: int, found: Evidence) -> bool:
    """Whether a verb of the clause follows "to" in an English post ("mayor to visit camp") and not in the sentence."""
    post, said = aligned.posts[found.post], aligned.said
    if post.lang != "en":
        return False
    for n in aligned.clause_words(clause):
        for at, _ in aligned.matches(n, found.post):
            behind_to = at > 0 and post.words[at - 1].folded == "to" and not post.words[at].name
            if behind_to and (n == 0 or said.words[n - 1].folded != "to") and not _is_noun_in(said, n):
                return True
    return False


def _is_noun_in(said: Text, n: int) -> bool:
    return n > 0 and said.words[n - 1].folded in ("the", "a", "an", "of", "his", "her", "their", "its")


def caused(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A cause that no post states."""
    said = aligned.said
    if not marks("because", _whole(said), said.lang):
        return ""
    if any(marks("because", _whole(post), post.lang) for post in aligned.posts):
        return ""
    return "no cited post states that cause"


def strengthened(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A word of degree or extent that no post has: all, most, always, hundreds, worst."""
    said = aligned.said
    mine = set(marks("strong", _whole(said), said.lang))
    if not mine:
        return ""
    given = {mark for post in aligned.posts for mark in marks("strong", _whole(post), post.lang)}
    if said.lang in {post.lang for post in aligned.posts}:
        missing = sorted(mine - given)
        return f"no cited post says “{missing[0]}”" if missing else ""
    return "" if given else f"no cited post says “{min(mine)}”"


def turned(aligned: Alignment, clause: int, found: Evidence) -> str:
    """A word whose opposite the post has in its place."""
    said = aligned.said
    have = {concept for post in aligned.posts for word in post.words for concept in word.concepts}
    for word in said.words:
        for concept in word.concepts:
            if not word.concepts & have and OPPOSITES.get(concept, frozenset()) & have:
                return f"the posts say the opposite of “{word.folded}”"
    return ""


def denied(aligned: Alignment) -> str:
    """A cited post that denies or corrects, where the sentence knows of no denial."""
    said = aligned.said
    if marks("denial", _whole(said), said.lang) or marks("negation", _whole(said), said.lang):
        return ""
    denying = [post for post in aligned.posts if marks("denial", _whole(post), post.lang)]
    return "a cited post denies or corrects it" if denying else ""


CHECKS: Sequence[Check] = (unsure, attributed, negated, governed, planned, caused, strengthened, turned)
