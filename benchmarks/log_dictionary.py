"""Make `store/event.zdict`, the dictionary with which the log compresses posts: `python -m benchmarks.log_dictionary`.

It is trained on simulated posts only, so that no dictionary holds the words of a person who may ask to be erased. The
same seeds give the same posts. A new dictionary needs a new number and the old file beside it: logs name theirs.
"""

from importlib.resources import files
from pathlib import Path

import msgspec
import zstandard

from trinch.posts import jetstream, x
from trinch.posts.schema import Created, Edited
from trinch.simulator.network import stream
from trinch.simulator.people import Crowd
from trinch.simulator.wire_jetstream import JetstreamFrames
from trinch.simulator.wire_x import XLines

SIZE, POSTS = 16_384, 6_000
"""Bytes of the dictionary, and posts of X it is trained on; larger ones compress real posts no better."""


def samples(seed: int) -> list[bytes]:
    """Events as they are stored, of lines of X and of frames of Jetstream."""
    crowd, found = Crowd(seed), []
    lines = XLines(crowd)
    for event in stream(seed, posts=POSTS, crowd=crowd):
        found += x.parse(lines.line(event))
    frames = JetstreamFrames()
    for event in stream(seed, posts=POSTS // 3, network="bluesky"):
        found += jetstream.parse(frames.frame(event))
    return [msgspec.json.encode(event) for event in found if isinstance(event, Created | Edited)]


def main() -> None:
    trained = zstandard.train_dictionary(SIZE, samples(seed=1), dict_id=1, level=1)
    Path(str(files("trinch.store").joinpath("event.zdict"))).write_bytes(trained.as_bytes())


if __name__ == "__main__":
    main()
