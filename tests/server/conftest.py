"""One server over our own sample for all tests that only read, and one browser for all that look."""

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
    """A store of our own sample. Not to be written to: copy it for that."""
    return fill(tmp_path_factory.mktemp("sample") / "store")


@pytest.fixture(scope="session")
def server(sample_data: Path) -> Iterator[Running]:
    with Running(sample_data) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


Opener = Callable[..., Tab]
Starter = Callable[..., Running]


@pytest.fixture(scope="module")  # no longer: while playwright runs, no other test can run an event loop
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Starter]:
    """Starts servers of a test's own, which outlive its tabs."""
    with contextlib.ExitStack() as running:
        yield lambda data, *options: running.enter_context(Running(data, *options))


@pytest.fixture
def tab(browser: Any, server: Running, serving: Starter) -> Iterator[Opener]:
    """Opens a tab on the sample, or on another server. At the end nothing may have gone wrong in it."""
    opened: list[Tab] = []

    def new(url: str = "", **options: Any) -> Tab:
        opened.append(Tab(browser, url or server.url, **options))
        return opened[-1]

    yield new
    for one in opened:
        one.context.close()
        assert one.complaints == []
        assert one.elsewhere == []
