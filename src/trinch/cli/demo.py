"""`trinch demo`: drink for real, ask, and show how to go on. A script over the rooms; owns nothing.

The live Bluesky stream is drunk if it can be reached within three seconds; otherwise the seeded sample of
`simulator/sample.py` is: invented people, an invented accident, two languages, corrections and a rumour.
"""

import asyncio
import shlex
import sys
import tempfile
from pathlib import Path

from rich.markup import escape
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from trinch.answers.answer import answer
from trinch.cli import console
from trinch.posts.times import iso
from trinch.service.listen import listen_until
from trinch.simulator.sample import QUESTIONS, UNANSWERABLE, sample
from trinch.sources.jetstream_client import JETSTREAM, Jetstream, address
from trinch.store.stats import stats
from trinch.store.store import Store
from trinch.store.writer import Writer

REACH = 3.0
"""Seconds to find out whether the live network can be reached."""

LISTEN = 30.0
"""Seconds of live drinking."""

_MIDWAY = QUESTIONS[2].as_of
"""The toll is asked at its beginning and at its end; that is enough to see it move."""


def run(data: Path | None, offline: bool) -> int:
    """The demo; its exit status."""
    folder = data or Path(tempfile.mkdtemp(prefix="trinch-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    live = not offline and asyncio.run(_reachable())
    if live:
        console.out.print(f"Drinking the live Bluesky stream for {LISTEN:.0f} seconds …")
        listen_until(folder, Jetstream(), seconds=LISTEN, report=console.live_line())
        console.out.print()
    else:
        why = "" if offline else f"The live Bluesky stream cannot be reached within {REACH:.0f} seconds. "
        console.out.print(f"{why}Drinking our own sample: an invented accident in an invented town.")
        writer = Writer(folder)
        for event in sample():
            writer.take([event])
        writer.close()
    store = Store.open(folder)
    store.catch_up()
    found = stats(store)
    days = list(found.days)
    if not days:
        console.out.print("Nothing was posted meanwhile. Try again, or play our own sample: --offline")
        return 1
    console.out.print(f"{found.posts:,} posts, {days[0]} to {days[-1]}, are durable and searchable.\n")
    asked = [q for q in QUESTIONS if q.as_of != _MIDWAY] + [UNANSWERABLE]
    questions = _live_questions(store) if live else [(q.text, q.as_of) for q in asked]
    for text, as_of in questions:
        when = "" if as_of is None else f" --as-of {iso(as_of)}"
        console.out.print(f"[bold green]$ trinch ask {escape(shlex.quote(text))}{when}[/]", soft_wrap=True)
        console.print_answer(answer(store, text, as_of))
        console.out.print()
    _what_next(folder, live)
    return 0


async def _reachable() -> bool:
    try:
        async with asyncio.timeout(REACH), connect(address(JETSTREAM, None)) as socket:
            await socket.recv()
    except (OSError, TimeoutError, WebSocketException):
        return False
    return True


def _live_questions(store: Store) -> list[tuple[str, int | None]]:
    """Three questions about what was just drunk: the hashtags most spoken of, else what people always do."""
    common = [tag.lstrip("#") for tag in store.index.common_tags(3)]
    asked = [f"what is happening with {tag}" for tag in common]
    return [
        (text, None) for text in [*asked, "what are people saying about the news", "weather", "music"][:3]
    ]


def _what_next(folder: Path, live: bool) -> None:
    example = "search 'lang:en filter:links' --sort latest" if live else "search 'explosion -rumour'"
    at = shlex.quote(str(folder))
    called = Path(sys.argv[0])
    trinch = shlex.quote(str(called)) if called.name == "trinch" else "trinch"
    console.out.print("[bold]Go on:[/]")
    for line in (
        f"{example} --data {at}",
        f"stats --data {at}",
        "ingest YOUR-POSTS.jsonl.zst         # X, Jetstream or plain JSON lines",
        'ask "your question"',
    ):
        console.out.print(f"  {escape(f'{trinch} {line}')}", soft_wrap=True)
