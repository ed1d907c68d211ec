"""PyTorch's question about OpenMP, which onegraph does not use."""

from __future__ import annotations


def is_available() -> bool:
    """Whether it is used: no.

    >>> import onegraph as og
    >>> og.backends.openmp.is_available()
    False
    """
    return False
