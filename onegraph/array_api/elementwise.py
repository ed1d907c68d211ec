"""Functions of the standard that work element by element.

All are `onegraph`'s own, after the standard's promotion: tensors without dimensions count as much as others.
Read next: `support.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.array_api.support import array, beside, named, pair
from onegraph.errors import DTypeError
from onegraph.frontend.dynamic import look
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import bfloat16, bool_

_ROUNDINGS = frozenset({"ceil", "floor", "round", "trunc"})

_UNARY = {
    "abs": "abs", "acos": "acos", "acosh": "acosh", "asin": "asin", "asinh": "asinh", "atan": "atan", "atanh": "atanh",
    "bitwise_invert": "bitwise_not", "ceil": "ceil", "cos": "cos", "cosh": "cosh", "exp": "exp", "expm1": "expm1",
    "floor": "floor", "isfinite": "isfinite", "isinf": "isinf", "isnan": "isnan", "log": "log", "log10": "log10",
    "log1p": "log1p", "log2": "log2", "logical_not": "logical_not", "negative": "neg", "reciprocal": "reciprocal",
    "round": "round", "sign": "sgn", "signbit": "signbit", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt",
    "square": "square", "tan": "tan", "tanh": "tanh", "trunc": "trunc",
}  # fmt: skip
_BINARY = {
    "add": "add", "atan2": "atan2", "bitwise_and": "bitwise_and", "bitwise_left_shift": "bitwise_left_shift",
    "bitwise_or": "bitwise_or", "bitwise_right_shift": "bitwise_right_shift", "bitwise_xor": "bitwise_xor",
    "copysign": "copysign", "divide": "div", "equal": "eq", "floor_divide": "floor_divide", "greater": "gt",
    "greater_equal": "ge", "hypot": "hypot", "less": "lt", "less_equal": "le", "logaddexp": "logaddexp",
    "logical_and": "logical_and", "logical_or": "logical_or", "logical_xor": "logical_xor", "maximum": "maximum",
    "minimum": "minimum", "multiply": "mul", "not_equal": "ne", "pow": "pow", "remainder": "remainder", "subtract": "sub",
}  # fmt: skip


def _unary(name: str, own: str) -> Callable[[Tensor], Tensor]:
    function = getattr(og, own)
    whole = name in _ROUNDINGS

    def call(x: Tensor, /) -> Tensor:
        x = array(name, x)
        return x if whole and not x.dtype.is_floating_point else function(x)  # type: ignore[no-any-return]

    return named(name, f"The standard's `{name}`: `onegraph.{own}`, element by element.", call)


def _binary(name: str, own: str) -> Callable[[Any, Any], Tensor]:
    function = getattr(og, own)

    def call(x1: Any, x2: Any, /) -> Tensor:
        first, second = pair(name, x1, x2)
        return function(first, second)  # type: ignore[no-any-return]

    return named(name, f"The standard's `{name}`: `onegraph.{own}`, after the standard's promotion.", call)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _unary(name, own) for name, own in _UNARY.items()},
    **{name: _binary(name, own) for name, own in _BINARY.items()},
}


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """The elements, no less than `min` and no more than `max`.

    Args:
        x: any real tensor.
        min, max: numbers, or tensors that broadcast with x; taken in x's dtype.

    >>> from onegraph import array_api as xp
    >>> xp.clip(xp.asarray([1.0, 5.0, 9.0]), 2, 8)
    tensor([2., 5., 8.])
    """
    result = array("clip", x)
    for bound, function in ((min, og.maximum), (max, og.minimum)):
        if bound is not None:
            limit = bound.to(x.dtype) if isinstance(bound, Tensor) else beside("clip", x, bound)[1].to(x.dtype)
            result = function(result, limit)
    return result.clone() if result is x else result


def conj(x: Tensor, /) -> Tensor:
    """The complex conjugate: the tensor itself, since every dtype is real."""
    return array("conj", x)


def real(x: Tensor, /) -> Tensor:
    """The real part: the tensor itself, since every dtype is real."""
    return array("real", x)


def imag(x: Tensor, /) -> Tensor:
    """The imaginary part: zeros, since every dtype is real."""
    return og.zeros_like(array("imag", x))  # type: ignore[no-any-return]


def positive(x: Tensor, /) -> Tensor:
    """The tensor itself, as `+x`."""
    return array("positive", x)


def nextafter(x1: Any, x2: Any, /) -> Tensor:
    """The number next to each element of x1 in the direction of x2. It is a step function, so it has no gradient.

    Raises:
        DTypeError: for dtypes other than float16, float32 and float64.
        TraceError: in traced code: the values are looked at.

    >>> from onegraph import array_api as xp
    >>> bool(xp.nextafter(xp.asarray(1.0), xp.asarray(2.0)) > 1)
    True
    """
    first, second = pair("nextafter", x1, x2)
    if not first.dtype.is_floating_point or first.dtype is bfloat16:
        raise DTypeError(f"nextafter: takes float16, float32 and float64, got {first.dtype.name}")
    values = [look("nextafter", t.detach(), "compute it outside of the traced function") for t in (first, second)]
    return og.tensor(np.asarray(np.nextafter(*values)))  # type: ignore[no-any-return]


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """Elements of x1 where the condition holds, and of x2 elsewhere; the three broadcast.

    >>> from onegraph import array_api as xp
    >>> xp.where(xp.asarray([True, False]), 1.0, xp.asarray([5.0, 6.0]))
    tensor([1., 6.])
    """
    first, second = pair("where", x1, x2) if isinstance(x1, Tensor) or isinstance(x2, Tensor) else _numbers(x1, x2)
    return og.where(array("where", condition).to(bool_), first, second)  # type: ignore[no-any-return]


def _numbers(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    return pair("where", og.tensor(x1), og.tensor(x2))


for _function in (clip, conj, imag, nextafter, positive, real, where):
    FUNCTIONS[_function.__name__] = _function
