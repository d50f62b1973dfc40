"""One server over the sample for all tests that only read, and one browser for the tests of the page."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.browser import Tab, chromium
from tests.server.running import Running, fill


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the sample. Read only: copy it to write."""
    return fill(tmp_path_factory.mktemp("sample") / "store")


@pytest.fixture(scope="session")
def server(sample_data: Path) -> Iterator[Running]:
    with Running(sample_data) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Running) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


Opener = Callable[..., Tab]
Starter = Callable[..., Running]


@pytest.fixture(scope="module")  # no longer: while playwright runs, no other test can run an event loop
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Starter]:
    """Starts servers that outlive the tabs of a test."""
    with contextlib.ExitStack() as running:
        yield lambda data, *options: running.enter_context(Running(data, *options))


@pytest.fixture
def tab(browser: Any, server: Running, serving: Starter) -> Iterator[Opener]:
    """Opens a tab on the sample, or on another server. Fails the test if the tab reported an error."""
    opened: list[Tab] = []

    def new(url: str = "", **options: Any) -> Tab:
        opened.append(Tab(browser, url or server.url, **options))
        return opened[-1]

    yield new
    for one in opened:
        one.context.close()
        assert one.complaints == []
        assert one.elsewhere == []
