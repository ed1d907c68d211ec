"""PyTorch's old names of mixed precision on NVIDIA processors. There is none here: they warn and do nothing.

Write `og.autocast("cpu")` and `og.amp.GradScaler("cpu")` instead.
"""

from __future__ import annotations

import functools
from typing import Any

from onegraph.frontend.autocast import autocast as _autocast
from onegraph.frontend.custom_autocast import custom_bwd as _custom_bwd
from onegraph.frontend.custom_autocast import custom_fwd as _custom_fwd
from onegraph.ir.dtype import float16 as _float16
from onegraph.optim.grad_scaler import GradScaler as _GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(_autocast):
    """`og.autocast("cuda")`: warns that there is no such device, and casts nothing."""

    def __init__(self, enabled: bool = True, dtype: Any = _float16, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_GradScaler):
    """`og.amp.GradScaler("cuda")`: warns that there is no such device, and scales nothing.

    >>> import onegraph as og
    >>> og.cuda.amp.GradScaler(enabled=og.cuda.is_available()).is_enabled()
    False
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


custom_fwd = functools.partial(_custom_fwd, device_type="cuda")
custom_bwd = functools.partial(_custom_bwd, device_type="cuda")
