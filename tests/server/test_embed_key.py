"""The key that signs the addresses of embedded answers."""

import errno
import secrets
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

import pytest

from trinch.server.web.embed import KEY, Embedded, EmbedKey

SHOWN = Embedded("what happened?", ("where?",), "2026-03-18T20:00:00Z")


def signature(key: EmbedKey, shown: Embedded) -> str:
    return parse_qs(urlsplit(key.address(shown)).query)["signature"][0]


def test_one_key_signs_one_answer(tmp_path: Path) -> None:
    made = signature(EmbedKey(tmp_path), SHOWN)
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    again = EmbedKey(tmp_path)
    assert again.is_signed(SHOWN, made)
    for other in (
        SHOWN._replace(question="who?"),
        SHOWN._replace(as_of="2026-03-18T21:00:00Z"),
        SHOWN._replace(earlier=()),
        Embedded("what happened?\0where?", (), SHOWN.as_of),
    ):
        assert not again.is_signed(other, made)
    assert not EmbedKey(tmp_path / "elsewhere").is_signed(SHOWN, made)
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_full_disk_leaves_no_empty_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(secrets, "token_bytes", full)
        with pytest.raises(OSError, match="no space"):
            EmbedKey(tmp_path).address(SHOWN)
    assert list(tmp_path.iterdir()) == []
    assert EmbedKey(tmp_path).is_signed(SHOWN, signature(EmbedKey(tmp_path), SHOWN))
