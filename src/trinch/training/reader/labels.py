"""Labelled requests about events of the shared collections: written by hand, matched to posts by checked patterns.

`events.jsonl` names the events in six languages, `facets.json` what is asked and what an answer must match,
`requests.jsonl` single requests with patterns of their own. A post answers if it speaks of the event and matches the
facet. Hard negatives: the same event and another facet; the same facet and another event; an event that never was.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trinch.training.reader.examples import Example, rows, words

EVENT_FILES = ("crisislex_t26_shared", "crisisnlp_crowdflower", "crisisnlp_volunteers")
UNINFORMATIVE = (
    "Not related",
    "Not applicable",
    "not_related_or_irrelevant",
    "Not related or irrelevant",
    "off-topic",
)


def posts_of(social: Path, events: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The posts of some events, one of each text (links and case aside), in the order of the files."""
    wanted = set(events)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: set[str] = set()
    for name in EVENT_FILES:
        for row in rows(social / f"{name}.jsonl.zst"):
            key = " ".join(words(re.sub(r"https?://\S+", "", row["text"])))[:80]
            if row.get("event") in wanted and key not in seen and len(key) > 15:
                seen.add(key)
                found[row["event"]].append(row)
    return found


class Facets:
    """The patterns and the wordings of `facets.json`."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = {name: value for name, value in table.items() if name != "about"}
        self.answers = {name: re.compile(value["answers"], re.I) for name, value in self.table.items()}
        self.exclude = {
            name: re.compile(value["exclude"], re.I)
            for name, value in self.table.items()
            if "exclude" in value
        }

    def for_kind(self, kind: str) -> list[str]:
        """The facets that can be asked of an event of this kind."""
        return [name for name, value in self.table.items() if value.get("only", kind) == kind]

    def match(self, name: str, text: str) -> re.Match[str] | None:
        """The stretch of the text that answers, or None."""
        if name in self.exclude and self.exclude[name].search(text):
            return None
        return self.answers[name].search(text)

    def ask(self, name: str, language: str, event: str, random_: random.Random) -> str:
        """One wording of the question, typed as people type: some of them in lower case, some without punctuation."""
        request = random_.choice(self.table[name]["ask"][language]).replace("{e}", event)
        request = re.sub(
            r"\b(de|di|a) (?:le|il) ", lambda m: {"de": "du ", "di": "del ", "a": "al "}[m[1]], request
        )
        if random_.random() < 0.4:
            request = request.lower().strip("¿? ")
        return request


def informative(row: Mapping[str, Any]) -> bool:
    """Whether the collection's own label calls the post about its event and of use."""
    labels = row.get("labels") or {}
    if any(value in UNINFORMATIVE for value in labels.values()):
        return False
    return "not informative" not in str(labels.get("informativeness", "")).lower()


def of_events(
    social: Path, folder: Path, *, held: bool, per_facet: int = 14, seed: int = 5
) -> Iterator[Example]:
    """Examples of the events of one part: the held-out ones, or the rest."""
    random_ = random.Random(seed)
    events = [row for row in rows(folder / "events.jsonl") if (row.get("part") == "held") == held]
    facets = Facets(json.loads((folder / "facets.json").read_text()))
    posts = posts_of(social, [event["event"] for event in events])
    for event in events:
        about = re.compile(event["on"], re.I)
        own = [row for row in posts[event["event"]] if about.search(row["text"]) and informative(row)]
        noise = [row for row in posts[event["event"]] if not informative(row)]
        random_.shuffle(own)
        for facet in facets.for_kind(event["kind"]):
            matched = [(row, facets.match(facet, row["text"])) for row in own]
            good = [(row, found) for row, found in matched if found][: per_facet * 2]
            bad = [row for row, found in matched if not found]
            rivals = [e for e in events if e is not event and facet in facets.for_kind(e["kind"])]
            for row, found in good:
                language = _language(random_)
                name = random_.choice(event["names"][language])
                request = facets.ask(facet, language, name, random_)
                group, text = event["event"], row["text"]
                span = found.span() if found and facet not in ("summary", "reactions") else (-1, -1)
                yield Example("labels", group, request, text, 1.0, *span)
                if facet != "summary" and bad:
                    yield Example("labels", group, request, random_.choice(bad)["text"], 0.0)
                if noise:
                    yield Example("labels", group, request, random_.choice(noise)["text"], 0.0)
                yield from _elsewhere(facets, facet, language, event, rivals, text, random_)


def _elsewhere(
    facets: Facets,
    facet: str,
    language: str,
    event: Mapping[str, Any],
    rivals: Sequence[Mapping[str, Any]],
    text: str,
    random_: random.Random,
) -> Iterator[Example]:
    """The same post for the same question about another event of the collections, or about one that never was."""
    if rivals and random_.random() < 0.6:
        rival = random_.choice(rivals)
        if not re.search(rival["on"].split("|")[0], text, re.I):
            request = facets.ask(facet, language, random_.choice(rival["names"][language]), random_)
            yield Example("labels", event["event"], request, text, 0.0)
    else:
        name = event["names"][language][0]
        place = random_.choice(PLACES)
        moved = re.sub(r"\b[A-ZÉ][\w'’-]+(?: [A-Z][\w-]+)*$", place, name)
        if moved != name and place.lower() not in text.lower():
            yield Example("labels", event["event"], facets.ask(facet, language, moved, random_), text, 0.0)


def _language(random_: random.Random) -> str:
    return random_.choices(("en", "fr", "es", "de", "it", "pt"), (50, 10, 10, 10, 10, 10))[0]


# Places of events that never were, for requests that nothing answers.
PLACES = [
    "Lima",
    "Osaka",
    "Nairobi",
    "Toronto",
    "Melbourne",
    "Warsaw",
    "Helsinki",
    "Casablanca",
    "Jakarta",
    "Bogota",
    "Ankara",
    "Athens",
    "Dublin",
    "Denver",
    "Dallas",
    "Seattle",
    "Miami",
    "Atlanta",
    "Havana",
    "Quito",
    "Santiago",
    "Caracas",
    "Seoul",
    "Taipei",
    "Bangkok",
    "Hanoi",
    "Mumbai",
    "Colombo",
    "Dhaka",
    "Kabul",
    "Tehran",
    "Baghdad",
    "Beirut",
    "Cairo",
    "Tunis",
    "Algiers",
    "Lagos",
    "Accra",
    "Dakar",
    "Luanda",
    "Durban",
    "Madrid",
    "Seville",
    "Porto",
    "Turin",
    "Naples",
    "Vienna",
    "Prague",
    "Budapest",
    "Belgrade",
    "Sofia",
    "Bucharest",
    "Kiev",
    "Minsk",
    "Riga",
    "Oslo",
    "Bergen",
    "Stockholm",
    "Copenhagen",
    "Hamburg",
    "Munich",
    "Zurich",
    "Geneva",
    "Nantes",
    "Toulouse",
    "Lille",
    "Brussels",
    "Antwerp",
    "Rotterdam",
    "Leeds",
    "Cardiff",
    "Belfast",
    "Alaska",
    "Ohio",
    "Nevada",
    "Oregon",
    "Ontario",
    "Quebec",
]
