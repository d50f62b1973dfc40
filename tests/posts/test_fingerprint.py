"""Near-copies are found by a shared token and told from look-alikes by their facts."""

import difflib
import json
import random
import re
import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from trinch.posts.near_duplicates import COPY, SAMPLE, similar, sketch

LINK = re.compile(r"https?://\S*")
TERM = re.compile(r"[#@$]?\w+(?:'\w+)?|[^\w\s.,:;!?…\"'()-]")


def terms(text: str) -> list[str]:
    """Folded words, much as the index cuts them."""
    plain = unicodedata.normalize("NFKD", LINK.sub(" ", text).lower())
    return TERM.findall("".join(char for char in plain if not unicodedata.combining(char)))


def is_copy(a: str, b: str) -> bool:
    one, other = terms(a), terms(b)
    return bool(set(sketch(one)) & set(sketch(other))) and similar(one, other) >= COPY


POST = "Harbour master: the ferry Aurelia has docked at Port Lund, all 87 passengers are safe http://t.co/a1"


@pytest.mark.parametrize(
    "copy",
    [
        f"RT @tidewatch: {POST}",
        "RT @tidewatch: Harbour master: the ferry Aurelia has docked at Port Lund, all 87 pass…",
        "RT @tidewatch: Harbour master: the ferry Aurelia has docked at Port Lund, a…",
        f"{POST} via @tidewatch",
        f"MT @tidewatch {POST} 🙏🙏",
        f"So relieved! RT @tidewatch: {POST}",
        f"{POST} #Aurelia #news",
        POST.replace("t.co/a1", "sho.rt/b2"),
        LINK.sub("", POST).upper(),
        POST.replace("the ferry Aurelia", "the #ferry #Aurelia"),
        POST.replace("passengers", "people"),
    ],
)
def test_copies(copy: str) -> None:
    assert is_copy(POST, copy)
    assert is_copy(copy, POST)


@pytest.mark.parametrize(
    "other",
    [
        POST.replace("87", "86"),
        POST.replace("all 87 passengers are safe", "all passengers are safe"),
        POST.replace("are safe", "are not safe"),
        "FAKE! " + POST,
        "The ferry Aurelia leaves Port Lund at noon",
        "Port Lund",
        "",
        "🙏🙏🙏",
        POST + " " + "What a day it was for the whole town, with bells and lights and music on the quay" * 2,
    ],
)
def test_what_is_no_copy(other: str) -> None:
    assert not is_copy(POST, other)
    assert not is_copy(other, POST)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("87 dead in Savar", "290 dead in Savar"),
        ("death toll in Savar rises to 87", "RT @x: death toll in Savar rises to 290"),
        ("$TIDE upgraded to buy by Lund Bank", "$LUND upgraded to buy by Lund Bank"),
        ("two people hurt when the pier gave way", "five people hurt when the pier gave way"),
    ],
)
def test_facts_must_agree(a: str, b: str) -> None:
    assert similar(terms(a), terms(b)) == 0.0


def test_very_short_texts_are_copies_only_when_the_same() -> None:
    assert is_copy("RT @x: Good morning!", "good morning 😀 http://t.co/1")
    assert not is_copy("good morning", "good evening")
    assert not is_copy("good morning", "morning good")
    assert sketch(terms("🙏 @x http://t.co/1")) == ()


lists = st.lists(
    st.text(max_size=5) | st.sampled_from(["rt", "@x", "#a", "a", "b", "87", "$c", "not"]), max_size=30
)


@given(a=lists, b=lists)
def test_properties(a: list[str], b: list[str]) -> None:
    tokens = sketch(a)
    assert tokens == sketch(list(a))
    assert len(tokens) <= SAMPLE + 1
    assert all(len(token) == 7 and token.isalnum() for token in tokens)
    assert 0.0 <= similar(a, b) == similar(b, a) <= 1.0
    assert similar(a, a) == (1.0 if tokens else 0.0)


def test_the_sketch_never_changes() -> None:
    """It lies in indexes on disk."""
    assert sketch(["harbour", "master"]) == ("0040b64",)
    assert sketch(terms(POST)) == ("a19eb5e", "970a208", "b0016fe", "2cb6a8c", "0d95031")


def copied(text: str, rng: random.Random) -> str:
    """One of the ways in which people repeat a text."""
    bare, words = LINK.sub("", text).strip(), text.split()
    plain = [n for n, word in enumerate(words) if word.isalpha() and len(word) > 5]
    if plain:
        words[rng.choice(plain)] = "someone"
    return rng.choice(
        [
            f"RT @newsdesk: {text}",
            f"RT @newsdesk: {text}"[: max(70, 14 + len(text) * 7 // 10)] + "…",
            f"{text} via @newsdesk",
            f"{bare} http://t.co/Zz9",
            f"{text} 😢🙏",
            f"{text} #breaking #news",
            f"So sad. RT @newsdesk: {text}",
            bare[: max(60, len(bare) * 7 // 10)] + "… http://t.co/Zz9",
            f"MT @newsdesk {bare}",
            " ".join(words),
        ]
    )


SAME = 0.8
"""Of `letters_shared`: from here on the second judge calls them copies. Strict: it costs true ones too."""


def letters_shared(a: str, b: str) -> float:
    """Another judge of copies: the share of the shorter text that stands in the longer, by letters."""
    one, other = (
        " ".join(re.sub(r"@\w+|[^\w ]|\b[rm]t\b", " ", LINK.sub("", x).lower()).split()) for x in (a, b)
    )
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size > 3) / max(1, min(len(one), len(other)))


def rows(path: Path) -> list[dict[str, object]]:
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.needs("social")
@pytest.mark.parametrize("name", ["crisisnlp_crowdflower", "crisisnlp_volunteers", "reportedly2015_aug"])
def test_copies_made_of_real_posts(shared: Path, name: str) -> None:
    """Posts no constant was chosen on. What the second judge calls a copy is not counted as a mistake."""
    rng = random.Random(7)
    texts = [str(row["text"]) for row in rows(shared / f"{name}.jsonl.zst")]
    first = {
        re.sub(r"\W", "", LINK.sub("", text.lower())): text for text in texts if " RT @" not in f" {text}"
    }
    originals = rng.sample(sorted(first.values()), min(1500, len(first)))
    posts = [(n, text) for n, text in enumerate(originals)] + [
        (n, copied(t, rng)) for n, t in enumerate(originals)
    ]
    cut = [terms(text) for _, text in posts]
    sharing: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(cut):
        for token in sketch(one):
            sharing[token].append(place)
    candidates = {(a, b) for places in sharing.values() for a in places for b in places if a < b}
    copies = [(a, b) for a, b in candidates if similar(cut[a], cut[b]) >= COPY]
    found = {posts[a][0] for a, b in copies if posts[a][0] == posts[b][0]}
    strange = {(posts[a][0], posts[b][0]): (posts[a][1], posts[b][1]) for a, b in copies}
    wrong = [pair for (a, b), pair in strange.items() if a < b and letters_shared(*pair) < SAME]
    precision, recall = len(found) / (len(found) + len(wrong)), len(found) / len(originals)
    print(
        f"{name}: precision {precision:.3f} recall {recall:.3f} candidates {len(candidates) / len(posts):.1f}"
    )
    assert 2 * precision * recall / (precision + recall) >= 0.95


@pytest.mark.long
@pytest.mark.needs("social/stocknet_2014.jsonl.zst")
def test_real_reposts(shared: Path) -> None:
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows(shared):
        groups[str(row.get("repost_of") or row["id"])][str(row["id"])] = str(row["text"])
    pairs = [(first, one) for first, *rest in (list(g.values()) for g in groups.values()) for one in rest]
    recall = sum(is_copy(a, b) for a, b in pairs) / len(pairs)

    originals = [next(iter(group.values())) for group in groups.values()]
    cut = [terms(text) for text in originals]
    sharing: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(cut):
        for token in sketch(one):
            sharing[token].append(place)
    candidates = {(a, b) for places in sharing.values() for a in places for b in places if a < b}
    tried = random.Random(7).sample(sorted(candidates), 20_000)
    copies = [(originals[a], originals[b]) for a, b in tried if similar(cut[a], cut[b]) >= COPY]
    agreed = sum(letters_shared(*pair) >= SAME for pair in copies) / len(copies)
    print(f"{len(pairs)} reposts: recall {recall:.4f}; {len(copies)} other copies: {agreed:.3f} agreed")
    assert recall >= 0.98
    assert agreed >= 0.98
