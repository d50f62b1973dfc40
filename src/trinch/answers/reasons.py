"""Why something is so: the spans that give a reason."""

from trinch.answers import lexicon
from trinch.answers.causes import STRONG, WEAK, is_met, reason
from trinch.answers.material import Draft, Material, draft_of, states_something, with_denials
from trinch.answers.ranking import pick
from trinch.posts.text import fold, tokens
from trinch.reader import Passage

LIKELY = 0.5
"""Least probability, by the reader, that a sentence without a word of cause gives the reason."""


def explain(m: Material) -> Draft:
    """The spans that give a reason, the surest first; where none does, that none does and what is known."""
    if not any(states_something(c.text) and is_met(m.request.question, c.terms) for c in m.found):
        return Draft([], "", "not_enough_evidence")  # no post says that it is so
    sure = [reason(m.request.question, c.text, c.source.best.post.lang) for c in m.found]
    said = [i for i, c in enumerate(m.found) if not c.text.rstrip("\"”'").endswith("?")]
    chosen = pick(m.scored, m.size(), among=[i for i in said if sure[i] == STRONG])
    chosen += pick(m.scored, m.size() - len(chosen), among=_hinted(m, said, sure), chosen=chosen)
    if not chosen:
        chosen = pick(m.scored, m.size(), among=_likely(m, said))
    headline = m.frame("explain") if chosen else m.frame("no_reason", topic=m.topic)
    chosen = chosen or pick(m.scored, m.size())
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    ordered = with_denials(m, [m.found[i] for i in chosen])
    return draft_of(m, ordered[: m.size()], headline, "answer")


def _hinted(m: Material, said: list[int], sure: list[int]) -> list[int]:
    """The places of the sentences that may give a reason: by "after", or by a word such as "negligence"."""
    signs = lexicon.CAUSE - frozenset(tokens(fold(m.request.text)))
    return [i for i in said if sure[i] == WEAK or signs.intersection(tokens(fold(m.found[i].text))[1:])]


def _likely(m: Material, said: list[int]) -> list[int]:
    """The places of the sentences that the reader takes for a reason."""
    if m.reader is None:
        return []
    passages = [Passage(m.found[i].text, m.found[i].terms, m.found[i].source.best.post.lang) for i in said]
    return [i for i, chance in zip(said, m.reader.answers(passages), strict=True) if chance >= LIKELY]
