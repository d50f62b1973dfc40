"""`trinch ask`: answer a question in quotes."""

from pathlib import Path
from typing import Any

import click

from trinch.cli import console
from trinch.cli.options import (
    ModelOptions,
    as_of_option,
    catch_up_terms,
    data_option,
    filter_options,
    json_option,
    model_options,
    model_setting,
    open_store,
)


@click.command()
@click.argument("question", nargs=-1)
@filter_options
@as_of_option
@model_options
@click.option("--style", default="", help="How the language model should put it; changes no fact.")
@data_option
@json_option
def ask(
    question: tuple[str, ...],
    where: str,
    earlier: tuple[str, ...],
    as_of: int | None,
    style: str,
    data: Path,
    as_json: bool,
    **model: Any,
) -> None:
    """Answer a question in exact quotes from posts: cited, dated, with the number of independent authors.

    Operators of `trinch search` in the question restrict the posts. Prints "not enough evidence" and exits with 1
    where the posts do not answer it.

    \b
    Example:
      trinch ask how many people were hurt in the ferry accident
      trinch ask 'quelle est la situation au port lang:fr' --as-of 2026-05-12T18:00Z
      trinch ask "and how many were hurt?" --earlier "what happened at the harbour"
      trinch ask "what happened at the harbour" --model http://127.0.0.1:8080/v1
    """
    from trinch.service.ask import QuestionError, answer, interpret, needs_stories
    from trinch.service.serialize import answer_json
    from trinch.store.query import QueryError

    language_model = model_setting(ModelOptions(**model))
    try:
        request = interpret(" ".join(question), earlier=earlier, where=where, as_of=as_of, style=style)
    except (QuestionError, QueryError) as error:
        console.fail(str(error), 2)
    store = open_store(data, as_json)
    if needs_stories(store, request):
        catch_up_terms(store, as_json)
    if as_json:
        shown = answer_json(store, request, language_model)
        console.print_json(shown)
        raise SystemExit(1 if shown["outcome"] == "not_enough_evidence" else 0)
    given = answer(store, request, language_model)
    console.print_answer(given)
    raise SystemExit(1 if given.outcome == "not_enough_evidence" else 0)
