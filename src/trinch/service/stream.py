"""Stream an answer claim by claim; each claim is checked against the log again just before it is sent."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from trinch.llm.interface import Setting
from trinch.service import serialize
from trinch.service.ask import AskRequest
from trinch.store.store import Store

P = ParamSpec("P")
Result = TypeVar("Result")


class Workers(Protocol):
    """Whatever runs a function on a store off the event loop, such as a pool of processes."""

    async def run(
        self, work: Callable[Concatenate[Store, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...

    def stream(
        self, work: Callable[Concatenate[Store, P], Iterator[Result]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[Result]: ...


class Update(NamedTuple):
    """One step of a streamed answer."""

    answer: dict[str, Any]
    """The whole answer as it holds at this step (the shape of `serialize.answer_json`)."""
    claim: dict[str, Any] | None
    """The claim to send now; None in the last step."""
    new_sources: list[dict[str, Any]]
    """The sources that this claim is the first to cite."""


async def stream_answer(
    answering: Workers, checking: Workers, request: AskRequest, language_model: Setting | None = None
) -> AsyncIterator[Update]:
    """The claims of an answer in order, as they are verified, then one last update without a claim.

    A claim whose posts were deleted since the answer was made is left out. A source keeps the number under which
    it was first sent.
    """
    sent: dict[str, int] = {}
    numbers: dict[tuple[str, ...], int] = {}
    answer: dict[str, Any] = {}
    async for answer in answering.stream(serialize.answer_steps, request, language_model):
        for identity in [_identity(claim) for claim in answer["claims"]]:
            if identity in numbers:
                continue
            answer = serialize.number_sources(await checking.run(serialize.recheck, answer), sent)
            claim = next((claim for claim in answer["claims"] if _identity(claim) == identity), None)
            if claim is None:
                continue
            numbers[identity] = len(numbers) + 1
            cited = {citation["key"]: citation["n"] for citation in claim["citations"]}
            new = [source for source in answer["sources"] if source["key"] in cited.keys() - sent.keys()]
            sent |= cited
            answer = _numbered(answer, numbers)
            yield Update(answer, claim | {"n": numbers[identity]}, new)
    final = serialize.number_sources(await checking.run(serialize.recheck, answer), sent)
    yield Update(_numbered(final, numbers), None, [])


def _identity(claim: dict[str, Any]) -> tuple[str, ...]:
    """What identifies a claim within an answer."""
    return (claim["text"], *(citation["key"] for citation in claim["citations"][:1]))


def _numbered(answer: dict[str, Any], numbers: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """An answer whose claims have the numbers under which they were sent."""
    return answer | {
        "claims": [claim | {"n": numbers.get(_identity(claim), claim["n"])} for claim in answer["claims"]]
    }
