"""What led to which response, so that it can be gone on from and told again.

Owns a bounded memory, gone with the process. What is kept are questions and options as the client gave them, never
anything that a post said: a response fetched later is asked for again. Knows nothing of what is in a memory.
"""

from collections import OrderedDict

from trinch.server.http.errors import Problem

SIZE, ROOM = 10_000, 64_000_000
"""Responses and bytes stored at most; the oldest are forgotten first."""


class ResponseStore:
    """Memories by the id of their response, each for the key that it was made with (None: without one)."""

    def __init__(self, size: int = SIZE, room: int = ROOM) -> None:
        self._size, self._room = size, room
        self._kept: OrderedDict[str, tuple[str | None, bytes]] = OrderedDict()
        self._bytes = 0

    def keep(self, id: str, memory: bytes, key: str | None) -> None:
        """Remember what led to a response."""
        self._kept[id] = key, memory
        self._bytes += len(memory)
        while len(self._kept) > self._size or self._bytes > self._room:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def recall(self, id: str, key: str | None, param: str | None = None) -> bytes:
        """What led to a response. Raises Problem where it is not known (any more), or another key's."""
        owner, memory = self._kept.get(id, (None, b""))
        if not memory or owner != key:
            code = "previous_response_not_found" if param else "response_not_found"
            raise Problem(404, f"no response {id[:80]!r} is stored", param=param, code=code)
        return memory

    def forget(self, id: str, key: str | None) -> None:
        """Raises Problem where it is not known (any more), or another key's."""
        self._bytes -= len(self.load(id, key))
        del self._kept[id]
