"""Fixtures every room may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real posts and payloads for development. They are not part of the project: tests that need them skip."""


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Path:
    """Folder of the real data; `@pytest.mark.needs("payloads/x_compliance")` names what a test wants."""
    marker = request.node.get_closest_marker("needs")
    wanted = SHARED / marker.args[0] if marker else SHARED
    if not wanted.exists():
        pytest.skip(f"needs ../shared/data/{wanted.relative_to(SHARED)}")
    return wanted
