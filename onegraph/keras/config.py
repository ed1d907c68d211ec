"""`keras.config`: numbers and names that hold for a whole program. Read next: `dtype_policies.py`, `backend/__init__.py`."""

from __future__ import annotations

from onegraph.errors import UnsupportedError
from onegraph.keras.backend import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from onegraph.keras.dtype_policies import dtype_policy, set_dtype_policy

__all__ = [
    "backend",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_backend",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_max_epochs",
    "set_max_steps_per_epoch",
    "unsafe_deserialization_enabled",
]

_switches = {"interactive": True, "unsafe": False, "flash": True, "filtering": False}
_limits: dict[str, int | None] = {"epochs": None, "steps": None}


def set_backend(backend: str) -> None:
    """Accepts 'onegraph', which computes everything.

    Raises:
        UnsupportedError: for another backend.
    """
    if backend != "onegraph":
        raise UnsupportedError(f"set_backend: models here are computed by onegraph, not by {backend!r}")


def enable_interactive_logging() -> None:
    """`fit` shows progress as a bar (the default)."""
    _switches["interactive"] = True


def disable_interactive_logging() -> None:
    """`fit` with verbose='auto' prints a line an epoch, and `evaluate` and `predict` nothing that moves."""
    _switches["interactive"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress is shown as a bar."""
    return _switches["interactive"]


def enable_traceback_filtering() -> None:
    """Note the wish; errors here name the layer and the user's line and are never shortened."""
    _switches["filtering"] = True


def disable_traceback_filtering() -> None:
    """Note the wish; errors here are never shortened."""
    _switches["filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """What was wished."""
    return _switches["filtering"]


def enable_flash_attention() -> None:
    """Attention is compiled from its formula, fused where the compiler can; this notes the wish."""
    _switches["flash"] = True


def disable_flash_attention() -> None:
    """Notes the wish."""
    _switches["flash"] = False


def is_flash_attention_enabled() -> bool:
    """What was wished."""
    return _switches["flash"]


def is_nnx_enabled() -> bool:
    """Whether variables are Flax's: never."""
    return False


def enable_unsafe_deserialization() -> None:
    """Let `load_model` run code (of `Lambda` layers) from files, as `safe_mode=False` does for one call."""
    _switches["unsafe"] = True


def unsafe_deserialization_enabled() -> bool:
    """Whether `enable_unsafe_deserialization` was called."""
    return _switches["unsafe"]


def max_epochs() -> int | None:
    """The most epochs that `fit` trains; None for no limit."""
    return _limits["epochs"]


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of `fit`, for quick trials."""
    _limits["epochs"] = max_epochs


def max_steps_per_epoch() -> int | None:
    """The most steps an epoch that `fit`, `evaluate` and `predict` take; None for no limit."""
    return _limits["steps"]


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps an epoch, for quick trials."""
    _limits["steps"] = max_steps_per_epoch
