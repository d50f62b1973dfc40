"""A queue for worker processes that is fair to clients: a flood of one client does not hold up the others.

Clients take turns, however many requests each has waiting, and `reserve` of the workers are never given to a client
that already has all others. Where the queue is full, the client with most requests waiting loses its newest.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from contextvars import ContextVar

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""Whose request is being served: the id of its key, else its address. Set by the middleware."""


class Rejected(Exception):
    """The queue is full."""


class FairQueue:
    """Hands out `slots` to clients; at most `queue_size` requests wait."""

    def __init__(self, slots: int, queue_size: int, reserve: int = 0) -> None:
        self._free, self._queue_size = slots, queue_size
        self._most = slots - reserve
        """Slots that one client may have."""
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By client, whose turn it is first."""

    @property
    def num_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def acquire(self, client: str) -> None:
        """Wait for a slot. Raises Rejected."""
        if self._free and self._running[client] < self._most:
            self._take(client)
            return
        self._drop_cancelled()
        if self.num_waiting >= self._queue_size:
            self._make_room(client)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(client)  # the turn came in the same instant
            else:
                self._forget(client, turn)
            raise

    def release(self, client: str) -> None:
        """Give a slot back; the next client in turn gets it."""
        self._free += 1
        self._running[client] -= 1
        self._running += Counter()  # without the clients that have none
        self._dispatch()

    def _take(self, client: str) -> None:
        self._free -= 1
        self._running[client] += 1

    def _dispatch(self) -> None:
        self._drop_cancelled()
        for client in list(self._waiting):
            if not self._free:
                return
            if self._running[client] < self._most:
                turn = self._waiting[client][0]
                self._take(client)
                turn.set_result(None)
                self._forget(client, turn)
                if client in self._waiting:
                    self._waiting.move_to_end(client)

    def _make_room(self, client: str) -> None:
        """Reject the newest request of the client with most of them. Raises Rejected if it is this client."""
        heaviest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=client)
        if len(self._waiting.get(heaviest, ())) <= len(self._waiting.get(client, ())) + 1:
            raise Rejected
        newest = self._waiting[heaviest][-1]
        newest.set_exception(Rejected())
        self._forget(heaviest, newest)

    def _drop_cancelled(self) -> None:
        """Remove the requests that were cancelled and have not run since: no slot may be given to them."""
        for client, queue in list(self._waiting.items()):
            for turn in [turn for turn in queue if turn.cancelled()]:
                self._forget(client, turn)

    def _forget(self, client: str, turn: "asyncio.Future[None]") -> None:
        """Remove a request from the queue, if it is there."""
        queue = self._waiting.get(client)
        if queue and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[client]
