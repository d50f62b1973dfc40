"""`trinch demo`: ingest, ask, show what is happening, and serve the page or print commands that continue from there.

Ingests the live Bluesky stream if it answers within three seconds; otherwise the seeded sample of
`simulator/sample.py`: invented people, an invented accident, two languages, corrections and a rumour.
"""

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trinch.cli import console
from trinch.posts.times import iso

if TYPE_CHECKING:
    from trinch.store.store import Store

CONNECT_SECONDS = 3.0
"""Time in which the live network must answer."""

LISTEN_SECONDS = 30.0
"""Length of the live part."""

Asked = tuple[str, int | None]
"""A question and its as-of time."""


@click.command()
@click.option("--offline", is_flag=True, help="Use our own sample even if the live network can be reached.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the demo's store; by default a temporary one, which is kept.",
)
@click.option(
    "--serve/--no-serve",
    default=None,
    help="Afterwards serve the page while our own sample is played at speed, until Ctrl-C. By default where it runs in a terminal.",
)
def demo(offline: bool, data: Path | None, serve: bool | None) -> None:
    """Ingest the live Bluesky stream, or our own sample where it cannot be reached, and ask questions.

    In a terminal it ends with the address of a page on which the sample unfolds: stories, trends, alerts that fire.

    \b
    Example:
      trinch demo
      trinch demo --offline --serve
    """
    from trinch.service.ask import answer, interpret
    from trinch.store.stats import stats
    from trinch.store.store import Store

    folder = data or Path(tempfile.mkdtemp(prefix="trinch-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    live = not offline and _reachable()
    if live:
        _ingest_live(folder)
    else:
        _ingest_sample(folder, offline)
    store = Store.open(folder)
    store.catch_up()
    found = stats(store)
    days = list(found.days)
    out = console.out()
    if not days:
        out.print("No post arrived meanwhile. Try again, or use our own sample: --offline")
        raise SystemExit(1)
    out.print(f"{found.posts:,} posts, {days[0]} to {days[-1]}, are durable and searchable.\n")
    for text, as_of in _live_questions(store) if live else _sample_questions():
        when = "" if as_of is None else f" --as-of {iso(as_of)}"
        command = console.escape(f"$ trinch ask {shlex.quote(text)}{when}")
        out.print(f"[bold green]{command}[/]", soft_wrap=True)
        console.print_answer(answer(store, interpret(text, as_of=as_of)))
        out.print()
    if not live:
        _show_stories(store)
    out.print("[bold]Continue with:[/]")
    for line in next_commands(folder, live):
        out.print(f"  {console.escape(line)}", soft_wrap=True)
    store.close()
    if _in_terminal() if serve is None else serve:
        from trinch.cli.demo_page import serve as serve_page

        raise SystemExit(serve_page())


def _in_terminal() -> bool:
    """Whether a person started this, who can open an address and end it."""
    return sys.stdin.isatty() and sys.stdout.isatty() and "CI" not in os.environ


def _reachable() -> bool:
    import asyncio

    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    from trinch.sources.jetstream_client import JETSTREAM, address

    async def first_frame() -> None:
        async with asyncio.timeout(CONNECT_SECONDS), connect(address(JETSTREAM, None)) as socket:
            await socket.recv()

    try:
        asyncio.run(first_frame())
    except (OSError, TimeoutError, WebSocketException):
        return False
    return True


def _ingest_live(folder: Path) -> None:
    from trinch.cli.interrupts import run_until_interrupted
    from trinch.service.listen import listen_all
    from trinch.sources.jetstream_client import Jetstream

    console.out().print(f"Ingesting the live Bluesky stream for {LISTEN_SECONDS:.0f} seconds …")
    report = console.live_line()
    run_until_interrupted(
        lambda stop: listen_all(
            folder,
            [Jetstream()],
            stop=stop,
            seconds=LISTEN_SECONDS,
            report=lambda _, totals, state: report(totals, state),
        )
    )
    console.out().print()


def _ingest_sample(folder: Path, offline: bool) -> None:
    from trinch.service.alert_session import Alerts
    from trinch.service.ingest import ingest_events
    from trinch.simulator.sample import sample
    from trinch.store.store import Store

    why = (
        "" if offline else f"The live Bluesky stream cannot be reached within {CONNECT_SECONDS:.0f} seconds. "
    )
    console.out().print(f"{why}Ingesting our own sample: an invented accident in an invented town.")
    store = Store.open(folder)
    if not Alerts(store).list():
        Alerts(store).add("filter:verified", topic="Port Esker", trigger="denial")
    ingest_events(store, sample())


def _sample_questions() -> list[Asked]:
    """The sample's questions; the death toll at its beginning and at its end, which shows it move."""
    from trinch.simulator.sample import QUESTIONS, UNANSWERABLE

    midway = QUESTIONS[2]
    return [(q.text, q.as_of) for q in (*QUESTIONS, UNANSWERABLE) if q.as_of != midway.as_of]


def _show_stories(store: "Store") -> None:
    """What was happening in the sample on its first evening, how that story went on, the alert that fired, and the brief
    of the next day."""
    from trinch.cli.stories import print_story, print_timeline, print_trends
    from trinch.service.briefs import brief_json
    from trinch.service.stories import catch_up, stories_json, story_json, trends_json
    from trinch.simulator.sample import QUESTIONS

    catch_up(store)
    out, evening = console.out(), QUESTIONS[2].as_of
    leading = stories_json(store, evening)["stories"]
    out.print(f"[bold green]$ trinch trends --limit 4 --as-of {iso(evening)}[/]", soft_wrap=True)
    print_trends(trends_json(store, evening, limit=4)["trends"])
    out.print()
    for story in leading[:1]:
        out.print(f"[bold green]$ trinch story {console.escape(story['id'])}[/]", soft_wrap=True)
        unfolded = story_json(store, story["id"])
        if unfolded:
            print_story(0, unfolded)
            print_timeline(unfolded["timeline"])
            out.print()
    _show_alert(store)
    ends, since = QUESTIONS[0].as_of, iso(evening) or ""
    command = f"$ trinch brief --topic 'Port Esker' --since {since} --as-of {iso(ends)}"
    out.print(f"[bold green]{command}[/]", soft_wrap=True)
    made = brief_json(store, ["Port Esker"], since, ends, format="md")
    out.print(console.escape(made["text"]), soft_wrap=True)


def _show_alert(store: "Store") -> None:
    """The alert that was saved before the sample was ingested, and three posts that it fired for, at their times."""
    from trinch.cli.alerts import print_firing
    from trinch.service.alert_session import Alerts
    from trinch.service.alerts import match_now

    match_now(store)
    alerts = Alerts(store)
    out = console.out()
    out.print(
        "[bold green]$ trinch alerts add filter:verified --topic 'Port Esker' --trigger denial[/]",
        soft_wrap=True,
    )
    for alert in alerts.list():
        shown = alerts.show(alert["id"])
        posts = [post for firing in reversed(shown["firings"] if shown else []) for post in firing["posts"]]
        for post in posts[:3]:
            print_firing({"at": post["at"], "summary": "a post denies something", "posts": [post]})
    out.print()


def _live_questions(store: "Store") -> list[Asked]:
    """Three questions about what was just ingested: its most frequent hashtags, else perennial topics."""
    tags = [tag.lstrip("#") for tag in store.index.common_tags(3)]
    texts = [f"what is happening with {tag}" for tag in tags]
    return [
        (text, None) for text in [*texts, "what are people saying about the news", "weather", "music"][:3]
    ]


def next_commands(folder: Path, live: bool) -> list[str]:
    """Commands over the demo's store that work as they are printed."""
    question = (
        "what are people saying about the weather" if live else "How many people were injured in Port Esker?"
    )
    query = "lang:en filter:links" if live else "explosion -rumour"
    return [
        shlex.join([*_own_name(), *words, "--data", str(folder)])
        for words in (
            ["ask", question],
            ["search", query, "--sort", "latest"],
            ["stats"],
            ["serve", "--no-listen"],
            ["demo", "--offline", "--serve"],
        )
    ]


def _own_name() -> list[str]:
    """How this program was called, so that it can be called again from the same shell."""
    called = Path(sys.argv[0])
    if called.name != "trinch":
        return [sys.executable, "-m", "trinch.cli.main"]
    found = shutil.which("trinch")
    return ["trinch"] if found and Path(found).resolve() == called.resolve() else [str(called)]
