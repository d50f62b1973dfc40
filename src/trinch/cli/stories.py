"""`trinch stories`, `story`, `trends`: what is happening, before it is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, catch_up_terms, data_option, json_option, open_store

if TYPE_CHECKING:
    from trinch.store.store import Store

window_option = click.option(
    "--window", default="24h", show_default=True, metavar="TIME", help="How far back: 90m, 24h, 7d."
)


lang_option = click.option(
    "--lang", default="", metavar="CODE", help="Only posts in this language, such as fr."
)
network_option = click.option(
    "--network", default="", metavar="NAME", help="Only posts of this network, such as bluesky."
)


def open_terms(data: Path, quiet: bool) -> "Store":
    """The store in a folder, with everything indexed, its terms too."""
    store = open_store(data, quiet)
    catch_up_terms(store, quiet)
    return store


@click.command()
@window_option
@click.option(
    "--about", default="", metavar="QUERY", help="Only stories whose posts match these search operators."
)
@lang_option
@network_option
@click.option("--limit", type=click.IntRange(1, 500), default=10, show_default=True, help="Most stories.")
@as_of_option
@data_option
@json_option
def stories(
    window: str,
    about: str,
    lang: str,
    network: str,
    limit: int,
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """List what is posted about more than before, grouped by happening, most newsworthy first.

    Each story has a headline and key points in exact, cited quotes. The first call indexes the words of all posts; later
    ones are quick. With a limit above 50, small stories are listed too.

    \b
    Example:
      trinch stories --window 6h
      trinch stories --lang fr --as-of 2026-05-12T18:00Z
    """
    from trinch.service.stories import WindowError, stories_json
    from trinch.store.query import QueryError

    store = open_terms(data, as_json)
    try:
        found = stories_json(store, as_of, window, limit, about, lang, network)
    except (WindowError, QueryError) as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(found)
    else:
        for number, story in enumerate(found["stories"], 1):
            print_story(number, story)
        console.note(f"{len(found['stories'])} stories of the {window} before {_minute(found['as_of'])}")
    raise SystemExit(0 if found["stories"] else 1)


@click.command()
@click.argument("id")
@as_of_option
@data_option
@json_option
def story(id: str, as_of: int | None, data: Path, as_json: bool) -> None:
    """Show one story with its timeline: a line for each development, cited.

    ID is that of `trinch stories`. The first three days from the date in it are read.

    \b
    Example:
      trinch story ferry-2026-05-12
    """
    from trinch.service.stories import story_json

    found = story_json(open_terms(data, as_json), id, as_of)
    if found is None:
        console.fail(f"there is no story {id} as of then; `trinch stories` lists the ids", 1)
    if as_json:
        console.print_json(found)
        return
    print_story(0, found)
    print_timeline(found["timeline"])


def print_timeline(lines: Sequence[dict[str, Any]]) -> None:
    """The developments of a story, oldest first."""
    for line in lines:
        console.out().print(
            f"[dim]{_minute(line['at'])}[/]  {_safe(line['text'])} [dim]({_count(line['posts'], 'post')})[/]",
            soft_wrap=True,
        )
        _print_source(line)


@click.command()
@window_option
@click.option(
    "--kind", type=click.Choice(["tag", "word", "name", "link"]), help="Only tags, words, names or links."
)
@lang_option
@network_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Most trends.")
@as_of_option
@data_option
@json_option
def trends(
    window: str,
    kind: Any,
    lang: str,
    network: str,
    limit: int,
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """List the tags, words, names and links that are used more than on ordinary days, and the story behind each.

    \b
    Example:
      trinch trends --kind tag --window 6h
    """
    from trinch.service.stories import WindowError, trends_json

    try:
        found = trends_json(open_terms(data, as_json), as_of, window, limit, kind, lang, network)
    except WindowError as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(found)
    else:
        print_trends(found["trends"])
    raise SystemExit(0 if found["trends"] else 1)


def print_trends(found: Sequence[dict[str, Any]]) -> None:
    """A table of trends."""
    rows = [
        (trend["text"], trend["kind"], trend["posts"], f"x{trend['growth']:.0f}", _why(trend))
        for trend in found
    ]
    console.table("", ("trend", "kind", "posts", "growth", "story behind"), rows)


def _why(trend: dict[str, Any]) -> str:
    discounts = f" (discounted: {', '.join(trend['discounts'])})" if trend["discounts"] else ""
    return (trend["headline"] or "no story") + discounts


def print_story(number: int, story: dict[str, Any]) -> None:
    """Headline, facts and key points of a story; `number` 0 prints none."""
    mark = f"{number}. " if number else ""
    console.out().print(f"[bold]{mark}{_safe(story['headline'])}[/]", soft_wrap=True)
    facts = [story["status"], _count(story["posts"], "post"), _count(story["authors"], "source")]
    facts += [f"since {_minute(story['first_seen'])}", f"{story['rate']:g} posts/h", story["id"]]
    facts += [f"discounted: {', '.join(story['discounts'])}"] if story["discounts"] else []
    console.out().print(f"   [dim]{_safe(' · '.join(facts))}[/]", soft_wrap=True)
    _print_source(story)
    for point in story["summary"]:
        console.out().print(f"   - {_safe(point['text'])}", soft_wrap=True)
        _print_source(point)
    console.out().print()


def _print_source(quoted: dict[str, Any]) -> None:
    citation = quoted["citations"][0]
    author = f"@{citation['author']}" if citation["author"] else citation["network"]
    console.out().print(
        f"     [dim]{_safe(author)}, {_minute(citation['at'])}  {_safe(citation['url'] or citation['id'])}[/]",
        soft_wrap=True,
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _minute(time: str) -> str:
    return time[:16].replace("T", " ") + " UTC"


def _safe(text: str) -> str:
    return console.escape(console.clean(text))
