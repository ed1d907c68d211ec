"""PyTorch's question about Intel's MKL, which onegraph does not use."""

from __future__ import annotations


def is_available() -> bool:
    """Whether it is used: no.

    >>> import onegraph as og
    >>> og.backends.mkl.is_available()
    False
    """
    return False
