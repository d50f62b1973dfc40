"""The verifier on pairs of our own, over invented events in six languages, and its properties."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import trinch
from trinch.answers.verify.reading import CitedText, moment
from trinch.answers.verify.verifier import verify
from trinch.cli.main import main

PAIRS = [json.loads(line) for line in (Path(__file__).parent / "verify_pairs.jsonl").read_text().splitlines()]
KNOWN = {
    "The success of the building in Malden is closed.",
    "In Varn brannte ein Haus und in Malden eine Schule.",
}
"""False sentences that pass: a wrong translation of one word of four, a list whose
second part has no verb."""


def cited(pair: dict[str, list[list[str]]]) -> list[CitedText]:
    return [CitedText(text, "", moment(at)) for text, at in pair["posts"]]


@pytest.mark.parametrize("pair", [p for p in PAIRS if p["kind"] != "true"], ids=lambda p: p["kind"])
def test_a_false_sentence_is_refused_with_a_reason(pair: dict[str, str]) -> None:
    verdict = verify(pair["sentence"], pair["lang"], cited(pair))  # type: ignore[arg-type]  # JSON
    if pair["sentence"] in KNOWN:
        assert verdict.supported, "no longer let through: take it off the list"
        return
    assert not verdict.supported
    assert verdict.reason


def test_most_true_sentences_are_kept() -> None:
    true = [pair for pair in PAIRS if pair["kind"] == "true"]
    kept = [pair for pair in true if verify(pair["sentence"], pair["lang"], cited(pair)).supported]
    assert len(true) == 28
    assert len(kept) >= 25


def test_the_times_of_the_posts_decide() -> None:
    early, late = datetime(2031, 4, 1, 10, tzinfo=UTC), datetime(2031, 4, 1, 13, tzinfo=UTC)
    texts = ("Malden quake: 11 dead", "Malden quake death toll now 14")
    sentence = "The toll of the Malden quake went from 11 to 14."
    assert verify(
        sentence, "en", [CitedText(t, "", at) for t, at in zip(texts, (early, late), strict=True)]
    ).supported
    swapped = [CitedText(t, "", at) for t, at in zip(texts, (late, early), strict=True)]
    assert not verify(sentence, "en", swapped).supported


@pytest.mark.parametrize("pair", PAIRS[::7], ids=lambda p: p["kind"])
def test_without_the_words_of_a_post_nothing_is_supported(pair: dict[str, str]) -> None:
    assert not verify(pair["sentence"], pair["lang"], [CitedText("")]).supported
    assert not verify(pair["sentence"], pair["lang"], []).supported
    assert not verify(pair["sentence"], pair["lang"], [CitedText("Nice weather at the lake today")]).supported


def test_a_language_without_marks_is_refused() -> None:
    assert verify(
        "橋は閉鎖された", "ja", [CitedText("橋は閉鎖された")]
    ).supported  # word for word, as in any language
    verdict = verify("橋は閉鎖された", "ja", [CitedText("昨日、橋は閉鎖された")])
    assert (verdict.supported, "ja" in verdict.reason) == (False, True)


@settings(deadline=None, max_examples=40)
@given(
    st.text(max_size=200),
    st.sampled_from(["en", "de", "ar", "xx", ""]),
    st.lists(st.text(max_size=200), max_size=3),
)
def test_any_text_gets_a_verdict(sentence: str, lang: str, posts: list[str]) -> None:
    verdict = verify(sentence, lang, [CitedText(text) for text in posts])
    assert 0.0 <= verdict.score <= 1.0
    assert verdict.supported == (not verdict.reason)


def test_the_command_and_the_api() -> None:
    post = {
        "text": "Malden bridge closed after quake",
        "created_at": "2031-04-01T10:00:00Z",
        "id": "1",
        "network": "x",
    }
    good = {"sentence": "The bridge at Malden is closed.", "lang": "en", "posts": [post]}
    bad = good | {"sentence": "The bridge at Malden is open."}
    lines = io.BytesIO("\n".join([json.dumps(good), json.dumps(bad)]).encode())
    done = CliRunner().invoke(main, ["verify"], input=lines)
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["supported"], second["supported"]) == (True, False)
    assert second["reason"]
    assert first["score"] > second["score"]
    done = CliRunner().invoke(main, ["verify"], input='{"sentence": 1}\n')
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[0])["supported"] is False
    assert trinch.verify("The bridge at Malden is closed.", [post]).supported
    assert trinch.verify("The bridge at Malden is closed.", ["Malden bridge closed"], "en").supported


TEXTS = [text for pair in PAIRS for text, *_ in pair["posts"]]


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(TEXTS), st.data())
def test_a_whole_sentence_of_a_post_passes_whatever_its_case_and_marks(
    text: str, data: st.DataObject
) -> None:
    pieces = [piece.strip() for piece in re.split(r"(?<=[.!?…])\s+", text) if re.search(r"\w", piece)]
    sentence = data.draw(st.sampled_from(pieces))
    changes: list[Callable[[str], str]] = [
        str,
        str.lower,
        str.upper,
        lambda s: s.replace("#", "").replace("@", ""),
        _without_marks,
    ]
    change = data.draw(st.sampled_from(changes))
    lang = data.draw(st.sampled_from(["en", "de", "ja"]))
    assert verify(change(sentence), lang, [CitedText(text)]).supported


def _without_marks(text: str) -> str:
    return re.sub(r"[,;:.!\"“”]+(?=\s|$)", "", text)


@pytest.mark.parametrize(
    ("sentence", "posts", "supported"),
    [
        ("Ortun and Malden blame the storm.", ["Ortun: 24 dead in Malden storm", "Malden blames the storm for 24 deaths"], False),
        ("Both ferries, the Alba and the Corva, may sail again.", ["Ferry Alba cleared to sail again. The ferry Corva stays in port"], False),
        ("The Corva police arrested a suspect because of a clash with protesters.", ["Corva police arrested a suspect. The arrest prompted a clash with protesters"], False),
        ("2,176 refugees arrived in Corva from Malden.", ["2,176 refugees arrive in Malden from Corva"], False),
        ("Varn found 18 cases; later there were 32 altogether.", ["Varn finds another 18 cases", "Varn finds another 32 cases"], False),
        ("Numerous people were shot at the memorial in Varn.", ['Varn police: there were "numerous gunmen" at the memorial. One person was shot'], False),
        ("The storm in Varn killed no fewer than six people.", ["At least six people are dead after storm in Varn"], True),
        ("Fifteen people were killed or hurt by the gas blast in Varn.", ["A gas explosion at an apartment block in Varn killed one person and injured 14 others"], True),
        ("Mira Sund was arrested in Varn.", ["Mira Sund was arrested in Varn, police said."], True),
        ("Mira Sund was arrested in Varn.", ["Mira Sund was arrested in Varn, her rival claimed."], False),
        ("Orlova has profited from stolen cells.", ["Her family had accused Orlova of profiting from stolen cells"], False),
        ("Friends of a Varn teen were rescued after the avalanche.", ["Rescued Varn teen devastated as friends die in avalanche"], False),
        ("Orlova met Tessin in Varn.", ["Orlova meets Tessin in Varn"], True),
        ("The trial of Tessin began in Orlova near Varn.", ["Trial of Orlova begins in Tessin, near Varn"], False),
    ],
)  # fmt: skip
def test_kinds_of_error(sentence: str, posts: list[str], supported: bool) -> None:
    at = [datetime(2031, 4, day, 10, tzinfo=UTC) for day in range(1, len(posts) + 1)]
    cited = [CitedText(text, "", time) for text, time in zip(posts, at, strict=True)]
    verdict = verify(sentence, "en", cited)
    assert verdict.supported == supported, verdict.reason


def test_the_verdict_does_not_depend_on_the_order_of_a_set() -> None:
    """Languages are compared in one order, whatever the seed of Python's hashes."""
    code = (
        "from trinch.answers.verify.reading import CitedText, read_post;"
        "print(read_post(CitedText('Terremoto de 7,5 no Varn: a costa')).lang, read_post(CitedText('para no casa')).lang)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "5")
    }
    assert len(said) == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "true", "false", "least_kept", "most_let"),
    [("verify_real_pairs.jsonl", 190, 311, 0.52, 0.01), ("verify_more_pairs.jsonl", 129, 94, 0.46, 0.02)],
)
def test_sentences_over_real_posts(
    shared: Path, file: str, true: int, false: int, least_kept: float, most_let: float
) -> None:
    """Our own pairs, by ids: none of the posts of the set that the verifier is measured on, see docs/llm.md."""
    pairs = [json.loads(line) for line in (Path(__file__).parent / file).read_text().splitlines()]
    posts = real_posts(shared, {id for pair in pairs for id in pair["posts"]})
    kept: list[bool] = []
    let: list[bool] = []
    for pair in pairs:
        passed = verify(pair["sentence"], pair["lang"], [posts[id] for id in pair["posts"]]).supported
        (kept if pair["kind"] == "true" else let).append(passed)
    assert (len(kept), len(let)) == (true, false)
    assert sum(kept) >= least_kept * len(kept)
    assert sum(let) <= most_let * len(let)


def real_posts(folder: Path, wanted: set[str]) -> dict[str, CitedText]:
    """The wanted posts of the collections in `replay` and `social`."""
    found: dict[str, CitedText] = {}
    for path in sorted((*folder.glob("replay/*.jsonl.zst"), *folder.glob("social/*.jsonl.zst"))):
        for line in zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read().split(b"\n"):
            id = re.search(rb'"id": ?"([^"]+)"', line)
            if id and id[1].decode() in wanted - found.keys():
                post = json.loads(line)
                at = moment(post.get("created_at") or "")
                found[post["id"]] = CitedText(
                    post["text"], post.get("author") or "", at, post.get("lang") or ""
                )
    return found
