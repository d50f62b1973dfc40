"""Stores of invented posts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.invented import NEWS, small_talk, store_of
from trinch.store.store import Store


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ordinary days and the day of the happenings; read only."""
    path = tmp_path_factory.mktemp("stories") / "store"
    store_of(path, small_talk(), NEWS).close()
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of it that may be changed."""
    path = tmp_path / "store"
    shutil.copytree(filled, path)
    opened = Store.open(path)
    yield opened
    opened.close()
