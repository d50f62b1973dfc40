"""The bundled sample: one unfolding event in two languages among two days of chatter, and what to ask of it.

Owns `sample`, which plays the script of `sample_script.py` together with background posts of the simulator,
reposts, pasted copies, reactions, likes, an edit, deletions and a suspension: about 3,000 posts made at run
time from a fixed seed, on a network named `sample`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from zlib import crc32

import msgspec

from trinch.posts.schema import AccountHidden, CountsChanged, Created, Deleted, Edited, Event, Post
from trinch.simulator.marks import mentions, tags
from trinch.simulator.network import stream
from trinch.simulator.network_ids import page, snowflake
from trinch.simulator.people import Crowd
from trinch.simulator.sample_cast import CAST, CITIES, PLACES, REACTIONS, TRICKS
from trinch.simulator.sample_script import SCRIPT
from trinch.simulator.text_generator import languages
from trinch.simulator.timestamps import created_at

NETWORK = "sample"
SEED = 1707
SECOND = 1_000_000
_CHATTER, _REACTIONS = 1_900, 330
_HEAD = re.compile(r"(\d\d) (\d\d):(\d\d) (\S+)((?: \S+)*)")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


BEGINS, ENDS = _at("2026-03-17T07:00"), _at("2026-03-18T20:00")
BANG = _at("2026-03-17T14:07")
"""When the accident happens."""


class Question(msgspec.Struct, frozen=True):
    text: str
    as_of: int
    """Microseconds since 1970."""


QUESTIONS = (
    Question("What happened in Port Esker?", ENDS),
    Question("How many people died in the Port Esker explosion?", _at("2026-03-17T17:00")),
    Question("How many people died in the Port Esker explosion?", _at("2026-03-17T23:00")),
    Question("How many people died in the Port Esker explosion?", ENDS),
    Question("Quelle est la situation à Port-Esker ?", _at("2026-03-18T12:00")),
)
"""What the demo asks, in order: an event, one moving number at three times, and one question in French."""

UNANSWERABLE = Question("Who won the regatta at Tallow Point?", ENDS)
"""Nothing in the sample says; the honest outcome is `not_enough_evidence`."""

TOLL = (
    (_at("2026-03-17T15:46"), 3),
    (_at("2026-03-17T18:05"), 6),
    (_at("2026-03-17T22:35"), 11),
    (_at("2026-03-18T09:20"), 9),
    (_at("2026-03-18T13:05"), 10),
)
"""The truth behind the moving number: (from when, dead according to the prefecture)."""


def sample() -> Iterator[Event]:
    """The story's events in order of time, always the same."""
    crowd = Crowd(SEED)
    events = list(_Stage(crowd).play())
    rate = _CHATTER / ((ENDS - BEGINS) / SECOND)
    chatter = stream(
        SEED, posts=_CHATTER, start=BEGINS, rate=rate, network=NETWORK, incidents=False, crowd=crowd
    )
    events += map(_placed, chatter)
    events.sort(key=lambda event: event.at)  # stable: what happens at one instant keeps its order
    return (event for event in events if event.at < ENDS)


def _placed(event: Event) -> Event:
    """A post of the chatter with the place where its author lives, of one author in eight."""
    if not isinstance(event, Created):
        return event
    number = crc32(event.post.author_id.encode())
    if number % 8:
        return event
    place, country, north, east = CITIES[number // 8 % len(CITIES)]
    here = msgspec.structs.replace(event.post, place=place, country=country, latitude=north, longitude=east)
    return msgspec.structs.replace(event, post=here)


class _Stage:
    """Reads the script line by line and lets the crowd react."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.rng = Random(SEED)
        self.serial = 1 << 21  # away from the ids of the chatter
        self.named: dict[str, Post] = {}
        self.deleted: dict[str, int] = {}

    def play(self) -> Iterator[Event]:
        scenes = [scene.partition("\n") for scene in SCRIPT.strip().split("\n\n")]
        echoes: list[tuple[Post, str]] = []
        for head, _, body in scenes:
            match = _HEAD.fullmatch(head)
            if match is None:
                raise ValueError(f"the script has a bad head: {head!r}")
            day, hour, minute, who, marks = match.groups()
            at = _at(f"2026-03-{day}T{hour}:{minute}") + int(self.rng.random() * 59_000) * 1000
            text = " ".join(body.split("\n"))
            if who in ("edit", "delete", "suspend"):
                yield self._afterwards(who, marks.strip(), at, text)
                continue
            post = self._line(at, who, text, marks.split())
            yield Created(at=at, network=NETWORK, post=post)
            echoes.append((post, marks))
        for post, marks in echoes:
            yield from self._echo(post, marks)
        yield from self._reactions()

    def _line(self, at: int, who: str, text: str, marks: list[str]) -> Post:
        name, lang, role, followers, verified = CAST[who]
        refers = {mark[0]: self.named[mark[1:]] for mark in marks if mark[0] in ">+"}
        answered, quoted = refers.get(">"), refers.get("+")
        post = self._post(
            at,
            text,
            lang,
            (who, name, f"cast-{who.lower()}", followers, verified),
            answered=answered,
            quote_of=quoted.id if quoted else "",
            urls=(f"https://{who.lower()}.example/{at // SECOND}",) if role == "newsroom" else (),
            media=("image",) if "*" in marks else (),
        )
        for mark in marks:
            if mark[0] == "=":
                self.named[mark[1:]] = post
        return post

    def _post(
        self,
        at: int,
        text: str,
        lang: str,
        author: tuple[str, str, str, int, bool],
        *,
        answered: Post | None = None,
        quote_of: str = "",
        repost_of: str = "",
        urls: tuple[str, ...] = (),
        media: tuple[str, ...] = (),
    ) -> Post:
        self.serial += 1
        post_id = snowflake(at, self.serial)
        handle, name, author_id, followers, verified = author
        place, north, east = PLACES.get(handle, ("", None, None))
        if answered is not None:
            text = f"@{answered.author} {text}"
        if urls and not repost_of:
            text = f"{text} {urls[0]}"
        return Post(
            network=NETWORK,
            id=post_id,
            created_at=at,
            text=text,
            lang=lang,
            author_id=author_id,
            author=handle,
            author_name=name,
            author_followers=followers,
            author_verified=verified,
            url=page(NETWORK, handle, post_id),
            reply_to=answered.id if answered else "",
            reply_to_author=answered.author if answered else "",
            repost_of=repost_of,
            quote_of=quote_of,
            conversation_id=(answered.conversation_id or answered.id) if answered else post_id,
            urls=urls,
            media=media,
            mentions=mentions(text),
            tags=tags(text),
            place=place,
            latitude=north,
            longitude=east,
        )

    def _afterwards(self, what: str, whom: str, at: int, text: str) -> Event:
        if what == "suspend":
            author_id = f"cast-{whom.lower()}"
            return AccountHidden(at=at, network=NETWORK, author_id=author_id, reason="suspended")
        post = self.named[whom]
        if what == "delete":
            self.deleted[post.id] = at
            return Deleted(at=at, network=NETWORK, id=post.id)
        edited = msgspec.structs.replace(post, text=f"{text} {post.urls[0]}", tags=tags(text))
        return Edited(at=at, network=NETWORK, post=edited)

    def _somebody(self, lang: str) -> tuple[str, str, str, int, bool]:
        person = self.crowd.someone(self.rng)
        while person.lang != lang:
            person = self.crowd.someone(self.rng)
        return person.handle, person.name, person.id, person.followers, person.verified

    def _echo(self, post: Post, marks: str) -> Iterator[Event]:
        """Reposts, pasted copies and likes of a line of the script, until it is deleted."""
        rng, end = self.rng, self.deleted.get(post.id, ENDS)
        followers = post.author_followers or 0
        reposts = int((4 + 6 * rng.random()) * max(1.0, followers**0.5 / 120)) if "~" in marks else 0
        for _ in range(reposts):
            at = self._soon(post, 20, 20_000)
            if at < end:
                text = f"RT @{post.author}: {post.text}"
                yield self._created(at, text, post.lang, repost_of=post.id, urls=post.urls)
        for _ in range(int(3 + 5 * rng.random()) if "%" in marks else 0):
            at = self._soon(post, 60, 9_000)
            friend = " (copié d'une amie)" if post.lang == "fr" else " (copied from a friend)"
            ending = ("", " 🙏", " #PortEsker", " !!", friend, " 😢")[int(rng.random() * 6)]
            if at < end:
                yield self._created(at, post.text + ending, post.lang)
        likes = int(followers ** (0.3 + 0.5 * rng.random()))
        for share in (0.3, 1.0):
            at = self._soon(post, 300, 20_000)
            if at < end:
                count = int(likes * share)
                yield CountsChanged(
                    at=at,
                    network=NETWORK,
                    id=post.id,
                    likes=count,
                    reposts=int(reposts * share),
                    replies=count // 9,
                )

    def _created(
        self, at: int, text: str, lang: str, *, repost_of: str = "", urls: tuple[str, ...] = ()
    ) -> Created:
        post = self._post(at, text, lang, self._somebody(lang), repost_of=repost_of, urls=urls)
        return Created(at=at, network=NETWORK, post=post)

    def _soon(self, post: Post, shortest: float, longest: float) -> int:
        delay = shortest * (longest / shortest) ** self.rng.random()
        return created_at(post) + int(delay * 1000) * 1000

    def _reactions(self) -> Iterator[Event]:
        rng, bang = self.rng, self.named["bang"]
        for number in range(_REACTIONS):
            lang = "en" if rng.random() < 0.6 else "fr"
            lines = REACTIONS[lang]
            text = languages()[lang].decorate(lines[int(rng.random() * len(lines))], rng)
            if number % 110 == 50:
                text, lang = TRICKS[number // 110], "en"
            yield self._created(self._soon(bang, 1_500, 100_000), text, lang)
