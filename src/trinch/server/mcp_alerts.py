"""The MCP tools for alerts: add, list, show, test, remove."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from trinch.alerts.types import AlertSettings, Trigger
from trinch.server.api import alerts as api
from trinch.server.http.access import Access
from trinch.server.http.errors import Problem
from trinch.service import alerts as service

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False, idempotent_hint=True)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
_REMOVES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True)

Value = TypeVar("Value")
Id = Annotated[str, Field(max_length=100, description="The id of an alert")]


def add_tools(mcp: MCPServer[Any], parts: api.Parts, access_of: Callable[[], Access]) -> None:
    """Add the tools. `access_of` says what the client that calls now is allowed."""

    def allowed() -> Access:
        access = access_of()
        if "alerts" not in access.scopes:
            raise ToolError("this key has not the scope 'alerts'")
        return access

    @mcp.tool(title="Add an alert", annotations=_CHANGES)
    async def alerts_add(
        query: Annotated[str, Field(max_length=1000, description="Search operators that a post must match")] = "",
        topic: Annotated[str, Field(max_length=500, description="A topic in plain words, instead or besides")] = "",
        trigger: Trigger = "match",
        settings: Annotated[dict[str, Any] | None, Field(description=(
            "name, window, factor, least, webhook, email, channel, quiet, zone, digest, cap, as for POST /v1/alerts"))] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Save a search or a topic that says when new posts match (`match`), come in a burst (`burst`), form a new
        story (`story`), move a number (`number`), deny something (`denial`), or stay away (`silence`)."""
        access = allowed()
        values = {"query": query, "topic": topic, "trigger": trigger} | (settings or {})
        try:
            given = msgspec.convert(values, AlertSettings)
        except msgspec.ValidationError as error:
            raise ToolError(str(error)) from None
        return await _result(api.add_alert(parts, given, access))

    @mcp.tool(title="List alerts", annotations=_READS)
    async def alerts_list() -> dict[str, Any]:
        """List the saved alerts."""
        return await parts.search_pool.run(service.list_alerts, api.owner_of(allowed()))

    @mcp.tool(title="One alert", annotations=_READS)
    async def alerts_show(id: Id) -> dict[str, Any]:
        """Get one alert with its last firings and the posts that they are about."""
        return await _result(api.show_alert(parts, id, allowed()))

    @mcp.tool(title="Test an alert", annotations=_CHANGES)
    async def alerts_test(id: Id) -> dict[str, Any]:
        """See what an alert matched in the last day, and send a test to its receivers."""
        return await _result(api.test_alert(parts, id, allowed()))

    @mcp.tool(title="Remove an alert", annotations=_REMOVES)
    async def alerts_remove(id: Id) -> dict[str, Any]:
        """Remove an alert."""
        await _result(api.remove_alert(parts, id, allowed()))
        return {"removed": id}


async def _result(work: Awaitable[Value]) -> Value:
    """What comes of a call of the API; its Problem as an error of a tool."""
    try:
        return await work
    except Problem as error:
        raise ToolError(str(error)) from None
