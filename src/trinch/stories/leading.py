"""The order of the clusters of a window: by their numbers first, then by what the posts of the leading ones say."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from trinch.posts.schema import Post
from trinch.store.log import Log
from trinch.stories.clusters import Cluster, joined
from trinch.stories.happening import READ, Evidence, linking, wording
from trinch.stories.parts import parts
from trinch.stories.ranking import Rank, discounted, rank
from trinch.stories.translations import translations
from trinch.stories.window import Bursting, Window

LOOKED_AT = 100
"""Posts of a cluster that are read: one of each text, of a large one an even sample."""

_Ranked = list[tuple[Rank, Cluster]]


def ordered(log: Log, window: Window, terms: Bursting, clusters: Sequence[Cluster]) -> _Ranked:
    """The clusters with their ranks, best first; parts of a leading one are joined to it."""
    ranked = [(rank(cluster, window, terms), cluster) for cluster in clusters]
    leading = [(of, cluster) for of, cluster in ranked if of.leads]
    posts = _posts(log, window, [cluster for _, cluster in leading])
    others = [(of, cluster) for of, cluster in ranked if not of.leads]
    leading = [
        (discounted(of, [post.text for post in posts[cluster.root].values()]), cluster)
        for of, cluster in leading
    ]
    leading = _judged(_joined(log, window, terms, leading, posts), terms, posts)
    return sorted(leading + others, key=lambda pair: (-pair[0].score, pair[1].root))


_Read = dict[str, dict[int, Post]]
"""The posts that are read of each cluster, by its root and the text that they are the first to carry."""


def _posts(log: Log, window: Window, clusters: Sequence[Cluster]) -> _Read:
    """The visible posts that are read of some clusters."""
    places = {one.root: one.texts[:: math.ceil(len(one.texts) / LOOKED_AT)] for one in clusters}
    seq_of = {place: int(window.posts.seq[window.first[place]]) for some in places.values() for place in some}
    visible = log.visible(list(seq_of.values()), window.as_of)
    return {
        root: {place: visible[seq_of[place]].post for place in some if seq_of[place] in visible}
        for root, some in places.items()
    }


def _joined(log: Log, window: Window, terms: Bursting, ranked: _Ranked, posts: _Read) -> _Ranked:
    """The clusters with their parts, and with those about one happening in another language."""
    answered = _answered(log, window, posts)
    into = parts([cluster for _, cluster in ranked], terms, len(window.carriers), answered)
    of = {cluster.root: (rank, cluster) for rank, cluster in ranked}
    wholes = sorted(of.keys() - into.keys(), key=lambda root: (-len(of[root][1].texts), root))
    into |= translations({root: list(posts[root].values()) for root in wholes})
    for part, whole in into.items():
        best = max(of[whole][0], of[part][0], key=lambda rank: rank.score)
        of[whole] = best, joined(of[whole][1], of[part][1], terms.bursts)
    return [of[cluster.root] for _, cluster in ranked if cluster.root not in into]


def _answered(log: Log, window: Window, posts: _Read) -> Callable[[Cluster], Sequence[AbstractSet[int]]]:
    """What gives, for each post read of a cluster, the texts that it answers or is in one conversation with."""
    carried = {
        seq: text for text, places in enumerate(window.carriers) for seq in window.posts.seq[places].tolist()
    }
    together: defaultdict[str, set[int]] = defaultdict(set)
    for some in posts.values():
        for text, post in some.items():
            for key in _conversation(post):
                together[key].add(text)
    for key, texts in together.items():
        texts.update(carried[seq] for seq in log.seqs_of(key) if seq in carried)
    return lambda cluster: [
        set().union(*(together[key] for key in _conversation(post))) for post in posts[cluster.root].values()
    ]


def _conversation(post: Post) -> set[str]:
    """The keys of the post that a reply answers, and of the one that began the conversation."""
    ids = {post.reply_to, post.conversation_id} - {"", post.id}
    return {f"{post.network}:{id}" for id in ids}


def _judged(ranked: _Ranked, terms: Bursting, posts: _Read) -> _Ranked:
    """The ranks with what tells whether each cluster is about a happening."""
    read = {cluster.root: list(posts[cluster.root].values())[:READ] for _, cluster in ranked}
    links = {root: linking(some) for root, some in read.items() if some}
    usual = sum(links.values()) / max(1, len(links))
    judged = []
    for of, cluster in ranked:
        if cluster.root in links:
            burst = terms.bursts[cluster.root]
            evidence = Evidence(
                math.log(of.score) if of.score > 0 else 0.0,
                math.log(max(1.0, burst.found / burst.quiet)),
                math.log(1 + len(cluster.weights)),
                *wording(read[cluster.root]),
                links=links[cluster.root] - usual,
            )
            of = of._replace(evidence=evidence)
        judged.append((of, cluster))
    return judged
