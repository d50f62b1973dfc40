"""The simulated accounts: invented people, newsrooms, officials and bots.

Handles, languages, followers and activity. A person is a function of (seed, number), created on first use: a
crowd of a million costs nothing until its members post.
"""

from random import Random

import msgspec

from trinch.simulator.text_generator import name
from trinch.simulator.vocabulary import words

Role = str
"""`citizen`, `newsroom`, `official`, `bot`."""

LANGUAGES = (("en", 0.58), ("fr", 0.82), ("es", 0.89), ("de", 0.94), ("ja", 1.0))
"""Language of a citizen, with cumulative shares."""

_FIRST = words(
    "Ada|Alma|Anton|Arlo|Basil|Bea|Bruno|Cleo|Cosmo|Dara|Edda|Elio|Elsa|Emil|Enzo|Esme|Faye|"
    "Felix|Flora|Gwen|Hana|Hugo|Ida|Imani|Ines|Iris|Ivo|Jana|Jonas|Juno|Kaya|Kito|Lena|Leo|Lina|"
    "Lou|Luca|Mae|Maia|Malo|Marek|Mina|Naoki|Nils|Noor|Nora|Odile|Olga|Oskar|Otis|Pia|Quinn|"
    "Rafa|Remy|Rosa|Ruben|Sana|Selma|Silas|Sofia|Soren|Tess|Theo|Tove|Uma|Vera|Viggo|Wren|Yara|"
    "Yann|Yuki|Zadie|Zeno"
)
_BIOS = {
    "citizen": (
        "Here for the {}.",
        "{} and long walks.",
        "Mostly {}. Views my own.",
        "Parent, neighbour, fond of {}.",
        "I post about {} and regret nothing.",
        "{} by day, {} by night.",
        "",
    ),
    "newsroom": ("Local news from {}, day and night.", "News, weather and {}. Tips: newsdesk."),
    "official": ("Official account. In an emergency call the emergency number, do not post.",),
    "bot": ("Automated {} updates every few minutes.", "The best {} deals, all day."),
}
_LIKES = words(
    "tea|trains|gardens|old maps|football|choirs|chess|birds|bread|radio|bicycles|lighthouses|cats|rain"
)
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_HANDLE_FORMS = ("{f}{l}", "{f}_{l}", "{l}{f}", "{f}{l}{n}", "{f}{n}", "the{l}", "{l}_{n}", "{f}in{l}")


class Person(msgspec.Struct, frozen=True):
    number: int
    place: str
    id: str
    """X-like numeric id as text."""
    did: str
    """The same person's id on a Bluesky-like network."""
    handle: str
    name: str
    bio: str
    lang: str
    role: Role
    followers: int
    following: int
    posts: int
    verified: bool
    joined: int
    """Microseconds since 1970."""


class Crowd:
    """The accounts of one simulated network. Activity falls with the rank to the power 0.6."""

    def __init__(self, seed: int, size: int = 300_000) -> None:
        self.seed = seed
        self.size = size
        self._met: dict[int, Person] = {}
        self._by_id: dict[str, Person] = {}
        self._by_handle: dict[str, Person] = {}

    def __getitem__(self, number: int) -> Person:
        person = self._met.get(number)
        if person is None:
            person = self._met[number] = _make(self.seed, number)
            self._by_id[person.id] = self._by_id[person.did] = person
            self._by_handle[person.handle] = person
        return person

    def find(self, author_id: str) -> Person | None:
        """The person met under that id on either network, or None."""
        return self._by_id.get(author_id)

    def find_handle(self, handle: str) -> Person | None:
        """The person met under that handle, or None."""
        return self._by_handle.get(handle)

    def someone(self, rng: Random) -> Person:
        """A citizen or bot, the active ones more often."""
        return self[int(rng.random() ** 2.5 * self.size)]

    def newsroom(self, rng: Random) -> Person:
        return self[-1 - int(rng.random() ** 2 * 40)]

    def official(self, rng: Random) -> Person:
        return self[-101 - int(rng.random() ** 2 * 60)]

    def bot(self, rng: Random) -> Person:
        return self[-201 - int(rng.random() * 150)]


def _make(seed: int, number: int) -> Person:
    """Numbers from 0 are citizens; -1 to -100 newsrooms, -101 to -200 officials, below that bots."""
    rng = Random((seed << 40) + (number + 1_000_000))
    place = name(int(40_000 ** rng.random()) + 7)
    first = _FIRST[int(rng.random() * len(_FIRST))]
    last = name(int(400_000 ** rng.random()))
    chance = rng.random()
    lang = next(code for code, share in LANGUAGES if chance < share)
    followers = int(3 * 10 ** (rng.random() ** 1.3 * 4.2))
    digits = str(rng.randrange(10, 99))
    if number >= 0:
        role, shown = "citizen", f"{first} {last}"
        form = _HANDLE_FORMS[int(rng.random() * len(_HANDLE_FORMS))]
        # The number keeps handles apart; multiplied by an odd number it looks like no number.
        mark = _base32((number * 648_053 + 321_967) & 0xFFFFF, 4)
        handle = form.format(f=first, l=last, n=digits)[: 15 - len(mark)] + mark
    elif number >= -100:
        role, lang = "newsroom", "fr" if number % 3 == 0 else "en"
        title = _pick(rng, "Journal|Infos|Radio" if lang == "fr" else "Herald|News|Radio|Times|Post")
        shown, handle, followers = f"{place} {title}", f"{place[:8]}{title}{-number}", 20_000 + followers * 20
    elif number >= -200:
        role, lang = "official", "fr" if number % 3 == 0 else "en"
        title = _pick(rng, "Pompiers|Mairie|Police" if lang == "fr" else "Fire|Police|Council|Hospital")
        shown, handle, followers = (
            f"{place} {title}",
            f"{place[:6]}_{title[:5]}{-number}",
            5_000 + followers * 5,
        )
    else:
        role, shown, handle = "bot", f"{last} Updates", f"{last[:8]}Bot{-number}"
    bio = _BIOS[role][int(rng.random() * len(_BIOS[role]))]
    liked = _LIKES[int(rng.random() * len(_LIKES))] if role != "newsroom" else place
    return Person(
        number=number,
        place=place,
        # The number is part of the id, so that no two people can share one.
        id=str((rng.randrange(1, 9_000) << 20 | (number + 1_000)) + (1 << 34)),
        did="did:plc:" + _base32(rng.getrandbits(90) << 30 | (number + 1_000), 24),
        handle=handle[:15],
        name=shown,
        bio=bio.replace("{}", liked),
        lang=lang,
        role=role,
        followers=followers,
        following=int(followers ** rng.random() * 2),
        posts=int(20_000 * rng.random() ** 2) + 1,
        verified=role in ("newsroom", "official") or rng.random() < 0.03,
        joined=1_240_000_000_000_000 + int(rng.random() * 480_000_000) * 1_000_000,
    )


def _pick(rng: Random, joined: str) -> str:
    choices = words(joined)
    return choices[int(rng.random() * len(choices))]


def _base32(number: int, width: int) -> str:
    return "".join([_BASE32[number >> shift & 31] for shift in range(5 * width - 5, -1, -5)])
