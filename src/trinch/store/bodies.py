"""How the body of an event is stored: JSON, that of a post compressed with a dictionary that all posts share.

Each post is compressed by itself, so that one is read, or erased, without touching another. Events other than posts
are short and stay JSON, as do the posts that releases before format 3 stored; the first byte tells them apart.
"""

from importlib.resources import files
from threading import local

import msgspec
import zstandard

from trinch.posts.schema import Created, Edited, Event
from trinch.posts.wire import UNREADABLE

DICTIONARY = files("trinch.store").joinpath("event.zdict")
"""Number 1; made by `python -m benchmarks.log_dictionary` from simulated posts. Frames name its number."""

_LEVEL = 1
"""Level 3 saves 2 % more and costs twice as much."""

_VERSIONS = (Created, Edited)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class DamagedBody(ValueError):
    """A stored body that cannot be read."""


class _Codec(local):
    """The contexts of zstd, which threads cannot share."""

    def __init__(self) -> None:
        dictionary = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
        dictionary.precompute_compress(level=_LEVEL)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_dict_id=1, write_content_size=1
        )
        self.compress = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters).compress
        self.decompress = zstandard.ZstdDecompressor(
            dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS
        ).decompress


_codec = _Codec()


def encode(event: Event) -> bytes:
    """An event as it is stored. TypeError for what is no JSON."""
    body = _encode(event)
    return _codec.compress(body) if isinstance(event, _VERSIONS) else body


def plain(body: bytes) -> bytes:
    """The JSON of a stored body. Raises DamagedBody."""
    # No frame begins so: bit 0x08 of its descriptor is reserved and zero (RFC 8878, 3.1.1.1.1).
    if body[:1] == b"{":
        return body
    try:
        return _codec.decompress(body)
    except (zstandard.ZstdError, MemoryError) as error:  # MemoryError: a size that cannot be
        raise DamagedBody(str(error)) from None


def is_new_post(body: bytes) -> bool:
    """Whether a stored body is that of a `Created`, found without decoding it. Raises DamagedBody."""
    return plain(body).startswith(b'{"kind":"created"')


def decode(body: bytes) -> Event:
    """The event of a stored body. Raises DamagedBody."""
    try:
        event: Event = _decode(plain(body))
    except UNREADABLE as error:
        raise DamagedBody(str(error)) from None
    return event
