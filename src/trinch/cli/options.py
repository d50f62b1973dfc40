"""Options that several commands share: data folder, JSON output, as-of time, language model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import platformdirs

from trinch.cli import console

if TYPE_CHECKING:
    from trinch.llm.interface import Setting

Command = TypeVar("Command", bound=Callable[..., Any])


def data_option(command: Command) -> Command:
    """`--data DIR`: where the store lives."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(platformdirs.user_data_dir("trinch", appauthor=False)),
        show_default=True,
        envvar="TRINCH_DATA",
        help="Folder of the store; also TRINCH_DATA.",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
as_of_option = click.option(
    "--as-of", callback=console.read_time, metavar="T", help="See the store as it was at T, UTC by default."
)


def model_options(command: Command) -> Command:
    """`--model`, `--model-name`: a language model that may rewrite answers."""
    where = click.option(
        "--model",
        "where",
        metavar="URL|FOLDER",
        help="Language model that rewrites the quotes: an OpenAI-compatible server's address, or a Grok's folder. "
        "What fails the check stays a quote. A key is read from TRINCH_LLM_KEY.",
    )
    name = click.option(
        "--model-name", metavar="NAME", help="Which model of that server; by default its only one."
    )
    return where(name(command))


def model_setting(where: str | None, name: str | None) -> "Setting | None":
    """The model that the options name, if any; ends with 2 where they cannot be used."""
    from trinch.llm.interface import LLMError, Setting
    from trinch.service.language_model import check_model

    if not where:
        if name:
            console.fail("--model-name needs --model URL", 2)
        return None
    setting = Setting(where, name or "")
    try:
        check_model(setting)
    except LLMError as error:
        console.fail(f"--model: {error}", 2)
    return setting
