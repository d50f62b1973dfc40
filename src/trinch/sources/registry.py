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


_BUILT_IN = (
    SourceKind("jetstream", "Bluesky's Jetstream, v1 and v2", lambda url: Jetstream(url or JETSTREAM)),
)


@cache
def source_kinds() -> dict[str, SourceKind]:
    """All sources; a built-in one wins over an entry point of the same name."""
    added: list[SourceKind] = [point.load() for point in entry_points(group="trinch.sources")]
    return {kind.name: kind for kind in (*added, *_BUILT_IN)}


def open_source(text: str) -> LiveSource:
    """The source that `NAME`, `NAME:ADDRESS` or a bare `ws://` or `wss://` address (a Jetstream) asks for.

    Raises ValueError on an unknown name or an address the source cannot use."""
    if text.startswith(("ws://", "wss://")):
        return Jetstream(text)
    name, _, address = text.partition(":")
    kind = source_kinds().get(name)
    if kind is None:
        raise ValueError(f"no such source: {name!r}; there are {', '.join(sorted(source_kinds()))}")
    return kind.open(address)
