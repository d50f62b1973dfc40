"""Decoding of requests into typed values, and encoding of responses: JSON and server-sent events."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from trinch.posts.wire import repair_surrogates
from trinch.server.http.errors import Problem

encode = msgspec.json.Encoder().encode
Value = TypeVar("Value")

MAX_BODY = 1_000_000
"""Bytes of a JSON request body."""

DISCARDED = 32_000_000
"""Bytes beyond that which are read and dropped, so that the client gets the error; then the connection closes."""


class Json(Response):
    """A JSON response."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


class EventStream(StreamingResponse):
    """A stream of server-sent events. An error before the first event is a status; a later one is an event."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def sse_event(data: Any, name: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode(data) + b"\n\n"


async def read_body(request: Request, kind: type[Value], *, keep_nulls: bool = False) -> Value:
    """The JSON body as `kind`. Raises Problem: too long, too slow, not JSON, or not of this type. `keep_nulls` is for a
    body in which null and absent differ."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "send the body as Content-Type: application/json", code="unsupported_media_type")
    raw, length = bytearray(), 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            if length <= MAX_BODY:
                raw += chunk
            elif length > MAX_BODY + DISCARDED:
                break
    except ClientDisconnect:
        raise Problem(408, "the body did not end in time", code="timeout") from None
    if length > MAX_BODY:
        raise Problem(413, f"the body is longer than {MAX_BODY:,} bytes", code="body_too_large")
    return decode(bytes(raw), kind, keep_nulls=keep_nulls)


def decode(raw: bytes, kind: type[Value], *, keep_nulls: bool = False) -> Value:
    """JSON text as `kind`. Raises Problem.

    Many clients send every option that is not set as null, so a field that is null counts as absent, at any depth. Half
    a character (a lone surrogate escape, which JSON writers may emit) is read as U+FFFD."""
    try:
        if b"null" in raw and not keep_nulls:
            return msgspec.convert(_without_nulls(msgspec.json.decode(raw)), kind)
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except RecursionError:
        raise Problem(400, "the JSON is nested too deeply", code="too_deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if (repaired := repair_surrogates(raw)) != raw:
            return decode(repaired, kind, keep_nulls=keep_nulls)
        raise Problem(400, f"the body is not JSON: {error}", code="not_json") from None


_AS_SENT = ("parameters", "schema")
"""Fields with a JSON schema of the client, in which null is a value."""


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: item if name in _AS_SENT else _without_nulls(item)
            for name, item in value.items()
            if item is not None
        }
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def read_query(request: Request, kind: type[Value], *, allow_unknown: bool = False) -> Value:
    """The query string as `kind`: repeated names become lists, text becomes numbers and booleans.

    Raises Problem, also for unknown names unless `allow_unknown`."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]  # `kind` is a Struct
    given: dict[str, Any] = {}
    for name in request.query_params:
        if name not in fields and allow_unknown:
            continue
        if name not in fields:
            known = ", ".join(fields)
            raise Problem(
                400, f"unknown parameter {name!r} (known: {known})", param=name, code="unknown_parameter"
            )
        values = request.query_params.getlist(name)
        field_type = msgspec.inspect.type_info(fields[name].type)
        if isinstance(field_type, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            given[name] = values
        elif len(values) > 1:
            raise Problem(400, f"{name} is given {len(values)} times", param=name, code="repeated_parameter")
        else:
            given[name] = values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: msgspec.ValidationError) -> Problem:
    reason, _, place = str(error).partition(" - at `$")
    param = place.rstrip("`").lstrip(".") or None
    return Problem(400, f"{param}: {reason}" if param else reason, param=param, code="invalid_value")


def base_url(request: Request) -> str:
    """The address by which the client reached this server, without a trailing slash."""
    return str(request.base_url).rstrip("/")
