"""Errors of the HTTP API: the one exception that endpoints raise, and its response in OpenAI's error shape."""

from typing import Any

import msgspec
from starlette.responses import Response

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Problem(Exception):
    """A request that cannot be served. `param` names the field at fault, `code` is the reason for programs, `retry`
    the seconds after which the client may try again."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.retry = status, message, param, code, retry

    def __reduce__(self) -> tuple[Any, ...]:  # by default an exception is unpickled from its message alone
        return _rebuild, (self.status, self.message, self.param, self.code, self.retry)

    @property
    def body(self) -> dict[str, Any]:
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        headers = {"Retry-After": str(self.retry)} if self.retry else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == 408:
            headers["Connection"] = "close"  # the rest of the body must not be read as the next request
        return Response(msgspec.json.encode(self.body), self.status, headers, "application/json")


def stopping() -> Problem:
    """The server shuts down before it can respond."""
    return Problem(503, "the server is stopping; try again", code="stopping", retry=5)


def _rebuild(status: int, message: str, param: str | None, code: str | None, retry: int) -> Problem:
    return Problem(status, message, param=param, code=code, retry=retry)
