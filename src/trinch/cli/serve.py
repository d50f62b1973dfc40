"""The verbs of this room, for the front door (`cli.py`): serve, keys, mcp.

Owns their options and what they print. Knows nothing of how anything is served.
"""

from importlib.util import find_spec
from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option, model_options, model_setting
from trinch.sources.jetstream_client import JETSTREAM


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8377, show_default=True, help="0 takes any free one."
)
@click.option(
    "--listen", multiple=True, metavar="SOURCE", envvar="TRINCH_LISTEN",
    help="Drink from this: jetstream, or a wss:// address of one. By default what this store has listened to "
    "before; a new one drinks Bluesky.",
)  # fmt: skip
@click.option("--no-listen", is_flag=True, help="Drink nothing live.")
@click.option("--require-keys", is_flag=True, help="Ask for a key on loopback too.")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Another name by which browsers call this server."
)
@click.option("--cors", multiple=True, metavar="ORIGIN", help="Let web pages of this origin call the API.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1),
    default=50.0,
    show_default=True,
    help="Requests a second and key.",
)
@model_options
@data_option
def serve(
    host: str, port: int, listen: tuple[str, ...], no_listen: bool, require_keys: bool, allow_host: tuple[str, ...],
    cors: tuple[str, ...], rate: float, where: str | None, model_name: str | None, data: Path,
) -> None:  # fmt: skip
    """Drink, answer and show: the API, MCP at /mcp, and the page at /.

    Without a key it listens on this machine only; make keys before you open it to others.

    \b
    Example:
      trinch serve
      trinch keys new team && trinch serve --host 0.0.0.0 --no-listen
      trinch serve --model http://127.0.0.1:8080/v1
    """
    from trinch.server.http.keys import Keys
    from trinch.server.http.access import access_rules
    from trinch.server.run import run, saved_sources

    language_model = model_setting(where, model_name)
    urls = [] if no_listen else [_address(source) for source in listen] or saved_sources(data)
    try:
        door = access_rules(
            host,
            bool(Keys(data).all()),
            allow_hosts=allow_host,
            origins=cors,
            rate=rate,
            require_keys=require_keys,
        )
    except ValueError as error:
        console.fail(str(error), 2)

    def tell(address: str) -> None:
        console.err.print(f"[bold]{address}[/]  (store: {data}; stop with Ctrl-C)", soft_wrap=True)
        console.err.print(
            "drinking: " + (", ".join(urls) or "nothing live (--listen jetstream)"), soft_wrap=True
        )

    try:
        status = run(data, host, port, door, urls, tell, language_model)
    except OSError as error:
        console.fail(f"cannot listen on {host} port {port}: {error.strerror or error}", 1)
    raise SystemExit(status)


def _address(source: str) -> str:
    if source == "jetstream":
        return JETSTREAM
    if not source.startswith(("ws://", "wss://")):
        console.fail(f"cannot listen to {source!r}: write jetstream, or a wss:// address", 2)
    return source


@click.group()
def keys() -> None:
    """Keys of the API: who may do what.

    \b
    Example:
      trinch keys new team --scope read --scope ingest
      trinch keys list
      trinch keys revoke 1f0c77ab
    """


@keys.command("new")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "ingest", "admin"]), default=["read"],
    show_default=True, help="What it allows; give it more than once. admin allows everything.",
)  # fmt: skip
@data_option
@json_option
def new(name: str, scopes: tuple[str, ...], data: Path, as_json: bool) -> None:
    """Make a key. Its token is shown this once and kept nowhere.

    \b
    Example:
      trinch keys new team --scope read
    """
    from trinch.server.http.audit import Audit
    from trinch.server.http.keys import Keys

    key, token = Keys(data).add(name, scopes)
    Audit(data).write(event="key made", key=key.id, scopes=list(key.scopes))
    if as_json:
        console.print_json({"id": key.id, "name": key.name, "scopes": key.scopes, "token": token})
    else:
        click.echo(token)
        console.err.print(
            f"[dim]key {key.id}, {' '.join(key.scopes)}; keep the token, it is not shown again[/]"
        )


@keys.command("list")
@data_option
@json_option
def list_keys(data: Path, as_json: bool) -> None:
    """The keys there are (not their tokens, which nobody knows but their holders).

    \b
    Example:
      trinch keys list
    """
    from trinch.server.http.keys import Keys

    try:
        found = Keys(data).all()
    except ValueError as error:
        console.fail(str(error), 1)
    rows = [(key.id, key.name, " ".join(key.scopes), key.created) for key in found]
    if as_json:
        console.print_json([dict(zip(("id", "name", "scopes", "created"), row, strict=True)) for row in rows])
    else:
        console.table("", ("id", "name", "scopes", "made"), rows)


@keys.command("revoke")
@click.argument("id")
@data_option
def revoke(id: str, data: Path) -> None:
    """Forget a key; a running server refuses it from its next request on.

    \b
    Example:
      trinch keys revoke 1f0c77ab
    """
    from trinch.server.http.audit import Audit
    from trinch.server.http.keys import Keys

    if not Keys(data).revoke(id):
        console.fail(f"no key {id!r} (trinch keys list shows them)", 1)
    Audit(data).write(event="key revoked", key=id)


@click.command()
@data_option
def mcp(data: Path) -> None:
    """Offer search, fetch and ask to an assistant, over standard input and output (MCP).

    \b
    Example, in an assistant's configuration:
      {"mcpServers": {"trinch": {"command": "trinch", "args": ["mcp"]}}}
    """
    if not find_spec("mcp"):
        console.fail("MCP needs an extra: pip install 'trinch[mcp]'", 1)
    if not (data / "ocean.db").exists():
        console.fail(f"there is no store in {data} yet; drink first: trinch ingest FILE, or trinch demo", 1)
    from trinch.server.mcp import stdio

    stdio(data)
