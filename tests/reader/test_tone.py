"""The tone of a text: praise, blame or neither."""

import pytest

from trinch.reader.tone import tones

BLAME, NEITHER, PRAISE = range(3)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("I love this album, the best thing they made in years", PRAISE),
        ("Ce disque est magnifique", PRAISE),
        ("So disappointed, the ending was awful", BLAME),
        ("esto es una vergüenza", BLAME),
    ],
)
def test_a_clear_tone_is_seen(text: str, side: int) -> None:
    assert tones([text])[0].argmax() == side
    assert tones([text])[0][side] >= 0.75


@pytest.mark.parametrize(
    "text", ["Company announces new product on Tuesday", "You will look like a fool with these glasses", ""]
)
def test_what_has_no_clear_tone_gets_none(text: str) -> None:
    assert tones([text])[0].max() < 0.75


def test_a_negation_turns_praise() -> None:
    assert tones(["it is good"])[0][PRAISE] > tones(["it is not good"])[0][PRAISE]


def test_a_tone_depends_on_no_other_text() -> None:
    texts = ["I love it", "I hate it", "It opens on Tuesday"]
    assert tones(texts).tolist() == [tones([text])[0].tolist() for text in texts]
    assert tones([]).shape == (0, 3)
