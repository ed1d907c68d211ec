"""PyTorch's switches of cuDNN, which is not here: they can be set and read, and change nothing.

Results are the same bits in every run and with any number of threads, so `deterministic = True` asks for what is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

enabled: bool = False
benchmark: bool = False
benchmark_limit: int = 10
deterministic: bool = True
allow_tf32: bool = False


def is_available() -> bool:
    """Whether cuDNN is there: no.

    >>> import onegraph as og
    >>> og.backends.cudnn.is_available()
    False
    """
    return False


def version() -> None:
    """The version of cuDNN: None."""


@contextlib.contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """Set switches within a context. They change nothing."""
    yield
