"""One simulated incident and the statements people post about it over time.

An `Incident` has a place, a count that changes and may be corrected, a rumour and its denial.
"""

from random import Random

import msgspec

from trinch.simulator.incident_texts import DETAILS, KINDS, LEADS, LINES, STREETS, Kind
from trinch.simulator.people import Crowd, Person
from trinch.simulator.text_generator import languages

HOUR = 3_600_000_000


class Statement(msgspec.Struct, frozen=True):
    """One statement about an incident."""

    person: Person
    text: str
    lang: str
    role: str
    value: int | None = None


class Incident:
    """One incident, from its first eyewitness to the last reaction."""

    def __init__(self, number: int, began: int, crowd: Crowd, rng: Random) -> None:
        self.kind: Kind = KINDS[int(rng.random() * len(KINDS))]
        self.crowd = crowd
        self.official = crowd.official(rng)
        self.place = self.official.place
        self.id = f"{self.kind.name}-{self.place.lower()}-{number}"
        self.street = int(rng.random() * len(STREETS["en"]))
        self.began = began
        self.ends = began + int((3 + 7 * rng.random()) * HOUR)
        self.weight = 0.3 + rng.random()
        """Share of all talk relative to other incidents going on."""
        final = max(4, int(self.kind.scale * (0.3 + 1.4 * rng.random())))
        steps = 3 + int(rng.random() * 4)
        self.course = sorted({max(1, int(final * ((i + 1) / steps) ** 1.5)) for i in range(steps)})
        self.corrected = rng.random() < 0.45
        if self.corrected:
            self.course.append(max(1, int(self.course[-1] * (0.6 + 0.3 * rng.random()))))
        self.value: int | None = None
        self.old: int | None = None

    def schedule(self) -> list[tuple[int, str]]:
        """When officials speak, as (microseconds, what they do): `first`, `count`, `correction`, `denial`."""
        span = self.ends - self.began
        plan = [(self.began + span // 25, "first"), (self.began + span * 2 // 5, "denial")]
        for step in range(len(self.course)):
            last = self.corrected and step == len(self.course) - 1
            at = self.began + span * (step + 1) // (len(self.course) + 1)
            plan.append((at, "correction" if last else "count"))
        return sorted(plan)

    def announce(self, what: str, rng: Random) -> Statement:
        """The official states it; from now on it is the ground truth."""
        if what in ("count", "correction"):
            self.old, self.value = self.value, self.course[0]
            del self.course[0]
        said = self._line(self.official, what, rng)
        return said if what != "first" else msgspec.structs.replace(said, value=None)

    def talk(self, now: int, rng: Random) -> Statement:
        """What somebody other than the official posts about it now."""
        age = (now - self.began) / (self.ends - self.began)
        chance = rng.random()
        if self.value is not None and chance < 0.25:
            return self._line(self.crowd.newsroom(rng), "news", rng)
        if 0.15 < age < 0.7 and chance < 0.37:
            return self._line(self.crowd.someone(rng), "rumour", rng)
        seen = chance < 0.37 + 0.5 * max(0.0, 1 - 2 * age)
        return self._line(self.crowd.someone(rng), "eyewitness" if seen else "reaction", rng)

    def _line(self, person: Person, role: str, rng: Random) -> Statement:
        lang = person.lang if person.lang in LINES else "en"
        words = self.kind.words[lang]
        lines = words.seen if role == "eyewitness" else LINES[lang][role]
        if role == "denial" and self.value is None:
            lines = lines[:1]
        line = lines[int(rng.random() * len(lines))]
        text = line.format(
            place=self.place,
            street=STREETS[lang][self.street],
            what=words.what,
            unit=words.unit,
            tag=words.tag,
            n=self.value,
            old=self.old,
            wild=(self.value or 5) * 3,
        )
        if role == "eyewitness":
            language = languages()[lang]
            text = language.one_of(LEADS[lang], rng) + text + language.one_of(DETAILS[lang], rng)
        states = role in ("count", "correction", "news") or "{n}" in line
        return Statement(person, text[0].upper() + text[1:], lang, role, self.value if states else None)
