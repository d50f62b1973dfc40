"""The live sources, by name. Other packages add theirs through the entry point group `trinch.sources`."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import NamedTuple

from trinch.sources.jetstream_client import JETSTREAM, Jetstream
from trinch.sources.live import LiveSource


class SourceKind(NamedTuple):
    """What the registry holds of a source; an entry point loads one."""

    name: str
    summary: str
    """One line for the documentation."""
    open: Callable[[str], LiveSource]
    """Takes an address ("" for the default one). Raises ValueError on an address it cannot use."""
    settings: tuple[str, ...] = ()
    """Environment variables the source reads."""


def _x(address: str) -> LiveSource:
    from trinch.sources.x_client import X

    return X(address)


def _mastodon(address: str) -> LiveSource:
    from trinch.sources.mastodon_client import Mastodon

    return Mastodon(address)


def _feed(address: str) -> LiveSource:
    from trinch.sources.feed_client import Feed

    return Feed(address)


def _nats(address: str) -> LiveSource:
    from trinch.sources.nats_client import Nats

    return Nats(f"nats:{address}")


def _kafka(address: str) -> LiveSource:
    from trinch.sources.kafka_client import Kafka

    return Kafka(f"kafka:{address}")


_BUILT_IN = (
    SourceKind("jetstream", "Bluesky's Jetstream, v1 and v2", lambda url: Jetstream(url or JETSTREAM)),
    SourceKind(
        "x", "X's API v2: filtered, sampled and compliance streams, recent search", _x, ("X_BEARER_TOKEN",)
    ),
    SourceKind("mastodon", "A Mastodon server's streaming API", _mastodon, ("MASTODON_TOKEN",)),
    SourceKind("feed", "An RSS or Atom feed, by polling", _feed),
    SourceKind("nats", "A subject of NATS, with JetStream or without", _nats),
    SourceKind(
        "kafka",
        "A topic of Kafka",
        _kafka,
        ("KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM"),
    ),
)


@cache
def source_kinds() -> dict[str, SourceKind]:
    """All sources; a built-in one wins over an entry point of the same name."""
    added: list[SourceKind] = [point.load() for point in entry_points(group="trinch.sources")]
    return {kind.name: kind for kind in (*added, *_BUILT_IN)}


def open_source(text: str) -> LiveSource:
    """The source that `NAME`, `NAME:ADDRESS` or a bare `ws://` or `wss://` address (a Jetstream) asks for.

    Raises ValueError on an unknown name, an address the source cannot use, or a package it needs that is missing."""
    if text.startswith(("ws://", "wss://")):
        return Jetstream(text)
    name, _, address = text.partition(":")
    kind = source_kinds().get(name)
    if kind is None:
        raise ValueError(f"no such source: {name!r}; there are {', '.join(sorted(source_kinds()))}")
    try:
        return kind.open(address)
    except ImportError:
        extra = name if name in ("nats", "kafka") else "live"
        raise ValueError(f"{name} needs an extra: pip install 'trinch[{extra}]'") from None
