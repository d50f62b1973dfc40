"""The state that the endpoints of one server share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from trinch.llm.interface import NamedModel, Setting
from trinch.server.answering import ModelUse
from trinch.server.api.live_stats import LiveStats
from trinch.server.http.audit import Audit
from trinch.server.http.keys import Keys
from trinch.server.http.metrics import Metrics
from trinch.server.openai.response_store import ResponseStore
from trinch.server.workers.supervisor import Child
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service.alerts import DEFAULT_RULES, AlertRules


@dataclass(slots=True)
class AppState:
    """The parts of a running server."""

    data: Path
    search_pool: WorkerPool
    """Short tasks: searches, look-ups."""
    answer_pool: WorkerPool
    """Long tasks: answers."""
    ingest_pool: WorkerPool
    """Writes to the log."""
    plan_pool: WorkerPool
    """Estimates of training runs."""
    live: LiveStats
    keys: Keys
    audit: Audit
    metrics: Metrics
    children: list[Child]
    language_model: Setting | None = None
    """The language model that writes answers where a request names none."""
    default_model: str = ""
    """Its name in `named_models`; empty where it has none."""
    named_models: Mapping[str, NamedModel] = field(default_factory=dict)
    model_use: ModelUse = field(default_factory=ModelUse)
    alerts: AlertRules = DEFAULT_RULES
    responses: ResponseStore = field(default_factory=ResponseStore)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server shuts down: endless streams end."""


def state_of(connection: HTTPConnection) -> AppState:
    """The state of the server that a request came to."""
    state: AppState = connection.app.state.trinch
    return state
