"""Alert channels that packages add: what they do wrong is a failed attempt, never an error of ours."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import trinch
from trinch.alerts import channels
from trinch.alerts.channels import ChannelKind, Result
from trinch.alerts.types import AlertSettings
from trinch.posts.times import now
from trinch.server.api import alerts as api
from trinch.server.http.access import Access
from trinch.server.http.errors import Problem


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """What the channel `list` was given; it fails the first time."""
    found: list[tuple[str, str, dict[str, Any]]] = []

    def send(address: str, key: str, body: dict[str, Any]) -> Result:
        found.append((address, key, body))
        if len(found) == 1:
            raise RuntimeError("out of paper")
        return Result(True, "listed", gone=address == "full")

    def check(address: str) -> None:
        if address == "nowhere":
            raise ValueError("there is no such list")

    kinds = {"list": ChannelKind("list", "A list", send, check)}
    monkeypatch.setattr(channels, "channel_kinds", lambda: kinds)
    return found


def test_a_failed_attempt_is_repeated_with_the_same_key(
    sent: list[tuple[str, str, dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trinch.alerts.outbox.FIRST_WAIT", 0.1)
    at = now()
    with trinch.open(tmp_path) as t:
        alert = t.alerts.add("ferry", channel="list:harbour")
        t.ingest(
            [
                trinch.Created(
                    at=at, network="x", post=trinch.Post(network="x", id="1", created_at=at, text="Ferry!")
                )
            ]
        )
        t.alerts.run(3)
        assert [(address, key) for address, key, _ in sent] == [("harbour", f"{alert['id']}-list-1-1")] * 2
        assert sent[1][2]["data"]["firings"][0]["posts"][0]["text"] == "Ferry!"
        assert t.alerts.show(alert["id"])["deliveries"][0] == {
            "channel": "list", "pending": False, "attempts": 0, "error": None,
        }  # fmt: skip
        (result,) = t.alerts.test(alert["id"])["deliveries"]
        assert result == {"channel": "list", "delivered": True, "note": "listed"}


@pytest.mark.parametrize(
    ("channel", "reason"),
    [("pigeon:loft", "no such channel: 'pigeon'; there are list"), ("list:nowhere", "there is no such list")],
)
@pytest.mark.usefixtures("sent")
def test_an_alert_with_a_wrong_channel_is_not_saved(channel: str, reason: str, tmp_path: Path) -> None:
    with trinch.open(tmp_path) as t, pytest.raises(trinch.AlertError, match=reason) as caught:
        t.alerts.add("ferry", channel=channel)
    assert caught.value.param == "channel"


def test_a_channel_whose_package_is_gone_is_a_failed_attempt() -> None:
    assert channels.send("pigeon:loft", "key", {}) == Result(
        False, "the package of the channel 'pigeon' is not installed"
    )


@pytest.mark.parametrize("field", ["channel", "email"])
def test_only_an_admin_may_have_packages_or_mail_send(field: str) -> None:
    given = AlertSettings(query="ferry", **{field: "list:x"})
    access = Access(key="k1", scopes=frozenset({"alerts"}))
    with pytest.raises(Problem) as caught:
        asyncio.run(api.add_alert(None, given, access))  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.param) == (403, field)
