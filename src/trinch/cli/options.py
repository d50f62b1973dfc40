"""Options that several commands share, and the store that they name."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec
import platformdirs

from trinch.cli import console

if TYPE_CHECKING:
    from trinch.llm.interface import NamedModel, Setting
    from trinch.store.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


def data_option(command: Command) -> Command:
    """`--data DIR`: the folder of the store."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(platformdirs.user_data_dir("trinch", appauthor=False)),
        show_default=True,
        envvar="TRINCH_DATA",
        help="Folder of the store; also TRINCH_DATA.",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def read_time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Option callback: microseconds since 1970 of a time as typed."""
    from trinch.store.query import parse_time

    if value is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


as_of_option = click.option(
    "--as-of", callback=read_time, metavar="T", help="See the store as it was at T, UTC by default."
)


def filter_options(command: Command) -> Command:
    """`--where`, `--earlier`: what restricts and completes a question or a query."""
    where = click.option("--where", default="", help="Search operators that every post must satisfy.")
    earlier = click.option(
        "--earlier", multiple=True, help="An earlier question of the conversation, oldest first; repeatable."
    )
    return where(earlier(command))


def address_options(command: Command) -> Command:
    """`--host`, `--port`: where a server listens."""
    host = click.option(
        "--host", default="127.0.0.1", show_default=True, envvar="TRINCH_HOST", help="Address to listen on."
    )
    port = click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=8377,
        show_default=True,
        envvar="TRINCH_PORT",
        help="Port to listen on; 0 takes any free one.",
    )
    return host(port(command))


private_webhooks_option = click.option(
    "--private-webhooks", is_flag=True, envvar="TRINCH_PRIVATE_WEBHOOKS",
    help="Let webhooks go to private addresses (127.0.0.1, 10.0.0.0/8 …); also TRINCH_PRIVATE_WEBHOOKS=1.",
)  # fmt: skip


_NAMED_HELP = (
    "May be given several times, as NAME=PLACE and, after commas, any of model=ID, seconds=N, tokens=N, posts=N, tokens-per-day=N: a request "
    "names the one it wants, with a key from TRINCH_LLM_KEY_NAME. "
)


class _Models(click.ParamType[str]):
    """A model of several: its place, or NAME=PLACE with limits."""

    name = "model"

    def split_envvar_value(self, rv: str) -> list[str]:
        """The models of a variable: a space in front of NAME= separates them, since a path may hold spaces."""
        return re.split(r"\s+(?=[\w.-]+=)", rv.strip()) if rv.strip() else []


def model_options(command: Command, several: bool = False) -> Command:
    """`--model`, `--model-name` and its limits: a language model that writes the answers; with `several` also named
    ones, each with limits of its own."""
    model = click.option(
        "--model",
        envvar="TRINCH_MODEL",
        type=_Models() if several else None,
        multiple=several,
        metavar="[NAME=]URL|FILE|FOLDER" if several else "URL|FILE|FOLDER",
        help=(_NAMED_HELP if several else "")
        + "Language model that reads the posts and writes the answer: the address of an OpenAI-compatible server, "
        "a GGUF file or its name in `trinch models list`, or the folder of a Grok. Each sentence is verified against "
        "the posts it cites, or is not shown. A key is read from TRINCH_LLM_KEY.",
    )
    name = click.option(
        "--model-name",
        metavar="NAME",
        envvar="TRINCH_MODEL_NAME",
        help="Which model of that server; by default its only one.",
    )
    seconds = click.option(
        "--model-seconds",
        envvar="TRINCH_MODEL_SECONDS",
        type=click.FloatRange(min=1),
        default=60.0,
        show_default=True,
        help="Longest time it may take for an answer.",
    )
    tokens = click.option(
        "--model-tokens",
        envvar="TRINCH_MODEL_TOKENS",
        type=click.IntRange(min=50),
        default=1500,
        show_default=True,
        help="Most tokens it may write for an answer.",
    )
    posts = click.option(
        "--model-posts",
        envvar="TRINCH_MODEL_POSTS",
        type=click.IntRange(1, 200),
        default=50,
        show_default=True,
        help="Most posts it reads for an answer.",
    )
    return model(name(seconds(tokens(posts(command)))))


class ModelOptions(NamedTuple):
    """What `model_options` reads."""

    model: str | None
    model_name: str | None
    model_seconds: float
    model_tokens: int
    model_posts: int


def model_setting(given: ModelOptions) -> "Setting | None":
    """The model that the options name, if any; exits with 2 where it cannot be used."""
    from trinch.llm.interface import LLMError, Setting
    from trinch.service.language_model import check_model
    from trinch.service.models import installed

    if not given.model:
        if given.model_name:
            console.fail("--model-name needs --model URL", 2)
        return None
    setting = Setting(
        installed(given.model),
        given.model_name or "",
        given.model_seconds,
        given.model_tokens,
        given.model_posts,
    )
    try:
        check_model(setting)
    except LLMError as error:
        console.fail(f"--model: {error}", 2)
    return setting


_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,63})=(.+)", re.DOTALL)
_LIMIT = re.compile(r",(model|seconds|tokens|posts|tokens-per-day)=([^,]*)")


def model_settings(
    models: tuple[str, ...], given: ModelOptions
) -> "tuple[Setting | None, dict[str, NamedModel]]":
    """The default model of a server and its named ones. Exits with 2 where one cannot be used."""
    plain = [text for text in models if not _NAME.fullmatch(text)]
    if len(plain) > 1:
        console.fail("--model: only one model may go without a name; write NAME=PLACE for the others", 2)
    named: dict[str, NamedModel] = {}
    for name, text in (match.groups() for text in models if (match := _NAME.fullmatch(text))):
        if name in named or name == "trinch":
            console.fail(f"--model: the name {name!r} is taken", 2)
        named[name] = _named_model(name, text, given)
    default = plain[0] if plain else None
    if named and not default and given.model_name:
        console.fail("--model-name is for the model without a name; write NAME=PLACE,model=ID", 2)
    return (model_setting(given._replace(model=default)) if default or not named else None), named


def _named_model(name: str, text: str, given: ModelOptions) -> "NamedModel":
    """A model from its place and limits; limits that it does not give are those of the options."""
    from trinch.llm.interface import KEY, NamedModel

    limits = dict(_LIMIT.findall(text))
    try:
        own = ModelOptions(
            _LIMIT.sub("", text),
            limits.get("model"),
            float(limits.get("seconds", given.model_seconds)),
            int(limits.get("tokens", given.model_tokens)),
            int(limits.get("posts", given.model_posts)),
        )
        per_day = int(limits.get("tokens-per-day", 0))
    except ValueError:
        console.fail(f"--model {name}: a limit is a number, as in seconds=30,tokens=800", 2)
    if own.model_seconds < 1 or own.model_tokens < 50 or not 1 <= own.model_posts <= 200 or per_day < 0:
        console.fail(
            f"--model {name}: seconds from 1, tokens from 50, posts from 1 to 200, tokens-per-day from 0", 2
        )
    setting = model_setting(own)
    assert setting is not None
    variable = f"{KEY}_" + re.sub(r"\W", "_", name).upper()
    return NamedModel(msgspec.structs.replace(setting, key_variable=variable), per_day)


def require_store(data: Path) -> None:
    """Exit with 1 where there is no store in a folder."""
    if not (data / "ocean.db").exists():
        console.fail(
            f"there is no store in {data}; create one with: trinch ingest FILE --data {data}, or see trinch demo",
            1,
        )


def catch_up_terms(store: "Store", quiet: bool) -> None:
    """Bring the index of terms, of which stories are made, up to date."""
    from trinch.service.stories import catch_up

    with console.status("indexing words", not quiet and sys.stderr.isatty()) as show:
        catch_up(store, lambda position, last: show(f"{position:,} of {last:,}"))


def open_store(data: Path, quiet: bool) -> "Store":
    """The store in a folder, with everything indexed that no other process is indexing; or the nodes of TRINCH_NODES."""
    from trinch.store.cluster import coordinator

    if not os.environ.get("TRINCH_NODES"):
        require_store(data)
    store = coordinator.open_store(data)
    if isinstance(store, coordinator.Cluster):
        return store
    with console.status("indexing", not quiet and sys.stderr.isatty()) as show:
        store.catch_up(lambda position, last: show(f"{position:,} of {last:,}"))
    return store
