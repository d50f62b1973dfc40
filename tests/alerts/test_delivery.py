"""From an acknowledged post to a webhook that was received, through the real process."""

import base64
import hashlib
import hmac
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.receiver import Received, Receiver, Worker, created, ingest, wait_for
from trinch.alerts.types import AlertSettings
from trinch.posts.schema import Deleted
from trinch.posts.times import now
from trinch.service.alerts import add_alert, remove_alert, show_alert
from trinch.store.store import Store


def add(store: Store, query: str, **more: Any) -> dict[str, Any]:
    return add_alert(store, AlertSettings(query=query, **more))


def test_a_post_that_matches_is_received_signed(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    ingest(store, created("0", "flood before the alert"))
    with Receiver() as receiver:
        alert = add(store, "flood -calm", name="Floods", webhook=receiver.url)
        with Worker(tmp_path):
            ingest(
                store,
                created("1", "a flood in town"),
                created("2", "calm after the flood"),
                created("3", "rain"),
            )
            wait_for(lambda: receiver.received)
            ingest(store, created("4", "flooding, floods"))
            wait_for(lambda: len(receiver.keys) == 2)
    assert receiver.keys == ["test:1", "test:4"]
    one = receiver.received[0]
    key = base64.b64decode(alert["secret"].removeprefix("whsec_"))
    signed = f"{one.id}.{one.headers['webhook-timestamp']}.".encode() + one.raw
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert one.headers["webhook-signature"] == f"v1,{digest}"
    assert one.body["type"] == "alert.fired"
    assert one.body["data"]["alert"]["name"] == "Floods"
    assert one.body["data"]["firings"][0]["posts"][0]["text"] == "a flood in town"
    shown = show_alert(store, alert["id"])
    assert shown is not None
    assert [firing["n"] for firing in shown["firings"]] == [2, 1]


@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.long)])
def test_kill_9_loses_no_post_and_repeats_only_with_the_same_key(tmp_path: Path, kills: int) -> None:
    """The process is killed again and again while posts come in; receivers fail now and then."""
    rng = random.Random(5)
    store, posts = Store.open(tmp_path), 0
    with Receiver(lambda _: (503 if rng.random() < 0.1 else 200, {})) as receiver:
        for word in ("flood", "storm"):
            add(store, word, webhook=receiver.url, cap=3600)
        for _ in range(kills):
            with Worker(tmp_path) as worker:
                before = len(receiver.received)
                ingest(store, created(f"first{posts}", "flood"))
                wait_for(lambda count=before: len(receiver.received) > count)  # type: ignore[misc]
                end = time.monotonic() + 0.2 + rng.random() * 0.5
                while time.monotonic() < end:
                    texts = [f"{rng.choice(['flood', 'storm'])} number {posts + n}" for n in range(3)]
                    ingest(store, *(created(str(posts + n), text) for n, text in enumerate(texts)))
                    posts += 3
                    time.sleep(0.01)
                worker.kill()
        with Worker(tmp_path):
            wait_for(lambda: len(set(receiver.keys)) == posts + kills)
    carriers: dict[str, set[str]] = {}
    for one in receiver.received:
        for key in one.keys:
            carriers.setdefault(key, set()).add(one.id)
    assert posts > 20 * kills
    assert {key for key, ids in carriers.items() if len(ids) > 1} == set()
    bodies: dict[str, list[str]] = {}
    for one in receiver.received:
        assert bodies.setdefault(one.id, one.keys) == one.keys


def test_a_post_that_was_deleted_while_its_delivery_waited_is_not_delivered(tmp_path: Path) -> None:
    store, failing = Store.open(tmp_path), [True]

    def answer(_: Received) -> tuple[int, dict[str, str]]:
        return (503, {"Retry-After": "1"}) if failing[0] else (200, {})

    with Receiver(answer) as receiver:
        alert = add(store, "flood", webhook=receiver.url)
        with Worker(tmp_path):
            ingest(store, created("1", "flood one"), created("2", "flood two"))
            wait_for(lambda: receiver.received)
            ingest(store, Deleted(at=now(), network="test", id="1"))
            failing[0] = False
            wait_for(lambda: len(receiver.received) > 1)
            ingest(store, created("3", "flood three"), Deleted(at=now(), network="test", id="3"))
            ingest(store, created("4", "flood four"))
            wait_for(lambda: "test:4" in receiver.keys)
    first, second, third = receiver.received[0], receiver.received[1], receiver.received[-1]
    assert first.keys == ["test:1", "test:2"]
    assert (second.id, second.keys) == (first.id, ["test:2"])
    assert third.keys == ["test:4"]
    assert b"flood one" not in second.raw
    shown = show_alert(store, alert["id"])
    assert shown is not None
    assert b"flood one" not in str(shown).encode()


@pytest.mark.long
def test_a_slow_receiver_and_one_that_is_down_hold_up_nobody(tmp_path: Path) -> None:
    store = Store.open(tmp_path)

    def answer(one: Received) -> tuple[int, dict[str, str]]:
        time.sleep(5)
        return 200, {}

    with Receiver(answer) as slow, Receiver() as quick:
        for n in range(20):
            add(store, f"flood from:author{n}", webhook=slow.url)
        add(store, "flood", webhook="http://127.0.0.1:9/closed")
        add(store, "flood", webhook=quick.url)
        with Worker(tmp_path):
            ingest(store, *(created(str(n), "flood") for n in range(20)))
            wait_for(lambda: len(quick.keys) == 20)
            assert len(slow.received) <= 4  # at once, to one host
            began = time.monotonic()
            ingest(store, created("21", "flood again"))
            wait_for(lambda: "test:21" in quick.keys)
            assert time.monotonic() - began < 30


@pytest.mark.long
def test_a_receiver_that_wants_no_more_gets_no_more(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with Receiver(lambda _: (410, {})) as receiver, Receiver() as other:
        alert = add(store, "flood", webhook=receiver.url)
        add(store, "flood", webhook=other.url)
        with Worker(tmp_path):
            ingest(store, created("1", "flood one"))
            wait_for(lambda: (show_alert(store, alert["id"]) or {}).get("webhook") == "")
            ingest(store, created("2", "flood two"))
            wait_for(lambda: "test:2" in other.keys)
    assert receiver.keys == ["test:1"]


@pytest.mark.long
def test_private_addresses_are_refused_without_the_setting_and_removed_alerts_are_silent(
    tmp_path: Path,
) -> None:
    store = Store.open(tmp_path)
    with Receiver() as receiver:
        alert = add(store, "flood", webhook=receiver.url)
        with Worker(tmp_path, "public"):
            ingest(store, created("1", "flood one"))
            wait_for(lambda: (show_alert(store, alert["id"]) or {})["deliveries"])
            wait_for(lambda: (show_alert(store, alert["id"]) or {})["deliveries"][0]["error"])
            deliveries = (show_alert(store, alert["id"]) or {})["deliveries"]
        assert "not a public address" in deliveries[0]["error"]
        assert remove_alert(tmp_path, alert["id"])
        kept = add(store, "storm", webhook=receiver.url)
        with Worker(tmp_path):
            ingest(store, created("2", "flood two"), created("3", "storm"))
            wait_for(lambda: receiver.received)
    assert receiver.keys == ["test:3"]
    assert kept["id"] != alert["id"]
