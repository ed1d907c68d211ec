"""Each test counts the input shapes of its own: many small models in one process look like one that keeps changing."""

from __future__ import annotations

import pytest

from onegraph.runtime import realize


@pytest.fixture(autouse=True)
def shapes_of_its_own() -> None:
    """Forget which shapes computations were compiled for."""
    realize._shapes_seen.clear()
