"""The model's tests need torch (`pip install trinch[train]`); without it they skip and say so."""

import pytest

pytest.importorskip("torch", reason="the model needs torch: pip install 'trinch[train]'")
