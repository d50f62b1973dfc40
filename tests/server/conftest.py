"""One server over our own sample for all tests that only read."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.running import Running, fill


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ocean of our own sample. Not to be written to: copy it for that."""
    return fill(tmp_path_factory.mktemp("sample") / "ocean")


@pytest.fixture(scope="session")
def server(sample_data: Path) -> Iterator[Running]:
    with Running(sample_data) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client
