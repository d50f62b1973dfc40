"""Which questions led to which response.

Owns a bounded memory, gone with the process, of questions only: nothing that any post said is kept. Knows nothing of
responses.
"""

from collections import OrderedDict

from trinch.server.errors import Problem


class Memory:
    """Which questions led to a response, so that `previous_response_id` can go on from them. Bounded."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._said: OrderedDict[str, list[str]] = OrderedDict()

    def keep(self, id: str, said: list[str]) -> None:
        """Remember the latest questions behind a response."""
        self._said[id] = [text[:2000] for text in said[-10:]]
        if len(self._said) > self._size:
            self._said.popitem(last=False)

    def recall(self, id: str) -> list[str]:
        """The questions behind a response. Raises Problem where it is not known (any more)."""
        if id not in self._said:
            raise Problem(
                404, f"no response {id[:80]!r} is remembered", param="previous_response_id",
                code="previous_response_not_found",
            )  # fmt: skip
        return self._said[id]
