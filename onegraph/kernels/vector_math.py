"""Functions of floating values that are no single instruction, for float32 and float64 vectors of any length.

`call` writes each function once in a module, as a helper that is inlined. There are no tables and no calls of the C
library. Errors, tested on dense samples over the whole range (`tests/kernels/test_vector_math.py`): at most 2 units
in the last place in float32 and 4 in float64; denormal numbers, infinities and NaN included. The same operations are
done whatever the number of lanes, so results do not depend on it.

Read next: `math_code.py`, then the files of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onegraph.kernels import math_exponential as exponential
from onegraph.kernels import math_logarithm as logarithm
from onegraph.kernels import math_trigonometric as trigonometric
from onegraph.kernels.llvm import Function, Value, mangle
from onegraph.kernels.math_code import MathCode
from onegraph.kernels.math_error_function import erf

FUNCTIONS: dict[str, Callable[..., Value]] = {
    "exp": exponential.exp,
    "expm1": exponential.expm1,
    "sinh": exponential.sinh,
    "cosh": exponential.cosh,
    "tanh": exponential.tanh,
    "sigmoid": exponential.sigmoid,
    "erf": erf,
    "log": logarithm.log,
    "log1p": logarithm.log1p,
    "pow": logarithm.pow,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": trigonometric.asin,
    "acos": trigonometric.acos,
    "atan": trigonometric.atan,
    "atan2": trigonometric.atan2,
}


def call(f: Function, name: str, arguments: Sequence[Value], fma: bool = True, scale: bool = False) -> Value:
    """The value of a function of the table, for all lanes.

    Args:
        f: where the call goes.
        name: of the function.
        arguments: float or double, or vectors of them; all of one type.
        fma: whether the target has multiply-add instructions.
        scale: whether the target has AVX-512's `vscalef`.
    """
    type_ = arguments[0].type
    key = f"{name}.{mangle(type_)}.{int(fma)}{int(scale)}"
    made = f.module.made
    if key not in made:
        made[key] = f"math.{key}"
        parameters = [(type_, f"x{i}") for i in range(len(arguments))]
        helper = f.module.function(made[key], parameters, type_, private=True)
        helper.ret(FUNCTIONS[name](MathCode(helper, type_, fma, scale), *helper.arguments))
    return f.call(made[key], type_, arguments)
