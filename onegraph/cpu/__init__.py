"""PyTorch's questions about the host's processor, which is where everything runs."""

from __future__ import annotations

from typing import Any

from onegraph.cpu import amp

__all__ = ["amp", "current_device", "device_count", "is_available", "set_device", "synchronize"]


def is_available() -> bool:
    """Whether there is a processor: yes.

    >>> import onegraph as og
    >>> og.cpu.is_available()
    True
    """
    return True


def device_count() -> int:
    """The number of devices 'cpu': 1."""
    return 1


def current_device() -> str:
    """The name of the device: 'cpu'."""
    return "cpu"


def set_device(device: Any) -> None:
    """Choose a device; there is one."""


def synchronize(device: Any = None) -> None:
    """Wait for pending work. Values are computed when they are looked at, so there is none to wait for."""
