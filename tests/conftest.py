"""What all tests share.

Read next: the root `conftest.py`, which also serves the examples in docstrings and in the docs.
"""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest

collect_ignore_glob = ["*/record*.py"]  # scripts that need other libraries; they have no examples to run

# Tests never judge by the clock, and every run tries the same examples, so that a failure can be repeated.
hypothesis.settings.register_profile("onegraph", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("onegraph")


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh NumPy generator with a fixed seed."""
    return np.random.default_rng(0)
