"""A small store in memory, for tests: the door of `answers` over a list of posts, all of them invented here.

Ranks by inverse document frequency of the words met, as the real one does; honours `since_time:`, `until_time:`
and `as_of`; calls posts copies when their folded words are mostly the same.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from trinch.posts.schema import Post
from trinch.posts.text import query_terms, terms, tokens


class FakeHit(NamedTuple):
    post: Post
    at: int
    score: float
    terms: list[str]


def us(text: str) -> int:
    """`2031-05-02T10:00Z` as microseconds."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def post(id: str, at: str, text: str, author: str = "", lang: str = "en", **more: object) -> Post:
    fields = {"network": "x", "id": id, "created_at": us(at), "text": text, "author": author, "lang": lang}
    return Post(**{"author_id": author, "url": f"https://example.org/{id}", **fields, **more})  # type: ignore[arg-type]  # fields by name


class FakeCorpus:
    def __init__(self, posts: Iterable[Post]) -> None:
        self.hits = [FakeHit(p, p.created_at, 0.0, terms(p.text, p.lang)) for p in posts]
        self.asked: list[tuple[str, str]] = []
        self.gone: set[str] = set()
        self.frequency: dict[str, int] = {}
        for hit in self.hits:
            for term in set(hit.terms):
                self.frequency[term] = self.frequency.get(term, 0) + 1

    @property
    def num_posts(self) -> int:
        return len(self.hits)

    def doc_freq(self, term: str) -> int:
        return self.frequency.get(term, 0)

    def retrieve(
        self, text: str, *, limit: int, as_of: int | None = None, where: str = ""
    ) -> Sequence[FakeHit]:
        self.asked.append((text, where))
        since = [int(found) for found in re.findall(r"since_time:(-?\d+)", where)]
        until = [int(found) for found in re.findall(r"until_time:(-?\d+)", where)]
        found = []
        for hit in self.hits:
            seconds = hit.at // 1_000_000
            if (
                (as_of is not None and hit.at > as_of)
                or any(seconds < s for s in since)
                or any(seconds >= u for u in until)
            ):
                continue
            held = set(hit.terms)
            score = 0.0
            for word in dict.fromkeys(tokens(text)):
                forms = held.intersection(query_terms(word))
                if forms:
                    score += math.log(1 + len(self.hits) / max(self.doc_freq(form) for form in forms))
            if score > 0:
                found.append(hit._replace(score=score))
        return sorted(found, key=lambda h: (-h.score, -h.at, h.post.id))[:limit]

    def get(self, id: str, as_of: int | None = None) -> FakeHit | None:
        """The post `network:id`; `gone` are no longer shown."""
        for hit in self.hits:
            if f"{hit.post.network}:{hit.post.id}" == id and id not in self.gone:
                return hit if as_of is None or hit.at <= as_of else None
        return None

    def copies(self, hit: FakeHit, *, as_of: int | None = None) -> Sequence[FakeHit]:
        words = set(hit.terms)
        return [
            other
            for other in self.hits
            if (as_of is None or other.at <= as_of)
            and len(words & set(other.terms)) >= 0.8 * min(len(words), len(other.terms)) >= 4
        ]


NOISE = [
    post(f"noise{n}", f"2031-05-0{1 + n % 5}T0{n % 10}:30+00:00", text, f"someone{n}")
    for n, text in enumerate(
        (
            "Finally finished the second season, what an ending",
            "Anyone selling two tickets for the Larkfield concert?",
            "My cat has opinions about the new sofa and none of them are kind",
            "The 2030 cup final was the best match I have ever seen, what a game",
            "Rain again in Larkfield, the third day in a row",
            "Quelle belle journée au marché, les cerises sont arrivées",
            "Petit déjeuner en terrasse, le bonheur",
            "New recipe: lentils, lemon and far too much garlic",
            "Ten years ago today I moved to this city and I still get lost",
            "The harbour museum reopens on Saturday with free entry",
            "Who else is watching the world cup qualifiers tonight?",
            "Our team won the cup in 2030 and nobody can take that away",
            "The train was late, the coffee was cold, the meeting was an email",
            "Dead battery, dead phone, dead tired. Good night",
            "Three goals in the first half, I am speechless",
        )
        * 3
    )
]
"""Posts about nothing in particular, so that rare words are rare."""

FERRY = [
    post(
        "f01",
        "2031-05-02T09:05+00:00",
        "Loud bang at Port Halden, the ferry Aurelia has hit the pier",
        "mira_k",
    ),
    post(
        "f02",
        "2031-05-02T09:12+00:00",
        "BREAKING: ferry Aurelia hits pier at Port Halden, people in the water",
        "haldennews",
        author_verified=True,
        author_followers=80_000,
    ),
    post(
        "f03",
        "2031-05-02T09:20+00:00",
        "RT @haldennews: BREAKING: ferry Aurelia hits pier at Port Halden, people in the water",
        "tomas1",
    ),
    post(
        "f04",
        "2031-05-02T09:21+00:00",
        "RT @haldennews: BREAKING: ferry Aurelia hits pier at Port Halden, people in the wat…",
        "lenna",
    ),
    post(
        "f05",
        "2031-05-02T10:00+00:00",
        "At least 4 dead after the ferry Aurelia hit a pier at Port Halden, police say",
        "haldennews",
        author_verified=True,
        author_followers=80_000,
    ),
    post(
        "f06",
        "2031-05-02T10:10+00:00",
        "Police in Port Halden: four dead, 30 injured in ferry accident",
        "coastradio",
    ),
    post(
        "f07",
        "2031-05-02T10:40+00:00",
        "Praying for everyone on the Aurelia, my heart is broken, Port Halden stay strong",
        "softsoul",
    ),
    post(
        "f08",
        "2031-05-02T12:00+00:00",
        "Death toll in Port Halden ferry accident rises to 9, more than 60 hurt, hospital says",
        "coastradio",
    ),
    post(
        "f09",
        "2031-05-02T12:20+00:00",
        "Port Halden hospital confirms 9 dead and 62 injured after ferry accident",
        "drolsen",
    ),
    post(
        "f10",
        "2031-05-02T13:00+00:00",
        "Accident de ferry à Port Halden : 9 morts et 62 blessés, selon l'hôpital",
        "echo_du_large",
        lang="fr",
    ),
    post(
        "f11",
        "2031-05-02T16:00+00:00",
        "RT @haldennews: At least 4 dead after the ferry Aurelia hit a pier at Port Halden, police say",
        "latecomer",
    ),
    post(
        "f12",
        "2031-05-02T17:00+00:00",
        "RT @haldennews: At least 4 dead after the ferry Aurelia hit a pier at Port Halden, police say",
        "latecomer2",
    ),
    post(
        "f13",
        "2031-05-02T19:00+00:00",
        "Toll of the Port Halden ferry accident now 11 dead, two still missing, coast guard says",
        "coastradio",
    ),
    post(
        "f14",
        "2031-05-02T19:20+00:00",
        "Coast guard: 11 dead in Port Halden ferry disaster, search for missing goes on",
        "haldennews",
        author_verified=True,
        author_followers=80_000,
    ),
    post(
        "f15",
        "2031-05-02T19:30+00:00",
        "Port Halden : le bilan de l'accident du ferry passe à 11 morts, deux disparus",
        "echo_du_large",
        lang="fr",
    ),
    post(
        "f16",
        "2031-05-02T19:40+00:00",
        "Someone told me 40 dead in Port Halden??? ferry accident is worse than they say",
        "rumour_mill",
    ),
    post(
        "f17",
        "2031-05-02T20:00+00:00",
        "Captain of the ferry Aurelia questioned by police in Port Halden about engine failure",
        "coastradio",
    ),
    post(
        "f18",
        "2031-05-02T20:30+00:00",
        "Engine failure likely cause of Port Halden ferry accident, investigators say",
        "haldennews",
        author_verified=True,
        author_followers=80_000,
    ),
]
"""A ferry accident that never was, in two languages, with a rumour, stale reposts and a moving toll."""
