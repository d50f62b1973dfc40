"""The requests behind recent responses, so that a client can continue from one or fetch it again.

Held in memory, bounded, lost with the process. Only questions and options of the client are stored, never the text of
a post: a response that is fetched later is answered again.
"""

from collections import OrderedDict

from trinch.server.http.errors import Problem

MAX_RESPONSES, MAX_BYTES = 10_000, 64_000_000
"""Beyond either, the oldest responses are dropped."""


class ResponseStore:
    """Encoded requests by response id, each for the key that it was made with (None: without one)."""

    def __init__(self, max_responses: int = MAX_RESPONSES, max_bytes: int = MAX_BYTES) -> None:
        self._max_responses, self._max_bytes = max_responses, max_bytes
        self._by_id: OrderedDict[str, tuple[str | None, bytes]] = OrderedDict()
        self._bytes = 0

    def save(self, id: str, encoded: bytes, key: str | None) -> None:
        """Store the request of a response."""
        self._by_id[id] = key, encoded
        self._bytes += len(encoded)
        while len(self._by_id) > self._max_responses or self._bytes > self._max_bytes:
            _, (_, oldest) = self._by_id.popitem(last=False)
            self._bytes -= len(oldest)

    def load(self, id: str, key: str | None, param: str | None = None) -> bytes:
        """The request of a response. Raises Problem where it is not stored, or was made with another key."""
        owner, encoded = self._by_id.get(id, (None, b""))
        if not encoded or owner != key:
            code = "previous_response_not_found" if param else "response_not_found"
            raise Problem(404, f"no response {id[:80]!r} is stored", param=param, code=code)
        return encoded

    def delete(self, id: str, key: str | None) -> None:
        """Raises Problem where it is not stored, or was made with another key."""
        self._bytes -= len(self.load(id, key))
        del self._by_id[id]
