"""Names of `torch.random`: seeds and the generator's state. Read next: `frontend/random.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from onegraph.frontend.random import (
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cuda") -> Iterator[None]:
    """Within this context random numbers may be drawn; after it the generator goes on as if none had been.

    >>> import onegraph as og
    >>> _ = og.manual_seed(0)
    >>> with og.random.fork_rng():
    ...     first = og.rand(2)
    >>> bool((og.rand(2) == first).all())
    True
    """
    before = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if before is not None:
            set_rng_state(before)
