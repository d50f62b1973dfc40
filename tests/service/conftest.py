"""The sample in a store, and a server over it, for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.server.conftest import http, sample_data, server

__all__ = ["http", "sample_data", "server"]


@pytest.fixture(scope="session", autouse=True)
def generous_budget() -> Iterator[None]:
    """On a busy machine the default CPU budget may end a search early in one process and not in another."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRINCH_BUDGET_MS", "60000")
        yield
