"""The OpenAPI document, held against a real server by schemathesis."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.server.running import Running
from trinch.server.api.openapi import document
from trinch.server.http.codec import encode
from trinch.server.http.keys import Keys

schemathesis = pytest.importorskip("schemathesis", reason="needs the schemathesis package (dev extra)")

# Lines of posts have tests of their own (test_ingest.py); generated ones would only fill the store.
# A stream that never ends has its own, too (test_live_search.py).
schema = schemathesis.openapi.from_dict(document()).exclude(path=["/v1/ingest", "/v1/live/search"])

# No JSON schema can say which queries, times and conversations are well formed: those may be refused.
NOT_IN_SCHEMA = [schemathesis.checks.positive_data_acceptance]


def test_the_document_is_served(http: httpx.Client) -> None:
    assert http.get("/openapi.json").json() == json.loads(encode(document()))


@pytest.fixture(scope="module")
def own(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A server of its own, since the operations make and revoke keys, and an admin key."""
    data = shutil.copytree(sample_data, tmp_path_factory.mktemp("openapi") / "store")
    _, key = Keys(data).add("schemathesis", ["admin"])
    with Running(data, "--rate", "1000") as running:
        yield running, key


@schema.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_does_as_documented(case: "schemathesis.Case", own: tuple[Running, str]) -> None:
    running, key = own
    headers = {"Authorization": f"Bearer {key}"}
    case.call_and_validate(base_url=running.url, headers=headers, excluded_checks=NOT_IN_SCHEMA)
