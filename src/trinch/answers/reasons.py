"""Why something is so: the spans that give a reason."""

from trinch.answers import lexicon
from trinch.answers.material import Draft, Material, draft_of, with_denials
from trinch.answers.ranking import pick
from trinch.posts.text import fold, tokens


def explain(m: Material) -> Draft:
    """The spans that give a reason; any on the topic only where none does."""
    own = frozenset(tokens(fold(m.request.text)))
    causal = [i for i, c in enumerate(m.found) if (lexicon.CAUSE - own).intersection(tokens(c.text)[1:])]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=causal or None)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    ordered = with_denials(m, chosen)
    return draft_of(m, ordered[: m.size()], m.frame("explain"), "answer")
