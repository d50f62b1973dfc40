"""A local HTTP server for the tests of live sources: each request is a function that writes what it likes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass
class Exchange:
    """One request, and the connection to answer it on."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    number: int
    """The how manieth request of its path, from 1."""
    writer: asyncio.StreamWriter
    _chunked: bool = field(default=False)

    async def head(self, status: int = 200, **headers: str) -> None:
        """Status and headers of a stream whose parts follow by `send`."""
        lines = [f"HTTP/1.1 {status} X", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.writer.drain()

    async def send(self, part: bytes) -> None:
        self.writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        await self.writer.drain()

    async def reply(self, body: object = b"", status: int = 200, **headers: str) -> None:
        """A whole answer; what is not bytes becomes JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
        await self.writer.drain()

    async def until_closed(self) -> None:
        """Keep the connection open until the client closes it."""
        while not self.writer.is_closing():
            await asyncio.sleep(0.02)

    def cut(self) -> None:
        """End the connection without a goodbye, as a cable that is pulled."""
        self.writer.transport.abort()


@asynccontextmanager
async def http_server(handle: Callable[[Exchange], Awaitable[None]]) -> AsyncIterator[str]:
    """The address of a server that hands each request to `handle`."""
    counts: dict[str, int] = {}

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split()
                headers: dict[str, str] = {}
                while (line := await reader.readline()).strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                parts = urlsplit(target)
                counts[parts.path] = counts.get(parts.path, 0) + 1
                query = parse_qs(parts.query)
                await handle(Exchange(method, parts.path, query, headers, body, counts[parts.path], writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
