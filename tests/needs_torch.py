"""Skip whole test modules, before they are imported, where torch is not installed."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

REASON = "needs torch: pip install 'trinch[train]'"
MISSING = any(find_spec(name) is None for name in ("torch", "tokenizers", "safetensors"))


class SkippedModule(pytest.Module):
    """A test module of which nothing is collected."""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(REASON, allow_module_level=True)


if not MISSING:
    import torch

    # Threads that wait for each other make a test a hundred times slower when other processes use the cores.
    torch.set_num_threads(1)
