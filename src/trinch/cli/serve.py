"""`trinch serve`, `trinch keys` and `trinch mcp`: the server, its API keys, and MCP over standard input and output."""

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from trinch.cli import console
from trinch.cli.group import CommandGroup
from trinch.cli.options import (
    ModelOptions,
    address_options,
    data_option,
    json_option,
    model_options,
    model_settings,
    private_webhooks_option,
    require_store,
)


@click.command()
@address_options
@click.option(
    "--listen", multiple=True, metavar="SOURCE", envvar="TRINCH_LISTEN",
    help="Ingest this live source: jetstream, x, mastodon:HOST, feed:ADDRESS, nats://…, kafka://…. By default those of TRINCH_LISTEN or trinch.toml, else the "
    "sources that this store has listened to before; Bluesky for a new store.",
)  # fmt: skip
@click.option("--no-listen", is_flag=True, help="Ingest no live source.")
@click.option(
    "--nodes", multiple=True, metavar="ADDRESS", envvar="TRINCH_NODES",
    help="Search the posts of these nodes of a cluster (trinch node), as http://HOST:PORT; repeatable.",
)  # fmt: skip
@click.option(
    "--require-keys", is_flag=True, envvar="TRINCH_REQUIRE_KEYS", help="Accept keys only: no start-up token."
)
@click.option(
    "--unix-socket", type=click.Path(path_type=Path), metavar="PATH", envvar="TRINCH_UNIX_SOCKET",
    help="Listen on this Unix socket instead of a port. Without keys, everyone who can open it has full access.",
)  # fmt: skip
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    envvar="TRINCH_ALLOW_HOST",
    help="Another host name under which browsers reach this server.",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    envvar="TRINCH_CORS",
    help="Allow web pages of this origin to call the API.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1),
    default=50.0,
    show_default=True,
    envvar="TRINCH_RATE",
    help="Requests per second and key.",
)
@private_webhooks_option
@click.option(
    "--alerts-per-key", type=click.IntRange(min=0), default=100, show_default=True, envvar="TRINCH_ALERTS_PER_KEY",
    help="Most alerts of a key without the scope admin.",
)  # fmt: skip
@partial(model_options, several=True)
@click.option(
    "--model-tokens-per-day", type=click.IntRange(min=0), default=0, metavar="N", envvar="TRINCH_MODEL_TOKENS_PER_DAY",
    help="Most tokens that the language model writes for a key in a day (UTC); beyond it answers are quotes. 0 is no limit.",
)  # fmt: skip
@data_option
def serve(
    host: str, port: int, listen: tuple[str, ...], no_listen: bool, nodes: tuple[str, ...], require_keys: bool, unix_socket: Path | None,
    allow_host: tuple[str, ...], cors: tuple[str, ...], rate: float, model_tokens_per_day: int,
    private_webhooks: bool, alerts_per_key: int, data: Path, **model: Any,
) -> None:  # fmt: skip
    """Serve the API, MCP at /mcp and the web page at /, ingest live sources, and deliver alerts.

    Without keys it accepts connections from this machine only, with the token in the address that it prints (or the
    one in TRINCH_TOKEN); create keys before you open it to others.

    \b
    Example:
      trinch serve
      trinch keys new team && trinch serve --host 0.0.0.0 --no-listen
      trinch serve --model http://127.0.0.1:8080/v1
      trinch serve --model small=http://127.0.0.1:8080/v1,tokens=500 --model large=https://models.example/v1
    """
    from trinch.reader.registry import require_reader
    from trinch.server.http.access import access_rules
    from trinch.server.http.keys import Keys
    from trinch.server.run import run, saved_sources
    from trinch.service.alerts import AlertRules
    from trinch.service.limits import search_budget
    from trinch.sources.address import has_credentials, without_credentials

    search_budget(1)  # a wrong TRINCH_BUDGET_MS is reported now, not by each search
    require_reader()  # and a wrong TRINCH_READER not by each question
    models = model.pop("model")
    language_model, named_models = model_settings(models, ModelOptions(None, **model))
    if any(map(has_credentials, listen)) and _given_as_option("listen"):
        console.fail(
            "options are visible in the list of processes: put an address with credentials into TRINCH_LISTEN",
            2,
        )
    if nodes:
        os.environ["TRINCH_NODES"] = " ".join(nodes)  # for the worker processes
    urls = (
        []
        if no_listen
        else [_address(source) for source in listen] or (saved_sources(data) if not nodes else [])
    )
    has_keys = bool(Keys(data).all())
    token = os.environ.get("TRINCH_TOKEN") or None
    try:
        access = access_rules(
            "127.0.0.1" if unix_socket else host,
            has_keys,
            allow_hosts=allow_host,
            origins=cors,
            rate=rate,
            require_keys=require_keys,
            token=token,
            unix_socket=unix_socket is not None,
        )
    except ValueError as error:
        console.fail(str(error), 2)

    def started(address: str) -> None:
        if access.token and not token and not has_keys:
            address = f"{address}/?token={access.token}"
        console.err().print(f"[bold]{address}[/]  (store: {data}; stop with Ctrl-C)", soft_wrap=True)
        shown = ", ".join(without_credentials(url) for url in urls)
        console.err().print(
            f"ingesting: {console.escape(shown) or 'no live source (see --listen)'}", soft_wrap=True
        )

    try:
        status = run(
            data,
            host,
            port,
            access,
            urls,
            started,
            language_model,
            unix_socket,
            model_tokens_per_day,
            AlertRules(private_webhooks, alerts_per_key),
            named_models=named_models,
        )
    except OSError as error:
        if error.filename:  # errors of sockets name no file
            console.fail(f"{error}; serving needs a folder that can be written", 1)
        place = unix_socket or f"{host} port {port}"
        console.fail(f"cannot listen on {place}: {error.strerror or error}", 1)
    raise SystemExit(status)


def _given_as_option(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _address(source: str) -> str:
    """The live source as given; exits with 2 where it cannot be used."""
    from trinch.sources.jetstream_client import JETSTREAM
    from trinch.sources.registry import open_source

    try:
        open_source(source)
    except ValueError as error:
        console.fail(f"--listen: {error}", 2)
    return JETSTREAM if source == "jetstream" else source


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, list and revoke API keys.

    \b
    Example:
      trinch keys new team --scope read --scope ingest
      trinch keys list
      trinch keys revoke 1f0c77ab
    """


@keys.command("new")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "ingest", "alerts", "admin"]), default=["read"],
    show_default=True, help="What the key allows; repeatable. admin allows everything.",
)  # fmt: skip
@data_option
@json_option
def new(name: str, scopes: tuple[str, ...], data: Path, as_json: bool) -> None:
    """Create a key. Its token is shown once and stored nowhere.

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
        console.note(f"key {key.id}, {' '.join(key.scopes)}; keep the token, it is not shown again")


@keys.command("list")
@data_option
@json_option
def list_keys(data: Path, as_json: bool) -> None:
    """List the keys (without their tokens, which are stored nowhere).

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
    """Revoke a key, and remove its alerts; a running server refuses it from its next request on.

    \b
    Example:
      trinch keys revoke 1f0c77ab
    """
    from trinch.server.http.audit import Audit
    from trinch.server.http.keys import Keys
    from trinch.service.alerts import remove_alerts_of

    if not Keys(data).revoke(id):
        console.fail(f"no key {id!r} (trinch keys list shows them)", 1)
    Audit(data).write(event="key revoked", key=id, alerts=remove_alerts_of(data, id))


@click.command()
@data_option
def mcp(data: Path) -> None:
    """Offer search, fetch and ask to an assistant over standard input and output (Model Context Protocol).

    \b
    Example, in an assistant's configuration:
      {"mcpServers": {"trinch": {"command": "trinch", "args": ["mcp"]}}}
    """
    if not find_spec("mcp"):
        console.fail("MCP needs an extra: pip install 'trinch[mcp]'", 1)
    require_store(data)
    from trinch.server.mcp import stdio

    stdio(data)
