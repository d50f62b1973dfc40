"""The OpenAPI document, held against a real server by schemathesis."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.server.running import Running
from trinch.server.api.openapi import document
from trinch.server.http.codec import encode

schemathesis = pytest.importorskip("schemathesis", reason="needs the schemathesis package (dev extra)")

# Lines of posts have tests of their own (test_ingest.py); made-up ones would only fill the shared store.
schema = schemathesis.openapi.from_dict(document()).exclude(path="/v1/ingest")

# No JSON schema can say which queries, times and conversations are well formed: those may be refused.
UNSAID = [schemathesis.checks.positive_data_acceptance]


def test_the_document_is_served(http: httpx.Client) -> None:
    assert http.get("/openapi.json").json() == json.loads(encode(document()))


@schema.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_does_as_documented(case: "schemathesis.Case", server: Running) -> None:
    case.call_and_validate(base_url=server.url, excluded_checks=UNSAID)
