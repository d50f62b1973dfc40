"""What people think of a topic: praise and blame with a quote each, and their shares."""

import re
from collections.abc import Sequence

from trinch.answers import lexicon
from trinch.answers.claims import Picked, agreeing
from trinch.answers.material import HOLDS, Draft, Material
from trinch.answers.ranking import pick
from trinch.posts.text import fold, tokens
from trinch.reader.tone import tones

CLEAR = 0.75
"""Probability from which on the tone of a sentence is praise or blame: of held-out posts 88 % are then rightly sided."""
NAMED = 0.35
"""Share of the topic that a sentence must hold itself for its tone to be one towards the topic."""
SHORT = 4
"""Words from which on a sentence, the topic aside, has a tone."""
CLEAR_POSTS = 5
"""Posts with a clear opinion from which on their shares are given."""
_PRICE = re.compile(r"[$€£] ?\d|\d ?[€£]|\d+ ?% off\b")


def opinions(m: Material) -> Draft:
    """Both sides with a quote each, and their shares among the posts with a clear opinion of the topic itself."""
    spoken = [i for i, c in enumerate(m.found) if c.near >= HOLDS / 2 and not c.text.endswith("?")]
    signs = dict(zip(spoken, _sides([_without_topic(m, m.found[i].text) for i in spoken]), strict=True))
    signs = {i: sign if m.found[i].share >= NAMED else 0 for i, sign in signs.items()}
    sides = {sign: [i for i in spoken if signs[i] == sign] for sign in (1, -1, 0)}
    half = max(1, (m.size() + 1) // 2)
    liked = pick(m.scored, half, among=sides[1], worth=0.0)
    disliked = pick(m.scored, half, among=sides[-1], chosen=liked, worth=0.0)
    others = pick(m.scored, m.size() - len(liked) - len(disliked), among=sides[0], chosen=[*liked, *disliked])
    chosen = [*liked, *disliked, *others]
    labels = {1: m.frame("positive"), -1: m.frame("negative"), 0: m.frame("other")}
    picked = [Picked(m.found[i], agreeing(m.found[i], m.found), labels[signs[i]]) for i in chosen]
    posts = [{m.found[i].source.best.post.id for i in sides[sign]} for sign in (1, -1)]
    total = len(posts[0] | posts[1])
    if total < CLEAR_POSTS:
        return Draft(picked, m.frame("mixed", topic=m.topic), "answer")
    positive = round(100 * len(posts[0]) / (len(posts[0]) + len(posts[1])))
    headline = m.frame("opinions", topic=m.topic, positive=positive, negative=100 - positive, total=total)
    return Draft(picked, headline, "answer")


def _sides(texts: Sequence[str]) -> list[int]:
    """For each text 1 for praise, -1 for blame, 0 where neither is clear: half-hearted, asked, in jest, in mourning or
    an offer."""
    return [
        0 if _is_aside(text) else 1 if praise >= CLEAR else -1 if blame >= CLEAR else 0
        for text, (blame, _, praise) in zip(texts, tones(texts).tolist(), strict=True)
    ]


def _is_aside(text: str) -> bool:
    """Whether the tone of a text says nothing of what its writer thinks of the topic."""
    said = tokens(fold(text))
    jest = not lexicon.JOKES.isdisjoint(said) or not lexicon.MOURNING.isdisjoint(said)
    return len(said) < SHORT or jest or text.rstrip("\"”'").endswith("?") or bool(_PRICE.search(text))


def _without_topic(m: Material, text: str) -> str:
    """A text without the words of the topic: "The Great Gatsby" praises nothing."""
    topic = set(tokens(fold(m.topic)))
    return " ".join(word for word in text.split() if topic.isdisjoint(tokens(fold(word))))
