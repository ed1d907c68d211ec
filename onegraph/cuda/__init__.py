"""PyTorch's questions about NVIDIA processors: this build has none, so `"cuda" if og.cuda.is_available() else "cpu"` gives "cpu"."""

from __future__ import annotations

from typing import Any

from onegraph.cuda import amp
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


def is_bf16_supported(including_emulation: bool = True) -> bool:
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


def is_initialized() -> bool:
    """Whether CUDA is in use: no."""
    return False


def is_tf32_supported() -> bool:
    """Whether a CUDA device multiplies in TF32: there is none."""
    return False


def memory_allocated(device: Any = None) -> int:
    """Bytes of tensors on a CUDA device: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes of tensors on a CUDA device so far: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes held on a CUDA device: 0."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes held on a CUDA device so far: 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Start counting the most bytes anew."""


def ipc_collect() -> None:
    """Give memory of other processes back: there is none."""


def _no_device(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise DeviceError(
            f"cuda.{name}: there is no CUDA device in this build", hint="ask og.cuda.is_available() first"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Always raises a DeviceError: there is no CUDA device."
    return refuse


current_device = _no_device("current_device")
get_device_name = _no_device("get_device_name")
get_device_properties = _no_device("get_device_properties")
get_device_capability = _no_device("get_device_capability")
