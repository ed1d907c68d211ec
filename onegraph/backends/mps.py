"""PyTorch's question about Apple's processors, which onegraph does not use."""

from __future__ import annotations


def is_available() -> bool:
    """Whether it is used: no.

    >>> import onegraph as og
    >>> og.backends.mps.is_available()
    False
    """
    return False


def is_built() -> bool:
    """Whether this build can use them: no."""
    return False
