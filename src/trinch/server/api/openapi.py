"""`/openapi.json`: the OpenAPI document, generated from the types that decode the requests."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import trinch
from trinch.alerts.types import AlertSettings
from trinch.server.api import admin, alerts, export, live_search, plan, stories, upload, v1
from trinch.server.http import codec
from trinch.server.openai import chat_completions, responses
from trinch.service.export import MEDIA_TYPES

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_POST = {
    "type": "object",
    "required": ["key", "id", "network", "created_at", "at", "text", "lang"],
    "properties": {
        **{name: {"type": "string"} for name in ("key", "id", "network", "text", "lang")},
        **{name: {"type": ["string", "null"]} for name in ("created_at", "at")},
        "undated": {"type": "boolean"},
        "attached": {"type": "array", "items": {"type": "object", "required": ["kind", "text"]}},
        **{name: {"type": ["string", "null"]} for name in ("place", "country")},
        **{name: {"type": ["number", "null"]} for name in ("latitude", "longitude")},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["question", "asked", "where", "as_of", "outcome", "answer", "claims", "sources", "took_ms"],
    "properties": {
        "outcome": {"enum": ["answer", "conflicting", "not_enough_evidence", "chat"]},
        "answer": {"type": "string"},
        "claims": {"type": "array", "items": {"type": "object"}},
        "sources": {"type": "array", "items": {"type": "object"}},
    },
}


def _object(*required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required)}


_STREAM, _ATOM = "text/event-stream", "application/atom+xml"
_ALERT = _object(
    "id", "name", "query", "trigger", "window", "webhook", "email", "channel", "owner", "created"
)
_TOTAL = {
    "type": ["object", "null"],
    "properties": {"posts": {"type": "integer"}, "exact": {"type": "boolean"}},
}
_SEARCH = _object("query", "as_of", "took_ms", "hits", "next", "total", "partial", "hints") | {
    "properties": {
        "hits": {"type": "array", "items": {"$ref": "#/components/schemas/Post"}},
        "next": {"type": ["string", "null"]},
        "total": _TOTAL,
        "partial": {"type": "boolean"},
        "hints": {"type": "array", "items": {"type": "string"}},
    }
}

# Streams that never end (/v1/live, /v1/alerts/events) are left out: clients made from this document would wait for them.
# method, path, summary, query type, body type, status, schema of the response, its other media types
_OPERATIONS: list[tuple[str, str, str, Any, Any, int, dict[str, Any], list[str]]] = [
    ("get", "/v1/search", "Find posts", v1.Search, None, 200, _SEARCH, []),
    ("get", "/v1/counts", "Count the posts that match, over time", v1.Counts, None, 200, _object("query", "by", "total", "undated", "counts"), []),
    ("get", "/v1/places", "Where the posts that match were written", v1.Places, None, 200, _object("query", "places", "left_out", "total"), []),
    ("get", "/v1/ask", "Answer a question", v1.Ask, None, 200, {"$ref": "#/components/schemas/Answer"}, [_STREAM]),
    ("post", "/v1/ask", "Answer a question", None, v1.Ask, 200, {"$ref": "#/components/schemas/Answer"}, [_STREAM]),
    ("get", "/v1/evidence", "Count the posts about a question", v1.Evidence, None, 200, _object("posts", "authors", "volume"), []),
    ("get", "/v1/stories", "What is happening", stories.Stories, None, 200, _object("as_of", "window", "about", "lang", "network", "stories", "partial", "took_ms"), []),
    ("get", "/v1/stories/{id}", "One story with its timeline", stories.StoryAsOf, None, 200, _object("id", "headline", "citations", "summary", "timeline"), []),
    ("get", "/v1/trends", "What is used more than on ordinary days", stories.Trends, None, 200, _object("as_of", "window", "lang", "network", "trends", "partial", "took_ms"), []),
    ("get", "/v1/briefs", "What happened since a time, by topic", stories.Briefs, None, 200, _object("as_of", "since", "topics", "ended", "partial", "took_ms"), []),
    ("get", "/v1/live/search", "The posts that match, as they arrive", live_search.LiveSearch, None, 200, {}, [_STREAM]),
    ("get", "/v1/export", "The posts that match, as a file", export.Export, None, 200, {}, list(MEDIA_TYPES.values())),
    ("get", "/v1/alerts", "List alerts", None, None, 200, _object("alerts"), []),
    ("post", "/v1/alerts", "Add an alert", None, AlertSettings, 201, _ALERT, []),
    ("get", "/v1/alerts/{id}", "One alert with its last firings", None, None, 200, _ALERT, []),
    ("delete", "/v1/alerts/{id}", "Remove an alert", None, None, 204, {}, []),
    ("post", "/v1/alerts/{id}/test", "Test an alert", None, None, 200, _object("alert", "posts", "deliveries"), []),
    ("get", "/v1/alerts/{id}/feed", "The posts of an alert as Atom", None, None, 200, {}, [_ATOM]),
    ("get", "/v1/feed", "A search or a story as Atom", alerts.Feed, None, 200, {}, [_ATOM]),
    ("get", "/v1/posts/{key}", "Get a post", v1.Fetch, None, 200, {"$ref": "#/components/schemas/Post"}, []),
    ("post", "/v1/visible", "Which posts are still visible", None, v1.Visible, 200, _object("visible"), []),
    ("get", "/v1/stats", "Statistics of the store", None, None, 200, _object("events", "posts", "languages", "days"), []),
    ("post", "/v1/ingest", "Send posts as lines", upload.Ingest, "application/x-ndjson", 200, _object("read", "accepted", "rejected"), []),
    ("post", "/v1/plan", "Plan a training run", None, plan.PlanRequest, 200, plan.SCHEMA, []),
    ("post", "/v1/plan/report", "The report of a plan", None, plan.PlanRequest, 200, {}, ["text/html"]),
    ("post", "/v1/chat/completions", "OpenAI Chat Completions", None, chat_completions.Completion, 200, _object("id", "object", "choices", "usage", "trinch"), [_STREAM]),
    ("post", "/v1/responses", "OpenAI Responses", None, responses.ResponseRequest, 200, _object("id", "object", "output", "usage", "trinch"), [_STREAM]),
    ("get", "/v1/responses/{id}", "Get a response, answered again", responses.Retrieve, None, 200, _object("id", "object", "output", "usage", "trinch"), [_STREAM]),
    ("delete", "/v1/responses/{id}", "Delete a response", None, None, 200, _object("id", "object", "deleted"), []),
    ("get", "/v1/models", "List models", None, None, 200, _object("object", "data"), []),
    ("get", "/v1/models/{model}", "Get a model", None, None, 200, _object("id", "object"), []),
    ("get", "/v1/keys", "List keys", None, None, 200, _object("keys"), []),
    ("post", "/v1/keys", "Make a key", None, admin.NewKey, 201, _object("id", "token"), []),
    ("delete", "/v1/keys/{id}", "Revoke a key", None, None, 204, {}, []),
    ("get", "/healthz", "Alive", None, None, 200, _object("status"), []),
    ("get", "/readyz", "Ready", None, None, 200, _object("status", "reasons"), []),
]  # fmt: skip


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    types = [kind for row in _OPERATIONS for kind in row[3:5] if isinstance(kind, type)]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for method, path, summary, query, body, status, schema, others in _OPERATIONS:
        parameters: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        if query:
            shape = schemas[query.__name__]
            parameters += [
                {"name": name, "in": "query", "required": name in shape.get("required", []), "schema": one}
                for name, one in shape["properties"].items()
            ]
        content = {media: {"schema": schema} for media in ["application/json"] if schema}
        content |= {media: {} for media in others}
        answers: dict[str, Any] = {
            str(status): {"description": summary, **({"content": content} if content else {})}
        }
        if path == "/readyz":
            answers["503"] = {"description": "Not ready", "content": content}
        answers["default"] = {
            "description": "What is wrong",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        operation: dict[str, Any] = {"summary": summary, "parameters": parameters, "responses": answers}
        if isinstance(body, str):
            operation["requestBody"] = {"content": {body: {"schema": {"type": "string"}}}}
        elif body:
            reference = {"$ref": f"#/components/schemas/{body.__name__}"}
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": reference}},
            }
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trinch",
            "version": trinch.__version__,
            "description": "Search posts, and ask questions that are answered in exact, cited quotes.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: _with_nulls(schema) for name, schema in schemas.items()}
            | {"Error": _ERROR, "Post": _POST, "Answer": _ANSWER},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _with_nulls(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body in which each field that is not required may be null: that counts as absent."""
    required = schema.get("required", [])
    fields = {
        name: shape if name in required or {"type": "null"} in shape.get("anyOf", []) else _or_null(shape)
        for name, shape in schema.get("properties", {}).items()
    }
    return schema | ({"properties": fields} if fields else {})


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]}


async def openapi(_: Request) -> Response:
    return codec.Json(document())


routes = [Route("/openapi.json", openapi)]
