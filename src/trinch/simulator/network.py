"""The seeded simulator of a post network: yields events in order of time.

`stream` produces background chatter, replies, reposts, quotes, copy-paste, bots, injections, incidents that
unfold, and the life of posts and accounts afterwards (edits, deletions, suspensions, likes). Emits the
events of `posts/schema.py` in the form the named network would give them; `wire_x.py` and
`wire_jetstream.py` turn them into bytes. The same arguments yield the same events on any machine, and a shorter
stream is the beginning of a longer one.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random

import msgspec

from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    CountsChanged,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Post,
    Reacted,
    Restored,
    Unreacted,
)
from trinch.simulator.ground_truth import Fact, GroundTruth, IncidentRecord, Label
from trinch.simulator.incident_texts import INJECTIONS
from trinch.simulator.incidents import HOUR, Incident, Statement
from trinch.simulator.marks import SHORT_LINK, mentions, tags
from trinch.simulator.network_ids import page, record_uri, snowflake, tid
from trinch.simulator.people import Crowd, Person
from trinch.simulator.text_generator import any_name, any_place, languages

START = 1_773_640_800_000_000
"""2026-03-16T06:00Z."""
SECOND = 1_000_000
POST = "app.bsky.feed.post"
_RECENT = 4_096
_HOT = 64
_LINK = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def stream(
    seed: int,
    *,
    posts: int,
    start: int = START,
    rate: float = 10.0,
    network: str = "x",
    incidents: bool = True,
    crowd: Crowd | None = None,
    truth: GroundTruth | None = None,
) -> Iterator[Event]:
    """Yield events until `posts` posts have been created, reposts included.

    `start` is in microseconds since 1970, `rate` in posts per second of simulated time (the network X
    has about 5,800). `network` gives ids and habits: `x` (an edit has a new id, a repost is a post),
    `bluesky` (an edit keeps the id, a repost is a record of its own: `Reacted`); any other name is a network
    of our own whose stream also carries counts. Without `incidents` there is chatter only. Pass a `GroundTruth` to
    have it filled in along the way, and a `Crowd` to ask about the authors afterwards.
    """
    simulated = _Network(
        seed, start, rate, network, crowd or Crowd(seed), GroundTruth() if truth is None else truth
    )
    if not incidents:
        simulated.next_incident = 1 << 62
    return simulated.play(posts)


class _Network:
    def __init__(
        self, seed: int, start: int, rate: float, network: str, crowd: Crowd, truth: GroundTruth
    ) -> None:
        self.rng = Random(seed)
        self.now = start
        self.gap = SECOND / rate
        self.network = network
        self.tick = 1 if network == "bluesky" else 1000
        """X gives times to the millisecond, a Bluesky relay to the microsecond."""
        self.crowd = crowd
        self.truth = truth
        self.languages = languages()
        self.serial = 0
        self.agenda: list[tuple[int, int, str, Incident | Post | Event]] = []
        """What will happen later: (time, serial, what, to whom)."""
        self.active: list[Incident] = []
        self.recent: list[Post] = []
        self.hot: list[Post] = []
        self.gone: set[str] = set()
        self.newest: dict[str, Post] = {}
        """Any id of a post that was edited → its current version."""
        self.next_incident = start + int(self.rng.random() * HOUR / 4)

    # Time

    def play(self, posts: int) -> Iterator[Event]:
        left = posts
        while left:
            self.now += max(1, int(self.gap * 2 * self.rng.random()))
            while left and self.agenda and self.agenda[0][0] <= self.now:
                at, _, what, whom = heappop(self.agenda)
                event = self._due(at, what, whom)
                if event is not None:
                    left -= isinstance(event, Created)
                    yield event
            if not left:
                return
            if self.now >= self.next_incident:
                self._begin_incident()
            event = self._next_event()
            left -= isinstance(event, Created)
            yield event

    def _later(self, at: int, what: str, whom: Incident | Post | Event) -> None:
        self.serial += 1
        heappush(self.agenda, (at, self.serial, what, whom))

    def _wait(self, shortest: float, longest: float) -> int:
        """A time from now between two numbers of seconds, any order of magnitude as likely as another."""
        at = self.now + int(shortest * (longest / shortest) ** self.rng.random() * SECOND)
        return at - at % self.tick

    def _due(self, at: int, what: str, whom: Incident | Post | Event) -> Event | None:
        """Something planned falls due. None if it causes no event or a deletion overtook it."""
        if isinstance(whom, Incident):
            if what == "end":
                self.active.remove(whom)
                return None
            return self._announce(whom, what, at)
        if isinstance(whom, Post):
            post = self.newest.get(whom.id, whom)
            if post.id in self.gone:
                return None
            return self._delete(post, at) if what == "delete" else self._edit(post, at)
        if isinstance(whom, AccountGone):
            self.truth.accounts_gone[whom.author_id] = whom.at
        elif isinstance(whom, CountsChanged | Reacted | Hidden | Restored) and whom.id in self.gone:
            return None
        return whom

    # What is posted

    def _next_event(self) -> Event:
        rng = self.rng
        chance = rng.random()
        share = min(0.35, 0.1 * sum([incident.weight for incident in self.active]))
        if chance < share:
            incident = self.active[int(rng.random() * len(self.active))]
            return self._state(incident, incident.talk(self.now, rng), self.now)
        chance = (chance - share) / (1 - share)
        if chance < 0.47 and self.recent:
            other = self._pick()
            if other is not None and not other.repost_of:
                return self._respond(other, chance)
        if chance < 0.49:
            return self._bot()
        if chance < 0.4905:
            return self._injection()
        person = self.crowd.someone(rng)
        language = self.languages[person.lang]
        return self._create(person, language.decorate(language.say(rng), rng), links=0.3)

    def _pick(self) -> Post | None:
        """A post somebody reads: a much-talked-of one or any recent one."""
        rng = self.rng
        pool = self.hot if self.hot and rng.random() < 0.6 else self.recent
        post = pool[int(rng.random() * len(pool))]
        return None if post.id in self.gone else post

    def _respond(self, other: Post, chance: float) -> Event:
        person = self.crowd.someone(self.rng)
        language = self.languages[person.lang]
        if chance < 0.18:
            return self._repost(other, person)
        if chance < 0.40:
            text = language.decorate(language.clause(self.rng), self.rng)
            # On X a reply begins with the handle of the one answered.
            return self._create(person, f"@{other.author} {text}" if other.author else text, reply_to=other)
        if chance < 0.45:
            return self._create(person, language.clause(self.rng), quote_of=other.id)
        return self._copy(other, person)

    def _repost(self, other: Post, person: Person) -> Event:
        if self.network == "bluesky":
            return self._react(other, person, "repost", self.now)
        text = f"RT @{other.author}: {other.text}"
        if self.network == "x" and len(text) > 140:  # X cuts the copy; the original follows in the expansions
            text = text[:139] + "…"
        event = self._create(person, text, repost_of=other, urls=other.urls)
        self.truth.copies[event.post.id] = other.id
        return event

    def _copy(self, other: Post, person: Person) -> Created:
        """Somebody pastes another's words as their own, perhaps with a small change."""
        text, chance = other.text, self.rng.random()
        if chance < 0.35:
            text += " " + self.languages[other.lang].emoji[0]
        elif chance < 0.55 and not other.urls:
            text = text.lower()
        elif chance < 0.75:
            text = "Copied: " + text
        event = self._create(person, text, lang=other.lang, urls=other.urls)
        self.truth.copies[event.post.id] = other.id
        return event

    def _bot(self) -> Created:
        rng = self.rng
        person = self.crowd.bot(rng)
        river, level, wind = any_name(rng), int(rng.random() * 900) / 10, int(rng.random() * 90)
        text = f"{person.place}: level of the {river} {level} cm, wind {wind} km/h"
        event = self._create(person, f"{text} #{person.place}", links=0.8, lang="en")
        self.truth.labels[event.post.id] = Label(role="bot")
        return event

    def _injection(self) -> Created:
        rng = self.rng
        person = self.crowd.someone(rng)
        line = INJECTIONS[int(rng.random() * len(INJECTIONS))]
        place = self.active[0].place if self.active else any_place(rng)
        event = self._create(
            person, line.format(handle=person.handle, slug=any_name(rng).lower(), place=place)
        )
        self.truth.labels[event.post.id] = Label(role="injection")
        return event

    # Happenings

    def _begin_incident(self) -> None:
        incident = Incident(len(self.truth.incidents), self.now, self.crowd, self.rng)
        self.active.append(incident)
        for at, what in incident.schedule():
            self._later(at - at % self.tick, what, incident)
        self._later(incident.ends, "end", incident)
        self.truth.incidents[incident.id] = IncidentRecord(
            incident.id, incident.kind.name, incident.place, incident.began, incident.ends
        )
        self.next_incident = self.now + int((0.3 + 1.4 * self.rng.random()) * HOUR)

    def _announce(self, incident: Incident, what: str, at: int) -> Created:
        said = incident.announce(what, self.rng)
        event = self._state(incident, said, at)
        if what in ("count", "correction") and said.value is not None:
            self.truth.facts.append(Fact(incident.id, said.value, event.at, event.post.id))
        return event

    def _state(self, incident: Incident, said: Statement, at: int) -> Created:
        rng = self.rng
        text = said.text
        if said.role in ("eyewitness", "reaction", "rumour"):
            text = self.languages[said.lang].decorate(text, rng)
        event = self._create(
            said.person, text, at=at, lang=said.lang, links=0.7 if said.role == "news" else 0.0
        )
        post = event.post
        self.truth.labels[post.id] = Label(incident.id, said.role, said.value)
        if len(self.hot) < _HOT:
            self.hot.append(post)
        else:
            self.hot[int(rng.random() * _HOT)] = post
        if said.role == "rumour" and rng.random() < 0.2:
            self._later(self._wait(60, 20_000), "delete", post)
        return event

    # Posts and what becomes of them

    def _create(
        self,
        person: Person,
        text: str,
        *,
        at: int | None = None,
        lang: str = "",
        links: float = 0.0,
        urls: tuple[str, ...] = (),
        reply_to: Post | None = None,
        repost_of: Post | None = None,
        quote_of: str = "",
    ) -> Created:
        """One more post. `links` is the chance that it carries a link."""
        rng = self.rng
        self.serial += 1
        chance = rng.random()
        at = at or self.now
        bluesky = self.network == "bluesky"
        at -= at % self.tick
        at_id = record_uri(person.did, POST, tid(at, self.serial)) if bluesky else snowflake(at, self.serial)
        if chance < links:
            slug, path = any_name(rng).lower(), "".join([_LINK[int(rng.random() * 62)] for _ in range(10)])
            urls = (f"https://{slug}.example/{person.lang}/{path}",)
            text = (
                f"{text[:250]} {slug}.example/{path[:4]}..."
                if bluesky
                else f"{text[:250]} https://t.co/{path}"
            )
        elif urls and not bluesky and not SHORT_LINK.search(text):
            urls = ()  # cut off
        # X sends counts with each post, none of its own with a repost; Jetstream sends none.
        count = None if bluesky or repost_of else 0
        post = Post(
            network=self.network,
            id=at_id,
            created_at=at - at % 1000,
            text=text,
            lang=lang or (repost_of.lang if repost_of else person.lang),
            author_id=person.did if bluesky else person.id,
            author="" if bluesky else person.handle,  # Jetstream does not send handles with posts
            author_name="" if bluesky else person.name,
            author_followers=None if bluesky else person.followers,
            author_verified=None if bluesky else person.verified,
            url=page(self.network, person.handle, at_id),
            reply_to=reply_to.id if reply_to else "",
            reply_to_author=(reply_to.author or reply_to.author_id) if reply_to else "",
            repost_of=repost_of.id if repost_of else "",
            quote_of=quote_of,
            conversation_id=(reply_to.conversation_id or reply_to.id) if reply_to else at_id,
            urls=urls,
            media=("image",) if 0.87 < chance < 0.97 else (),
            mentions=() if bluesky else mentions(text),
            tags=tags(text),
            likes=count,
            reposts=count,
            replies=count,
            quotes=count,
        )
        if len(self.recent) < _RECENT:
            self.recent.append(post)
        else:
            self.recent[self.serial % _RECENT] = post
        if chance < 0.05 or chance > 0.97:
            self._plan(post, person)
        return Created(at=at, network=self.network, post=post)

    def _plan(self, post: Post, person: Person) -> None:
        """What will become of some posts (about one in twelve) and of a few of their authors."""
        chance = self.rng.random()
        if chance < 0.2:
            self._later(self._wait(5, 20_000), "delete", post)
        elif chance < 0.26:
            if not post.repost_of:
                self._later(self._wait(20, 1_800), "edit", post)
        elif chance < 0.28:
            if self.network != "bluesky":  # a Bluesky relay does not report moderation
                away, back = self._wait(60, 6_000), self._wait(6_001, 20_000)
                self._later(away, "", Hidden(at=away, network=self.network, id=post.id, reason="dropped"))
                self._later(back, "", Restored(at=back, network=self.network, id=post.id, reason="dropped"))
        elif chance < 0.295:
            self._leave(post, person)
        elif self.network != "x":
            self._add_likes(post, person)

    def _leave(self, post: Post, person: Person) -> None:
        """An author is suspended for a while, deletes the account, or takes another handle."""
        chance, author = self.rng.random(), post.author_id
        away = self._wait(60, 6_000)
        if chance < 0.5 or self.network == "x":
            reason = "suspended" if chance < 0.6 else "protected"
            if self.network == "bluesky":
                reason = "deactivated"
            hidden = AccountHidden(at=away, network=self.network, author_id=author, reason=reason)
            self._later(away, "", hidden)
            if chance < 0.4:
                back = self._wait(6_001, 20_000)
                restored = AccountRestored(at=back, network=self.network, author_id=author, reason=reason)
                self._later(back, "", restored)
        elif chance < 0.75:
            self._later(away, "", AccountGone(at=away, network=self.network, author_id=author))
        else:
            handle = person.handle[:12] + "_2"
            renamed = AccountRenamed(at=away, network=self.network, author_id=author, author=handle)
            self._later(away, "", renamed)

    def _add_likes(self, post: Post, person: Person) -> None:
        """Likes come in: one by one where they are records, as a count elsewhere; some are taken back."""
        if self.network != "bluesky":
            likes, at = int(person.followers ** self.rng.random()), self._wait(60, 20_000)
            self._later(at, "", CountsChanged(at=at, network=self.network, id=post.id, likes=likes))
        for _ in range(1 + int(6 * self.rng.random())):
            liked = self._react(post, self.crowd.someone(self.rng), "like", self._wait(10, 5_000))
            self._later(liked.at, "", liked)
            if self.rng.random() < 0.05:
                back = liked.at + 60 * SECOND
                self._later(back, "", Unreacted(at=back, network=self.network, record=liked.record))

    def _react(self, post: Post, person: Person, what: str, at: int) -> Reacted:
        self.serial += 1
        record = record_uri(person.did, f"app.bsky.feed.{what}", tid(at, self.serial))
        return Reacted(at=at, network=self.network, id=post.id, record=record, what=what)

    def _edit(self, post: Post, at: int) -> Edited:
        """The author changes the wording. On X that makes a new id."""
        text = (
            f"{post.text} (edited)" if self.rng.random() < 0.5 else post.text.replace(" the ", " that ") + "."
        )
        versions = self.truth.versions.setdefault(post.id, [post.id])
        if self.network == "x":
            self.serial += 1
            new_id = snowflake(at, self.serial)
            edited = msgspec.structs.replace(
                post, id=new_id, text=text, created_at=at, url=post.url.replace(post.id, new_id)
            )
            event = Edited(at=at, network="x", post=edited, replaces=tuple(versions))
            versions.append(new_id)
            self.truth.versions[new_id] = versions
        else:
            edited = msgspec.structs.replace(post, text=text)
            event = Edited(at=at, network=self.network, post=edited)
        for version in versions:
            self.newest[version] = edited
        return event

    def _delete(self, post: Post, at: int) -> Deleted:
        for version in self.truth.versions.get(post.id, [post.id]):
            self.gone.add(version)
            self.truth.deleted[version] = at
        return Deleted(at=at, network=self.network, id=post.id)
