"""Functions of two operands that need a tensor among them, or first, as in PyTorch: `eq(2, 3)` and `eq(2, x)` are mistakes.

Beside a tensor a number may stand second everywhere (`maximum(x, 0)`), also where PyTorch wants two tensors.
Read next: `generate.py`, which makes the functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentTypeError

TENSOR_FIRST = frozenset(
    {
        "atan2", "clamp_max", "clamp_min", "copysign", "eq", "fmax", "fmin", "fmod", "ge", "gt", "heaviside",
        "hypot", "isclose", "ldexp", "le", "logaddexp", "logaddexp2", "logical_and", "logical_or",
        "logical_xor", "lt", "max", "maximum", "min", "minimum", "ne", "rsub",
    }
)  # fmt: skip
ONE_TENSOR = frozenset(
    {
        "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "float_power",
        "pow", "remainder", "xlog1py", "xlogy",
    }
)  # fmt: skip
_NUMBERS = frozenset({bool, int, float})


def with_tensors(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which refuses numbers where a tensor must be; other functions as they are."""
    if name in TENSOR_FIRST:
        rule = "the first operand must be a tensor"
    elif name in ONE_TENSOR:
        rule = "one operand must be a tensor"
    else:
        return call
    either = name in ONE_TENSOR

    @functools.wraps(call)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) in _NUMBERS and not (either and len(args) > 1 and type(args[1]) not in _NUMBERS):
            shown = ", ".join(map(str, args[:2]))
            raise ArgumentTypeError(f"{name}: got {shown}: {rule}", hint=f"write og.tensor({args[0]})")
        return call(*args, **kwargs)

    return checked
