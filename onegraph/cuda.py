"""PyTorch's questions about NVIDIA processors: this build has none, so `"cuda" if og.cuda.is_available() else "cpu"` gives "cpu"."""

from __future__ import annotations

from typing import Any

from onegraph.errors import DeviceError
from onegraph.frontend.random import manual_seed as _manual_seed


def is_available() -> bool:
    """Whether tensors can be on a CUDA device: no.

    >>> import onegraph as og
    >>> "cuda" if og.cuda.is_available() else "cpu"
    'cpu'
    """
    return False


def device_count() -> int:
    """The number of CUDA devices: 0."""
    return 0


def is_bf16_supported() -> bool:
    """Whether a CUDA device computes in bfloat16: there is none."""
    return False


def manual_seed(seed: int) -> None:
    """Seed the random numbers, which are the same on every device."""
    _manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the random numbers, which are the same on every device."""
    _manual_seed(seed)


def synchronize(device: Any = None) -> None:
    """Wait for a device: there is none to wait for."""


def empty_cache() -> None:
    """Give memory of a device back: there is none."""


def set_device(device: Any) -> None:
    """Choose a CUDA device.

    Raises:
        DeviceError: always; there is none.
    """
    raise DeviceError(
        f"there is no CUDA device {device!r} in this build", hint="leave set_device out, or use device='cpu'"
    )
