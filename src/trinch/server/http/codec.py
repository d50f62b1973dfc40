"""JSON and server-sent events on the wire: reading requests into typed values, writing responses.

Owns decoding with reasons for people, bounds on bodies, and the framing of event streams. Knows nothing of what
the values mean.
"""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from trinch.server.http.errors import Problem

encode = msgspec.json.Encoder().encode
Value = TypeVar("Value")

MAX_BODY = 1_000_000
"""Bytes of a JSON request body."""

DISCARDED = 32_000_000
"""Bytes beyond that which are read and dropped, so that the client hears why; then the connection is closed."""


class Json(Response):
    """A JSON response."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


class EventStream(StreamingResponse):
    """A stream of server-sent events. Only its first error can be a status; later ones are events."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def event(data: Any, name: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode(data) + b"\n\n"


async def body(request: Request, kind: type[Value], *, nulls: bool = True) -> Value:
    """The JSON body as `kind`. Raises Problem: too long, too slow, not JSON, not what is asked for.

    Without `nulls` a field that is null counts as not given, which is how OpenAI's clients leave options out."""
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
    if not nulls:
        fields = decoded(bytes(raw), dict[str, msgspec.Raw])
        raw = bytearray(encode({name: value for name, value in fields.items() if bytes(value) != b"null"}))
    return decoded(bytes(raw), kind)


def decoded(raw: bytes, kind: type[Value]) -> Value:
    """JSON text as `kind`. Raises Problem."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except RecursionError:
        raise Problem(400, "the JSON is nested too deeply", code="too_deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"the body is not JSON: {error}", code="not_json") from None


def query(request: Request, kind: type[Value], *, strangers: bool = False) -> Value:
    """The query string as `kind`: repeated names make lists, text becomes numbers and booleans. Raises Problem, also
    for names not known, unless `strangers` may stand there."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]  # `kind` is a Struct
    given: dict[str, Any] = {}
    for name in request.query_params:
        if name not in fields and strangers:
            continue
        if name not in fields:
            known = ", ".join(fields)
            raise Problem(
                400, f"unknown parameter {name!r} (known: {known})", param=name, code="unknown_parameter"
            )
        values = request.query_params.getlist(name)
        many = msgspec.inspect.type_info(fields[name].type)
        if isinstance(many, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
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


def base(request: Request) -> str:
    """The address by which the client knows this server, without a slash at the end."""
    return str(request.base_url).rstrip("/")
