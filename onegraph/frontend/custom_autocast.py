"""`custom_fwd` and `custom_bwd`: what autocast means inside a `torch.autograd.Function`. Read first: `autocast.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.autocast import autocast
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import DType, as_dtype, float64


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str = "cpu", cast_inputs: DType | None = None
) -> Any:
    """For `forward` of an `autograd.Function`: remember whether it ran under autocast, and cast its inputs.

    Args:
        fwd: the static method; left out, this is a decorator.
        device_type: 'cpu'.
        cast_inputs: under autocast, the dtype that floating inputs are cast to; `forward` then runs without autocast.
            None: it runs with it, on inputs as they are.
    """
    _check(device_type, "custom_fwd")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._autocast = mode.autocast
        if cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        if mode.autocast is None:
            return fwd(ctx, *args, **kwargs)
        ctx._autocast = None
        with autocast("cpu", enabled=False):
            return fwd(ctx, *_cast(args, as_dtype(cast_inputs)), **_cast(kwargs, as_dtype(cast_inputs)))

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str = "cpu") -> Any:
    """For `backward` of an `autograd.Function` whose `forward` has `custom_fwd`: it runs under autocast if forward did.

    Args:
        bwd: the static method; left out, this is a decorator.
        device_type: 'cpu'.
    """
    _check(device_type, "custom_bwd")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *gradients: Any) -> Any:
        chosen = ctx._autocast
        with autocast("cpu", dtype=chosen, enabled=chosen is not None):
            return bwd(ctx, *gradients)

    return backward


def _check(device_type: Any, name: str) -> None:
    if not isinstance(device_type, str):
        raise ArgumentTypeError(f"{name}: device_type must be a string such as 'cpu', got {type(device_type).__name__}")


def _cast(value: Any, dtype: DType) -> Any:
    if isinstance(value, Tensor):
        floating = value.dtype.is_floating_point and value.dtype is not float64
        return value.to(dtype) if floating else value
    if isinstance(value, dict):
        return {k: _cast(v, dtype) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_cast(v, dtype) for v in value)
    return value
