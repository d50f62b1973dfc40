"""What led to which response, so that it can be gone on from and told again.

Owns a bounded memory, gone with the process. What is kept are questions and options as the client gave them, never
anything that a post said: a response fetched later is asked for again. Knows nothing of what is in a memory.
"""

from collections import OrderedDict

from trinch.server.errors import Problem

SIZE, ROOM = 10_000, 64_000_000
"""Responses and bytes remembered at most; the oldest are forgotten first."""


class Memory:
    """Memories by the id of their response."""

    def __init__(self, size: int = SIZE, room: int = ROOM) -> None:
        self._size, self._room = size, room
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def keep(self, id: str, memory: bytes) -> None:
        """Remember what led to a response."""
        self._kept[id] = memory
        self._bytes += len(memory)
        while len(self._kept) > self._size or self._bytes > self._room:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def recall(self, id: str, param: str | None = None) -> bytes:
        """What led to a response. Raises Problem where it is not known (any more)."""
        if id not in self._kept:
            code = "previous_response_not_found" if param else "response_not_found"
            raise Problem(404, f"no response {id[:80]!r} is remembered", param=param, code=code)
        return self._kept[id]

    def forget(self, id: str) -> None:
        """Raises Problem where it is not known (any more)."""
        self._bytes -= len(self.recall(id))
        del self._kept[id]
