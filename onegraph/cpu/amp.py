"""PyTorch's old names of mixed precision on the host's processor: `autocast` without a device, and `GradScaler`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.autocast import autocast as _autocast
from onegraph.ir.dtype import bfloat16 as _bfloat16
from onegraph.optim.grad_scaler import GradScaler as _GradScaler

__all__ = ["GradScaler", "autocast"]


class autocast(_autocast):
    """`og.autocast("cpu")`.

    >>> import onegraph as og
    >>> with og.cpu.amp.autocast():
    ...     print((og.ones(2, 2) @ og.ones(2, 2)).dtype)
    onegraph.bfloat16
    """

    def __init__(self, enabled: bool = True, dtype: Any = _bfloat16, cache_enabled: bool = True) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(_GradScaler):
    """`og.amp.GradScaler("cpu")`."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
