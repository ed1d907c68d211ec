"""NumPy's ufuncs on tensors: `np.add(t, a)`, `np.sin(t)`, `np.add.reduce(t)`, `array *= t`.

Results are tensors with gradients, with the dtypes that onegraph's own functions give. A ufunc that has no counterpart raises
an UnsupportedError: a NumPy array, or an array of objects, never comes back silently.
Read next: `numpy_functions.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.array_api import statistics
from onegraph.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype

_OPERATORS: dict[str, Callable[..., Any]] = {
    "absolute": operator.abs, "add": operator.add, "bitwise_and": operator.and_, "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor, "divide": operator.truediv, "equal": operator.eq, "floor_divide": operator.floordiv,
    "greater": operator.gt, "greater_equal": operator.ge, "invert": operator.invert, "left_shift": operator.lshift,
    "less": operator.lt, "less_equal": operator.le, "matmul": operator.matmul, "multiply": operator.mul,
    "negative": operator.neg, "not_equal": operator.ne, "positive": operator.pos, "power": operator.pow,
    "remainder": operator.mod, "right_shift": operator.rshift, "subtract": operator.sub,
}  # fmt: skip
_RENAMED = {  # NumPy's (or scipy.special's) name -> ours
    "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj", "degrees": "rad2deg", "fabs": "abs", "radians": "deg2rad", "rint": "round",
    "sign": "sgn", "vecdot": "linalg.vecdot", "psi": "digamma", "i0": "special.i0", "i1": "special.i1",
}  # fmt: skip
_SAME = (
    "ceil", "copysign", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "float_power", "floor", "fmax", "fmin", "fmod",
    "gcd", "heaviside", "hypot", "isfinite", "isinf", "isnan", "lcm", "ldexp", "log", "log10", "log1p", "log2", "logaddexp",
    "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "rad2deg", "reciprocal",
    "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip
_SPECIAL = (
    "entr", "erf", "erfc", "erfcx", "erfinv", "expit", "gammaln", "i0e", "i1e", "log_ndtr", "logit", "ndtr", "ndtri",
    "xlog1py", "xlogy",
)  # fmt: skip
_NAMES = {**_RENAMED, **{n: n for n in _SAME}, **{n: f"special.{n}" for n in _SPECIAL}}
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": statistics.sum, "logical_and": statistics.all, "logical_or": statistics.any, "maximum": statistics.max,
    "minimum": statistics.min, "multiply": statistics.prod,
}  # fmt: skip
_ACCUMULATIONS: dict[str, Callable[..., Any]] = {
    "add": og.cumsum,
    "maximum": lambda x, axis: og.cummax(x, axis)[0],
    "minimum": lambda x, axis: og.cummin(x, axis)[0],
    "multiply": og.cumprod,
}
_IDENTITIES = {"add": 0, "logical_and": True, "logical_or": False, "multiply": 1}


def as_tensors(value: Any) -> Any:
    """NumPy's arrays and numbers as tensors and Python numbers, inside lists and tuples too."""
    if isinstance(value, np.ndarray):
        return og.tensor(value) if mode.trace is None else og.from_numpy(value.copy())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Tensor, np.ndarray, list, tuple)) for v in value):
        return [as_tensors(v) for v in value]
    return value


def missing(name: str) -> UnsupportedError:
    """The error for a function of NumPy that tensors do not have."""
    return UnsupportedError(
        f"{name} has no counterpart on tensors",
        hint="to compute it with NumPy, without gradients, pass x.detach().numpy()",
    )


def write(name: str, out: Any, result: Tensor, where: Any = True) -> Any:
    """Put a result into `out=`, which may be a tensor or an array; at the places of a mask only, where there is one."""
    if tuple(out.shape) != tuple(result.shape):
        raise ShapeError(f"{name}: out has shape {tuple(out.shape)}, the result {tuple(result.shape)}")
    if isinstance(out, Tensor):
        if not np.can_cast(result.dtype.numpy, out.dtype.numpy, "same_kind"):
            raise DTypeError(
                f"{name}: a {result.dtype.name} result cannot be written into out, a {out.dtype.name} tensor"
            )
        return out.copy_(result if where is True else og.where(where, result, out))
    array = result.numpy()
    if not np.can_cast(array.dtype, out.dtype, "same_kind"):
        raise DTypeError(
            f"{name}: a {result.dtype.name} result cannot be written into a NumPy array of {out.dtype}",
            hint="convert the tensor first, or write `array = array + tensor` to get a tensor",
        )
    np.copyto(out, array, casting="same_kind", where=True if where is True else where.numpy())
    return out


def _function(ufunc: Any) -> Callable[..., Any] | None:
    name = ufunc.__name__
    found = _OPERATORS.get(name)
    if found is not None:
        return found
    if name == "divmod":
        return lambda a, b: (a // b, a % b)
    if name == "modf":
        return lambda x: (x - og.trunc(x), og.trunc(x))
    if name not in _NAMES:
        return None
    function: Any = og
    for part in _NAMES[name].split("."):
        function = getattr(function, part, None)
    return None if function is None else _on_tensors(function)


def _on_tensors(function: Any) -> Callable[..., Any]:
    """Functions take tensors only; numbers without dimensions promote as Python's do."""

    def call(*operands: Any) -> Any:
        return function(*[x if isinstance(x, Tensor) else og.tensor(x) for x in operands])

    return call


def call(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc, or one of its methods, with a tensor among its arguments.

    Raises:
        UnsupportedError: there is no such function on tensors.
        ArgumentError: `where=` without `out=`, whose other elements nobody has set.
        GradientError: `out=` is a NumPy array, and the result requires gradients.
    """
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if method == "at":
        return _at(name, ufunc, *inputs)
    kwargs = dict(kwargs)
    outputs = kwargs.pop("out", None)
    if kwargs.pop("casting", "same_kind") != "same_kind":
        raise UnsupportedError(f"{name}: tensors know no casting=", hint="convert them first, x.to(dtype)")
    for ignored in ("order", "subok"):
        kwargs.pop(ignored, None)
    operands = [as_tensors(x) for x in inputs]
    if method == "__call__":
        return _call(name, ufunc, operands, outputs, kwargs)
    if method == "outer":
        first, second = [x if isinstance(x, Tensor) else og.tensor(x) for x in operands]
        spread = og.reshape(first, (*first.shape, *[1] * second.ndim))
        return _call(name, ufunc, [spread, second], outputs, kwargs)
    if method == "reduce":
        result = _reduce(name, ufunc.__name__, *operands, **kwargs)
    elif method == "accumulate":
        result = _accumulate(name, ufunc.__name__, *operands, **kwargs)
    else:
        raise missing(name)
    return result if outputs is None or outputs[0] is None else write(name, outputs[0], result)


def _call(name: str, ufunc: Any, operands: list[Any], outputs: Any, kwargs: dict[str, Any]) -> Any:
    function = _function(ufunc)
    where, dtype = as_tensors(kwargs.pop("where", True)), kwargs.pop("dtype", None)
    if function is None:
        raise missing(name)
    if kwargs:
        raise UnsupportedError(f"{name}: tensors know no {', '.join(kwargs)}=", hint="pass x.detach().numpy()")
    if where is not True and outputs is None:
        raise ArgumentError(f"{name}: where= leaves elements that nobody has set", hint="pass out= as well")
    if dtype is not None:
        operands = [(x if isinstance(x, Tensor) else og.tensor(x)).to(as_dtype(dtype)) for x in operands]
    if not any(isinstance(x, Tensor) for x in operands):  # the tensor is in out=
        operands[0] = og.tensor(operands[0])
    result = function(*operands)
    if outputs is None:
        return result
    results = result if isinstance(result, tuple) else (result,)
    written = [r if o is None else write(name, o, r, where) for o, r in zip(outputs, results, strict=True)]
    return tuple(written) if isinstance(result, tuple) else written[0]


_NOT_GIVEN: Any = getattr(np, "_NoValue", None)


def _reduce(
    name: str,
    ufunc: str,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Tensor:
    function = _REDUCTIONS.get(ufunc)
    if function is None:
        raise missing(name)
    where = as_tensors(where)
    if where is not True:
        identity = _IDENTITIES.get(ufunc, None if initial is _NOT_GIVEN else initial)
        if identity is None:
            raise ArgumentError(
                f"{name}: where= needs initial=, since there is no smallest or largest number to begin with"
            )
        x = og.where(where, x, og.tensor(identity, dtype=x.dtype))
    if dtype is not None and ufunc in ("add", "multiply"):
        x = x.to(as_dtype(dtype))
    result: Tensor = function(x, axis=axis, keepdims=bool(keepdims))
    if initial not in (None, _NOT_GIVEN):
        combine = _OPERATORS.get(ufunc) or _on_tensors(getattr(og, ufunc))
        result = combine(result, initial)
    return result


def _accumulate(name: str, ufunc: str, x: Tensor, axis: int = 0, dtype: Any = None) -> Tensor:
    function = _ACCUMULATIONS.get(ufunc)
    if function is None:
        raise missing(name)
    return function(x if dtype is None else x.to(as_dtype(dtype)), axis)  # type: ignore[no-any-return]


def _at(name: str, ufunc: Any, target: Any, places: Any, values: Any = None) -> None:
    """`np.add.at(target, places, values)`: places that occur twice are written twice."""
    if not isinstance(target, Tensor):
        plain = [v.numpy() if isinstance(v, Tensor) else v for v in (places, values)]
        ufunc.at(target, plain[0], *([] if values is None else plain[1:]))
        return
    if ufunc.__name__ not in ("add", "subtract"):
        raise missing(name)
    index = (
        as_tensors(places)
        if isinstance(places, tuple)
        else (as_tensors(np.asarray(places)) if not isinstance(places, Tensor) else places,)
    )
    change = values if isinstance(values, Tensor) else og.tensor(values)
    change = change.to(target.dtype)
    items = tuple([i if isinstance(i, Tensor) else og.tensor(i) for i in index])
    target.index_put_(items, -change if ufunc.__name__ == "subtract" else change, accumulate=True)
