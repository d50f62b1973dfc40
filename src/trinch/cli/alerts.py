"""`trinch alerts`: saved searches and topics that say when something matches."""

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import click

from trinch.cli import console
from trinch.cli.group import CommandGroup
from trinch.cli.options import data_option, json_option, open_store, private_webhooks_option


@click.group(cls=CommandGroup)
def alerts() -> None:
    """Save searches and topics that say when new posts match, burst, form a story, move a number, deny, or stay away.

    \b
    Example:
      trinch alerts add "flood lang:en" --webhook https://example.org/hook
      trinch alerts list
      trinch alerts run
    """


@alerts.command("add")
@click.argument("query", default="")
@click.option(
    "--topic", default="", metavar="TEXT", help="A topic in plain words, instead of QUERY or besides it."
)
@click.option("--name", default="", help="Its name; by default the topic or the query.")
@click.option(
    "--trigger", type=click.Choice(["match", "burst", "story", "number", "denial", "silence"]), default="match",
    show_default=True,
    help="When it fires: a post matches, many more than usual do, a story begins, a number changes, something is denied, "
    "or nothing matches for the window.",
)  # fmt: skip
@click.option(
    "--window",
    default="1h",
    show_default=True,
    metavar="TIME",
    help="Time of a burst, story or silence: 1m to 31d.",
)
@click.option(
    "--factor", type=float, default=3.0, show_default=True, help="Burst: times the usual number of posts."
)
@click.option("--least", type=int, default=5, show_default=True, help="Burst: fewest posts in the window.")
@click.option("--webhook", default="", metavar="URL", help="Send signed JSON to this address.")
@click.option(
    "--email", default="", metavar="ADDRESS", help="Send e-mail, through the server in TRINCH_SMTP."
)
@click.option(
    "--channel", default="", metavar="NAME:ADDRESS", help="Send through a channel that a package adds."
)
@click.option(
    "--quiet", default="", metavar="HH:MM-HH:MM", help="Deliver nothing in these hours, but afterwards."
)
@click.option("--zone", default="UTC", show_default=True, help="Time zone of --quiet, such as Europe/Paris.")
@click.option(
    "--digest", default="", metavar="TIME", help="Deliver once in such a time, all together: 1h, 1d."
)
@click.option("--cap", type=int, default=60, show_default=True, help="Most deliveries in an hour.")
@data_option
@json_option
def add(data: Path, as_json: bool, **settings: Any) -> None:
    """Save an alert for posts that are ingested from now on. Its firings are delivered while `trinch serve` or `trinch
    alerts run` is running; without --webhook, --email and --channel they are in `trinch alerts show` and in the event stream.

    QUERY holds search operators (docs/search.md).

    \b
    Example:
      trinch alerts add "flood lang:en" --webhook https://example.org/hook
      trinch alerts add --topic "flooding in Port Esker" --trigger number --email desk@example.org
      trinch alerts add "from:harbour" --trigger silence --window 6h
    """
    from trinch.alerts.types import AlertError
    from trinch.service.alert_session import Alerts

    try:
        added = Alerts(open_store(data, as_json)).add(**settings)
    except AlertError as error:
        console.fail(f"{'QUERY' if error.param == 'query' else f'--{error.param}'}: {error.reason}", 2)
    if as_json:
        console.print_json(added)
        return
    click.echo(added["id"])
    console.note(f"matches: {added['query'] or 'every post'}")
    if "secret" in added:
        console.note(f"its webhooks are signed with {added['secret']}; keep it, it is not shown again")


@alerts.command("list")
@data_option
@json_option
def list_alerts(data: Path, as_json: bool) -> None:
    """List the alerts.

    \b
    Example:
      trinch alerts list
    """
    from trinch.service.alert_session import Alerts

    found = Alerts(open_store(data, as_json)).list()
    if as_json:
        console.print_json({"alerts": found})
        return
    rows = [
        (one["id"], one["name"], one["trigger"], one["query"], _receivers(one), one["owner"]) for one in found
    ]
    console.table("", ("id", "name", "trigger", "query", "receivers", "key"), rows)


@alerts.command("show")
@click.argument("id")
@data_option
@json_option
def show(id: str, data: Path, as_json: bool) -> None:
    """Show an alert, when it fired last and for which posts, and the state of its deliveries.

    \b
    Example:
      trinch alerts show a1b2c3d4e5f6
    """
    from trinch.service.alert_session import Alerts

    found = Alerts(open_store(data, as_json)).show(id)
    if found is None:
        _fail_missing(id)
    if as_json:
        console.print_json(found)
        return
    settings = (
        "name",
        "query",
        "trigger",
        "window",
        "webhook",
        "email",
        "channel",
        "quiet",
        "digest",
        "cap",
        "owner",
        "created",
    )
    console.summary({name: found[name] for name in settings if found[name] != ""})
    for one in found["deliveries"]:
        if one["error"]:
            console.warn(f"{one['channel']}: attempt {one['attempts']} failed: {one['error']}")
    for firing in found["firings"]:
        print_firing(firing)


@alerts.command("test")
@click.argument("id")
@click.option("--no-send", is_flag=True, help="Only show what it matched.")
@private_webhooks_option
@data_option
@json_option
def test(id: str, no_send: bool, private_webhooks: bool, data: Path, as_json: bool) -> None:
    """Show how many posts of the last day an alert matches, and send a test notification to its receivers.

    \b
    Example:
      trinch alerts test a1b2c3d4e5f6
    """
    from trinch.service.alert_session import Alerts

    found = Alerts(open_store(data, as_json)).test(id, send=not no_send, allow_private=private_webhooks)
    if found is None:
        _fail_missing(id)
    if as_json:
        console.print_json(found)
    else:
        least = "" if found["exact"] else "at least "
        console.out().print(f"{least}{found['posts']:,} posts of the last day match")
        for post in found["newest"]:
            _print_post(post)
        for one in found["deliveries"]:
            (console.note if one["delivered"] else console.warn)(f"{one['channel']}: {one['note']}")
    raise SystemExit(0 if all(one["delivered"] for one in found["deliveries"]) else 1)


@alerts.command("remove")
@click.argument("id")
@data_option
def remove(id: str, data: Path) -> None:
    """Remove an alert and all that is known of it.

    \b
    Example:
      trinch alerts remove a1b2c3d4e5f6
    """
    from trinch.service.alerts import remove_alert

    if not remove_alert(data, id):
        _fail_missing(id)


@alerts.command("run")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this many seconds.")
@private_webhooks_option
@data_option
def run(seconds: float | None, private_webhooks: bool, data: Path) -> None:
    """Match new posts against the alerts and deliver what fires, until interrupted. `trinch serve` does this too; one
    process does it at a time.

    \b
    Example:
      trinch alerts run
    """
    from trinch.cli.interrupts import run_until_interrupted
    from trinch.service.alerts import run_alerts

    open_store(data, False).close()

    async def work(stop: asyncio.Event) -> None:
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        await run_alerts(data, stop, private_webhooks)

    run_until_interrupted(work)


def print_firing(firing: dict[str, Any]) -> None:
    """When and why an alert fired, and the posts."""
    console.out().print(
        f"[bold]{firing['at'][:16].replace('T', ' ')} UTC[/]  {console.escape(firing['summary'])}"
    )
    for post in firing["posts"]:
        _print_post(post)


def _print_post(post: dict[str, Any]) -> None:
    author = f"@{post['author']}" if post["author"] else post["network"]
    text = post.get("quote") or post["text"]
    console.out().print(f"  [dim]{_safe(author)}[/] {_safe(text)}", soft_wrap=True)
    console.out().print(f"  [dim]{_safe(post['url'] or post['key'])}[/]", soft_wrap=True)


def _receivers(alert: dict[str, Any]) -> str:
    return " ".join(part for part in (alert["webhook"], alert["email"], alert["channel"]) if part)


def _safe(text: str) -> str:
    return console.escape(console.clean(text))


def _fail_missing(id: str) -> NoReturn:
    console.fail(f"there is no alert {id} (trinch alerts list shows them)", 1)
