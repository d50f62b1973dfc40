"""HTTP for live sources: connections, answers of a server as `Disconnected` or `Refused`, lines of a stream."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

import trinch
from trinch.posts.wire import MAX_LINE
from trinch.sources.live import Disconnected, Refused

USER_AGENT = f"Trinch/{trinch.__version__} (live ingest)"
FOR_GOOD = (400, 401, 402, 403, 404, 405, 410, 422)
"""Statuses that mean the request is wrong or not allowed: the same request will not be answered later."""


def client(address: str, silence: float, token: str = "") -> httpx.AsyncClient:
    """A client for a server; a read that brings nothing for `silence` seconds fails. Proxies of the environment are
    used, except to this machine."""
    headers = {"User-Agent": USER_AGENT} | ({"Authorization": f"Bearer {token}"} if token else {})
    local = (urlsplit(address).hostname or "").startswith(("127.", "localhost", "::1"))
    timeout = httpx.Timeout(silence, connect=20.0)
    return httpx.AsyncClient(headers=headers, timeout=timeout, follow_redirects=True, trust_env=not local)


@asynccontextmanager
async def errors_as_disconnects() -> AsyncIterator[None]:
    """Turn errors of the network into `Disconnected`."""
    try:
        yield
    except httpx.TimeoutException:
        raise Disconnected("the server sent nothing in time") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Disconnected(str(error) or type(error).__name__) from None


async def check(response: httpx.Response) -> None:
    """Raises Refused or Disconnected for an answer that is no success, with what the server says."""
    if response.status_code < 400:
        return
    said = " ".join((await _beginning(response)).split())[:300]
    reason = f"HTTP {response.status_code} {response.reason_phrase}: {said}".rstrip(": ")
    if response.status_code in FOR_GOOD:
        raise Refused(reason)
    raise Disconnected(reason, asked_wait(response.headers))


async def _beginning(response: httpx.Response) -> str:
    read = b""
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > 2000:
            break
    return read[:2000].decode(errors="replace")


def asked_wait(headers: httpx.Headers) -> float | None:
    """Seconds that a server asks to wait: `Retry-After` (seconds or a date), or X's `x-rate-limit-reset` (Unix time)."""
    after, reset = headers.get("retry-after", ""), headers.get("x-rate-limit-reset", "")
    if after.isascii() and after.isdigit():
        return min(float(after), 86_400.0)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except (ValueError, TypeError):
            return None
    if reset.isascii() and reset.isdigit():
        return min(max(1.0, float(reset) - time.time()), 86_400.0)
    return None


async def lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of a stream without their ends, empty ones included. A line that is longer than MAX_LINE comes cut, so
    that it is rejected."""
    rest = bytearray()
    async for chunk in response.aiter_bytes():
        rest += chunk
        while (end := rest.find(b"\n")) >= 0:
            yield bytes(rest[:end]).rstrip(b"\r")
            del rest[: end + 1]
        if len(rest) > MAX_LINE:
            yield bytes(rest[: MAX_LINE + 1])
            rest.clear()
    if rest:
        yield bytes(rest)
