"""Options that several commands share, and the store that they name."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import platformdirs

from trinch.cli import console

if TYPE_CHECKING:
    from trinch.llm.interface import Setting
    from trinch.store.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


def default_data() -> Path:
    """The folder of the store where no option names one: TRINCH_DATA, else the platform's folder for data."""
    return Path(os.environ.get("TRINCH_DATA") or platformdirs.user_data_dir("trinch", appauthor=False))


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


def model_options(command: Command) -> Command:
    """`--model`, `--model-name`: a language model that may rewrite answers."""
    model = click.option(
        "--model",
        metavar="URL|FOLDER",
        help="Language model that rewrites the quotes: an OpenAI-compatible server's address, or a Grok's folder. "
        "A sentence that fails verification stays a quote. A key is read from TRINCH_LLM_KEY.",
    )
    name = click.option(
        "--model-name", metavar="NAME", help="Which model of that server; by default its only one."
    )
    return model(name(command))


def model_setting(model: str | None, name: str | None) -> "Setting | None":
    """The model that the options name, if any; exits with 2 where it cannot be used."""
    from trinch.llm.interface import LLMError, Setting
    from trinch.service.language_model import check_model

    if not model:
        if name:
            console.fail("--model-name needs --model URL", 2)
        return None
    setting = Setting(model, name or "")
    try:
        check_model(setting)
    except LLMError as error:
        console.fail(f"--model: {error}", 2)
    return setting


def require_store(data: Path) -> None:
    """Exit with 1 where there is no store in a folder."""
    if not (data / "ocean.db").exists():
        console.fail(
            f"there is no store in {data}; create one with: trinch ingest FILE --data {data}, or see trinch demo",
            1,
        )


def open_store(data: Path, quiet: bool) -> "Store":
    """The store in a folder, with everything indexed that no other process is indexing."""
    require_store(data)
    from trinch.store.store import Store

    store = Store.open(data)
    with console.status("indexing", not quiet and sys.stderr.isatty()) as show:
        store.catch_up(lambda position, last: show(f"{position:,} of {last:,}"))
    return store
