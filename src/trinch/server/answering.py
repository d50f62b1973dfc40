"""Answers for the endpoints: with the server's language model while the caller's budget lasts, and counted."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trinch.llm.interface import NamedModel, Setting
from trinch.server.http.errors import Problem
from trinch.service import serialize
from trinch.service.ask import AskRequest
from trinch.service.stream import Update, stream_answer

if TYPE_CHECKING:
    from trinch.server.app_state import AppState


class ModelUse:
    """What the language model has cost: in all, and of each key today (UTC)."""

    def __init__(
        self,
        tokens_per_day: int = 0,
        today: Callable[[], str] | None = None,
        named: Mapping[str, NamedModel] | None = None,
    ) -> None:
        """`tokens_per_day` is how many tokens each key may have written in a day by all models together; 0 is no limit.
        `named` are the models that have limits of their own."""
        self._most = tokens_per_day
        self._named = {name: model.tokens_per_day for name, model in (named or {}).items()}
        self._by_model: Counter[tuple[str, str | None]] = Counter()
        self._today = today or (lambda: datetime.now(UTC).date().isoformat())
        self._day = ""
        self._by_key: Counter[str | None] = Counter()
        self.totals: Counter[str] = Counter()
        """`answers`, `tokens`, `searches`, `written`, `repaired`, `dropped`, `limited`, and `error_CODE`."""
        self.seconds = 0.0

    def allows(self, key: str | None, name: str = "") -> bool:
        """Whether a key (None: without one) has tokens left today, of all models and of the named one."""
        if self._day != self._today():
            self._day = self._today()
            self._by_key.clear()
            self._by_model.clear()
        most = self._named.get(name, 0)
        left = not self._most or self._by_key[key] < self._most
        return left and (not most or self._by_model[name, key] < most)

    def limited(self, model: Setting | None, key: str | None, name: str = "") -> Setting | None:
        """A model, unless the key has used up its tokens of the day: then answers are quotes."""
        if model is None or self.allows(key, name):
            return model
        self.totals["limited"] += 1
        return None

    def count(self, key: str | None, writer: dict[str, Any] | None, name: str = "") -> None:
        """Add what `writer` of an answer by the named model says."""
        if not writer:
            return
        self._by_key[key] += writer["tokens"]
        self._by_model[name, key] += writer["tokens"]
        self.totals["answers"] += 1
        for name in ("tokens", "searches", "written", "repaired", "dropped"):
            self.totals[name] += writer[name]
        if writer["error"]:
            self.totals[f"error_{writer['error']}"] += 1
        self.seconds += writer["seconds"]

    def add_tokens(self, key: str | None, tokens: int, name: str = "") -> None:
        """Add tokens that were not written for the sentences of an answer."""
        self._by_key[key] += tokens
        self._by_model[name, key] += tokens
        self.totals["tokens"] += tokens

    def gauges(self) -> list[tuple[str, dict[str, str], float]]:
        """The counters as metrics: name, labels, value."""
        sentences = [
            ("trinch_model_sentences_total", {"result": name}, float(self.totals[name]))
            for name in ("written", "repaired", "dropped")
        ]
        errors = [
            ("trinch_model_errors_total", {"code": name.removeprefix("error_")}, float(count))
            for name, count in sorted(self.totals.items())
            if name.startswith("error_")
        ]
        return [
            ("trinch_model_answers_total", {}, float(self.totals["answers"])),
            ("trinch_model_tokens_total", {}, float(self.totals["tokens"])),
            ("trinch_model_searches_total", {}, float(self.totals["searches"])),
            ("trinch_model_seconds_total", {}, self.seconds),
            ("trinch_model_limited_total", {}, float(self.totals["limited"])),
            *sentences,
            *errors,
        ]


def model_name(state: "AppState", name: str) -> str:
    """The name by which a model is counted: the one asked for, else that of the default. Raises Problem for a name that
    the server does not have."""
    if name and name not in state.named_models:
        known = ", ".join(sorted(state.named_models)) or "none"
        raise Problem(
            404,
            f"there is no model {name[:80]!r} (named models: {known})",
            param="model",
            code="model_not_found",
        )
    return name or state.default_model


def model_for(state: "AppState", key: str | None, asked: str = "") -> Setting | None:
    """The model of a name, or the server's default, unless the key has used up its tokens of the day. Raises Problem."""
    name = model_name(state, asked)
    setting = state.named_models[name].setting if name else state.language_model
    return state.model_use.limited(setting, key, name)


def count(
    state: "AppState", key: str | None, writer: dict[str, Any] | None, tokens: int, asked: str = ""
) -> None:
    """Count what an answer cost, and tokens spent on it beside what its `writer` says."""
    name = model_name(state, asked)
    state.model_use.count(key, writer, name)
    state.model_use.add_tokens(key, tokens, name)


async def answer(state: "AppState", asked: AskRequest, key: str | None) -> dict[str, Any]:
    """The whole answer in the native shape. Raises Problem for a model that the server does not have."""
    model = model_for(state, key, asked.model)
    shown = await state.answer_pool.run(serialize.answer_json, asked, model)
    state.model_use.count(key, shown["writer"], model_name(state, asked.model))
    return shown


async def stream(state: "AppState", asked: AskRequest, key: str | None) -> AsyncIterator[Update]:
    """The answer claim by claim, each as soon as it is verified. Raises Problem as `answer` does."""
    model, last = model_for(state, key, asked.model), None
    try:
        async for update in stream_answer(state.answer_pool, state.search_pool, asked, model):
            last = update
            yield update
    finally:
        writer = last.answer["writer"] if last else None
        state.model_use.count(key, writer, model_name(state, asked.model))
