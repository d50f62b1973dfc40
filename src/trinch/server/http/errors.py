"""What a client did wrong, and how it is told: always OpenAI's error shape, never a stack trace.

Owns the one exception the endpoints raise and the body that it becomes. Knows nothing of endpoints.
"""

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
    """A request that cannot be served. `param` names the field at fault, `code` the reason for machines."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.retry = status, message, param, code, retry

    def __reduce__(self) -> tuple[Any, ...]:  # by itself an exception is made again from its text alone
        return _again, (self.status, self.message, self.param, self.code, self.retry)

    @property
    def body(self) -> dict[str, Any]:
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        headers = {"Retry-After": str(self.retry)} if self.retry else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == 408:
            headers["Connection"] = "close"  # what comes late is not the next request
        return Response(msgspec.json.encode(self.body), self.status, headers, "application/json")


def _again(status: int, message: str, param: str | None, code: str | None, retry: int) -> Problem:
    return Problem(status, message, param=param, code=code, retry=retry)
