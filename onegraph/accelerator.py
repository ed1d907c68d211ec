"""PyTorch's questions about processors beside the host's: this build has none, so programs that ask go on with 'cpu'."""

from __future__ import annotations

from typing import Any

from onegraph.errors import DeviceError


def is_available() -> bool:
    """Whether there is an accelerator: no.

    >>> import onegraph as og
    >>> og.accelerator.is_available()
    False
    """
    return False


def current_accelerator(check_available: bool = False) -> None:
    """The accelerator that is used: None."""


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0


def synchronize(device: Any = None) -> None:
    """Wait for an accelerator: there is none to wait for."""


def set_device_index(device: Any) -> None:
    """Choose an accelerator.

    Raises:
        DeviceError: always; there is none.
    """
    raise DeviceError(f"there is no accelerator {device!r} in this build", hint="check is_available() first")
