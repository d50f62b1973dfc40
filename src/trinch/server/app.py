"""The web application: its parts put together, its routes, its lifespan, and the responses to errors."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from trinch.llm.interface import NO_MODELS, NamedModel, Setting
from trinch.server.answering import ModelUse
from trinch.server.api import admin, alerts, export, live_search, node, openapi, plan, stories, upload, v1
from trinch.server.api.live_stats import LiveStats
from trinch.server.api.mcp_endpoint import McpEndpoint
from trinch.server.app_state import AppState
from trinch.server.http.access import AccessControl, AccessRules
from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem
from trinch.server.http.keys import Keys
from trinch.server.http.metrics import Metrics
from trinch.server.http.middleware import Middleware
from trinch.server.openai import chat_completions, responses
from trinch.server.web import page
from trinch.server.workers.supervisor import Child
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service.alerts import DEFAULT_RULES, AlertRules
from trinch.sources.address import without_credentials
from trinch.store.cluster import coordinator
from trinch.store.cluster.coordinator import ClusterError

log = logging.getLogger("trinch.server")

SEARCH_PROCESSES = max(2, (os.cpu_count() or 2) // 2)
ANSWER_PROCESSES = max(1, (os.cpu_count() or 2) // 2)
"""Worker processes for searches, and for answers."""

MODEL_PROCESSES = 4
"""Worker processes for answers where a language model behind an address writes them: they mostly wait for it."""

ANSWER_NICENESS = 5
"""Niceness of the workers for answers: a search takes milliseconds, an answer up to a second."""

SEARCH_CPU_SECONDS, ANSWER_CPU_SECONDS, PLAN_CPU_SECONDS = 2.0, 10.0, 3.0
"""CPU time after which the worker process of a search, an answer or a plan is ended. The store returns a partial result long
before; this limit holds for whatever does not."""


def build(
    data: Path,
    rules: AccessRules,
    listen: list[str],
    language_model: Setting | None = None,
    tokens_per_day: int = 0,
    alert_rules: AlertRules = DEFAULT_RULES,
    node_log: str = "",
    named_models: Mapping[str, NamedModel] = NO_MODELS,
) -> tuple[Middleware, AppState]:
    """The application over the store in `data` and its state. It ingests from the sources in `listen`;
    `language_model`, if set, writes answers, at most `tokens_per_day` for each key (0: no limit); of `named_models` a
    request can choose one, and the first of them is the default where there is no `language_model`. With `node_log` it
    is a node, which reads its partitions from that NATS server."""
    default = "" if language_model else next(iter(named_models), "")
    if default:
        language_model = named_models[default].setting
    search_pool = WorkerPool(
        data, SEARCH_PROCESSES, queue_size=400, cpu_seconds=SEARCH_CPU_SECONDS, reserve=1
    )
    answer_pool = _answer_pool(
        data, [*filter(None, [language_model]), *(m.setting for m in named_models.values())]
    )
    sources = [
        Child(without_credentials(url), "trinch.server.workers.source_process", [str(data)], secret=url)
        for url in listen
    ]
    children = [*_consumers(data, alert_rules, node_log), *sources]
    live = LiveStats(
        data,
        search_pool,
        lambda: [{"name": c.name, "state": c.state} for c in sources],
    )
    state = AppState(
        data=data,
        search_pool=search_pool,
        answer_pool=answer_pool,
        ingest_pool=WorkerPool(data, 1, queue_size=50),
        plan_pool=WorkerPool(data, 1, queue_size=50, nice=ANSWER_NICENESS, cpu_seconds=PLAN_CPU_SECONDS),
        live=live,
        keys=Keys(data),
        audit=Audit(data),
        metrics=Metrics(),
        children=children,
        language_model=language_model,
        default_model=default,
        named_models=named_models,
        model_use=ModelUse(tokens_per_day, named=named_models),
        alerts=alert_rules,
    )
    routes: list[BaseRoute] = [
        *v1.routes,
        *stories.routes,
        *live_search.routes,
        *export.routes,
        *plan.routes,
        *alerts.routes,
        *chat_completions.routes,
        *responses.routes,
        *upload.routes,
        *node.routes,
        *admin.routes,
        *openapi.routes,
        *page.routes(),
    ]
    mcp = McpEndpoint(state) if find_spec("mcp") else None
    routes.append(Route("/mcp", mcp or _no_mcp, methods=["GET", "POST", "DELETE"]))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        supervised = [asyncio.create_task(child.run()) for child in children]
        background = [asyncio.create_task(live.watch())]
        if mcp:
            background.append(asyncio.create_task(mcp.run()))
        yield
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        for child in children:
            child.stop()
        await asyncio.gather(*supervised)
        for pool in (search_pool, answer_pool, state.ingest_pool, state.plan_pool):
            pool.close()
        state.audit.close()

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            Problem: _problem,
            HTTPException: _http,
            ClusterError: _cluster,
            Exception: _unexpected,
        },
    )
    app.state.trinch = state
    paths = {route.endpoint: route.path for route in routes if isinstance(route, Route)}

    def route_of(scope: Scope) -> str:
        """The path of the route, not that of the request: a bounded set, with nothing that a client invented."""
        if "endpoint" in scope and scope["endpoint"] in paths:
            return paths[scope["endpoint"]]
        return "static" if scope["path"].startswith("/static/") else "none"

    control = AccessControl(rules, state.keys)
    return Middleware(app, control, state.audit, state.metrics, route_of), state


def _consumers(data: Path, alert_rules: AlertRules, node_log: str) -> list[Child]:
    """The processes that read the log of this machine; a coordinator has none, and a node reads its partitions beside."""
    if os.environ.get(coordinator.VARIABLE):
        return []
    indexer = Child("indexer", "trinch.store.indexer", [str(data)])
    if node_log:
        partitions = "trinch.server.workers.partition_process"
        return [indexer, Child("partitions", partitions, [str(data)], secret=node_log)]
    private = ["private"] if alert_rules.allow_private else []
    return [
        indexer,
        Child("stories", "trinch.stories.counter", [str(data)]),
        Child("alerts", "trinch.service.alert_worker", [str(data), *private]),
    ]


def _answer_pool(data: Path, language_models: Sequence[Setting]) -> WorkerPool:
    """The workers for answers. A language model in their own process takes as long as it takes."""
    remote = ["://" in model.where for model in language_models]
    processes = max(ANSWER_PROCESSES, MODEL_PROCESSES) if any(remote) else ANSWER_PROCESSES
    cpu_seconds = ANSWER_CPU_SECONDS if all(remote) else None
    return WorkerPool(data, processes, queue_size=100, nice=ANSWER_NICENESS, cpu_seconds=cpu_seconds)


async def _no_mcp(_: Request) -> Response:
    raise Problem(501, "MCP needs an extra: pip install 'trinch[mcp]'", code="not_installed")


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _cluster(_: Request, error: Exception) -> Response:
    return Problem(501, str(error), code="not_on_cluster").response()


async def _http(request: Request, error: Exception) -> Response:
    """Starlette's own errors: no such path, method not allowed."""
    assert isinstance(error, HTTPException)
    reason = {
        404: f"no such path: {request.url.path[:200]}",
        405: f"{request.method} is not allowed on this path",
    }
    response = Problem(error.status_code, reason.get(error.status_code, error.detail)).response()
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Problem(500, "internal error; the log of the server has the details").response()
