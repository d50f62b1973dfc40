"""`response_format`: an answer as JSON, in the typed shape or by the client's own schema."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import msgspec

from trinch.server import answering
from trinch.server.app_state import AppState
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.openai.markdown import Piece, post_url
from trinch.service import structured
from trinch.service.ask import AskRequest

MAX_SCHEMA = 20_000
"""Characters of a schema."""


class JsonSchema(msgspec.Struct):
    name: str = ""
    schema: dict[str, Any] = {}
    strict: bool | None = None


class Format(msgspec.Struct):
    """The format of Chat Completions, with the schema inside `json_schema`, or of Responses, with it beside the type."""

    type: str = "text"
    json_schema: JsonSchema | None = None
    schema: dict[str, Any] | None = None
    name: str = ""
    strict: bool | None = None


class Wanted(NamedTuple):
    """What a client wants: text, or JSON, by a schema of its own or in the typed shape (`schema` None)."""

    json: bool = False
    schema: dict[str, Any] | None = None


def wanted_format(given: Format | None, param: str) -> Wanted:
    """The format that a request asks for. Raises Problem for one that is unknown, or a schema that cannot be used."""
    if given is None or given.type == "text":
        return Wanted()
    if given.type == "json_object":
        return Wanted(json=True)
    if given.type != "json_schema":
        raise Problem(400, f"no such format: {given.type[:40]!r}; use text, json_object or json_schema",
                      param=param, code="unsupported_parameter")  # fmt: skip
    schema = given.schema or (given.json_schema.schema if given.json_schema else {})
    if reason := _unusable(schema):
        raise Problem(400, reason, param=param, code="invalid_value")
    return Wanted(json=True, schema=schema)


def _unusable(schema: dict[str, Any]) -> str:
    """Why a schema cannot be used; empty where it can."""
    try:
        from jsonschema import Draft202012Validator, SchemaError
    except ImportError:
        return "a JSON schema needs an extra: pip install 'trinch[llm]'"
    if len(codec.encode(schema)) > MAX_SCHEMA:
        return f"the schema is longer than {MAX_SCHEMA} characters"
    if schema.get("type") != "object":
        return "the schema must be of an object"
    if key := _forbidden(schema):
        return f"schemas with {key!r} are not supported, nor references to other documents"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"this is no JSON schema: {error.message[:200]}"
    return ""


def _forbidden(schema: Any) -> str:
    """A keyword that would fetch another document, or whose cost has no bound."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            remote = key in ("$ref", "$dynamicRef") and not str(value).startswith("#")
            # Elsewhere than as a keyword, such as the name of a property, these hold an object.
            if remote or (key in ("pattern", "patternProperties") and isinstance(value, str)):
                return str(key)
            if found := _forbidden(value):
                return found
    elif isinstance(schema, list):
        return next(filter(None, map(_forbidden, schema)), "")
    return ""


async def json_pieces(
    state: AppState, asked: AskRequest, base: str, key: str | None, wanted: Wanted
) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    """The answer as one JSON text, then an empty piece. Raises Problem where no object can be made of it."""
    if wanted.schema is None:
        shown = await answering.answer(state, asked, key)
        text = codec.encode(_typed(shown, base)).decode()
    else:
        shown, text = await _by_schema(state, asked, key, wanted.schema)
    yield shown, Piece(text, [])
    yield shown, Piece("", [])


def _typed(shown: dict[str, Any], base: str) -> dict[str, Any]:
    """The answer without a schema: what every client can use."""
    urls = {source["key"]: post_url(source, base) for source in shown["sources"]}
    claims = [
        {"text": claim["text"], "sources": [urls[cited["key"]] for cited in claim["citations"]]}
        for claim in shown["claims"]
    ]
    return {"outcome": shown["outcome"], "headline": shown["headline"], "claims": claims}


async def _by_schema(
    state: AppState, asked: AskRequest, key: str | None, schema: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    if state.language_model is None:
        raise Problem(
            400, "a JSON schema is filled in by a language model, and this server has none (serve --model)",
            param="response_format", code="unsupported_parameter",
        )  # fmt: skip
    model = answering.model_for(state, key, asked.model)
    if model is None:
        raise Problem(429, "the language model's tokens of this day are used up", code="insufficient_quota")
    made = await state.answer_pool.run(structured.fill, asked, model, schema)
    answering.count(state, key, made.answer["writer"], made.tokens, asked.model)
    if not made.text:
        raise Problem(
            422, f"no object of this schema can be made: {made.problem}", code="unsupported_by_posts"
        )
    return made.answer | {"unverified": list(made.unverified)}, made.text
