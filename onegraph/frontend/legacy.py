"""Names from other times of PyTorch, and methods whose answer is simple here: `FloatTensor`, `compile`, `conj`, `apply_`, ..."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend.convert import copy_, tensor
from onegraph.frontend.dynamic import look
from onegraph.frontend.function import jit
from onegraph.frontend.generate import assign, wrap_result
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor, tensor_from_array, wrap
from onegraph.frontend.types import strided
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import DType, bool_, from_numpy, int64
from onegraph.ops.binary import EQ
from onegraph.ops.cast import cast
from onegraph.ops.connection import connected
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.public import PUBLIC
from onegraph.ops.reduction import sum_to_shape
from onegraph.ops.shapes import show
from onegraph.ops.triangular import diagonal_number


class TensorType:
    """An old constructor of tensors of one dtype: `FloatTensor(2, 3)` by sizes, `FloatTensor([1, 2])` from values."""

    def __init__(self, name: str, dtype: DType) -> None:
        self.__name__ = name
        self.dtype = dtype

    def __call__(self, *data: Any) -> Tensor:
        return Tensor(*data, dtype=self.dtype)

    def __repr__(self) -> str:
        return f"onegraph.{self.__name__}"


_TENSOR_TYPES = {
    "FloatTensor": dtypes.float32,
    "DoubleTensor": dtypes.float64,
    "HalfTensor": dtypes.float16,
    "BFloat16Tensor": dtypes.bfloat16,
    "LongTensor": dtypes.int64,
    "IntTensor": dtypes.int32,
    "ShortTensor": dtypes.int16,
    "CharTensor": dtypes.int8,
    "ByteTensor": dtypes.uint8,
    "BoolTensor": dtypes.bool_,
}


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = None,
    mode: str | None = None,
    options: Any = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """What is computed is always compiled here, so this gives the function or module back as it is.

    Args:
        model: a function or a module; left out, this is a decorator.
        fullgraph: trace the Python too, once per input signature, as `onegraph.jit` does. Then values cannot be looked at.
        dynamic, backend, mode, options, name, recompile_limit, isolate_recompiles, shapes_spec: accepted.
        disable: do nothing.

    >>> import onegraph as og
    >>> og.compile(lambda x: x + 1)(og.ones(2))
    tensor([2., 2.])
    """
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, disable=disable)
    return jit(model) if fullgraph and not disable else model


def angle(input: Tensor) -> Tensor:
    """The angle of real numbers in the complex plane: pi where they are negative, else 0."""
    x = input if input.dtype.is_floating_point else input.to(dtypes.get_default_dtype())
    node = x.node
    negative = (x < 0).node
    here = WHERE(negative, constant(np.pi, node.dtype), WHERE((x != x).node, node, constant(0, node.dtype)))
    return wrap(here, x._requires_grad)


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like the input, full of one value."""
    number = value if isinstance(value, Tensor) else tensor(value, dtype=input.dtype)
    if number.ndim:
        raise ShapeError(f"fill: the value must be a number, got {show(number.shape)}")
    filled = number.to(input.dtype).expand(tuple(input.shape)).clone()
    return wrap(connected(filled.node, input.node), input._requires_grad or filled._requires_grad)


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sum over dimensions that a tensor of this size would be broadcast along to the shape of this one."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    have = tuple(self.shape)
    padded = (1,) * (len(have) - len(shape)) + tuple(shape)
    if len(shape) > len(have) or any(s not in (1, h) for s, h in zip(padded, have, strict=True)):
        raise ShapeError(f"sum_to_size: {show(shape)} does not broadcast to {show(have)}")
    if mode.trace is not None:
        mode.trace.seen(self)
    node = cast(self.node, int64) if self.dtype is bool_ and tuple(shape) != have else self.node
    return wrap(sum_to_shape(node, shape), self._requires_grad)


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it; slow, for looking at things."""
    value = look("apply_", self, "write the function with operations on tensors")
    found = np.array([callable(v) for v in value.reshape(-1).tolist()]).reshape(value.shape)
    return copy_(self, tensor(found, dtype=self.dtype))


def map_(self: Tensor, tensor_: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it and of another tensor's; slow."""
    advice = "write the function with operations on tensors"
    mine, others = look("map_", self, advice), look("map_", tensor_, advice)
    others = np.broadcast_to(others, mine.shape)
    pairs = zip(mine.reshape(-1).tolist(), others.reshape(-1).tolist(), strict=True)
    found = np.array([callable(a, b) for a, b in pairs]).reshape(mine.shape)
    return copy_(self, tensor(found, dtype=self.dtype))


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Overwrite the main diagonal with one value; with `wrap`, again below it in a tall matrix."""
    shape = tuple(self.shape)
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(f"fill_diagonal_: needs a matrix, or equal sizes in all dimensions, got {show(shape)}")
    if len(shape) > 2:
        places = np.zeros(shape, bool)
        np.einsum("i" * len(shape) + "->i", places)[...] = True
        chosen = _known(places).node
    elif wrap:
        places = np.zeros(shape, bool)
        np.fill_diagonal(places, True, wrap=True)
        chosen = _known(places).node
    else:
        chosen = EQ(diagonal_number(*shape), constant(0, dtypes.int64))
    value = constant(fill_value, self.dtype)
    return assign(self, _wrap(WHERE(chosen, value, self.node), self._requires_grad))


_wrap = wrap


def _known(array: np.ndarray[Any, Any]) -> Tensor:
    return tensor_from_array(np.ascontiguousarray(array), from_numpy(array.dtype))


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor from data, of this one's dtype."""
    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad)


def new(self: Tensor, *data: Any) -> Tensor:
    """An old spelling of `new_empty` (for sizes) and `new_tensor` (for values)."""
    return Tensor(*data, dtype=self.dtype)


def resize_as_(self: Tensor, other: Tensor, *, memory_format: Any = None) -> Tensor:
    """The tensor itself, which must have the other's shape already; there is no storage to resize."""
    return resize_(self, tuple(other.shape))


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """The tensor itself, which must have this shape already; there is no storage to resize."""
    shape = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    if shape != tuple(self.shape):
        raise ArgumentError(
            f"resize_: {show(tuple(self.shape))} cannot become {show(shape)} in place: tensors have values, no storage",
            hint="x = x.reshape(...), or make a new tensor",
        )
    return self


def _same(input: Tensor) -> Tensor:
    return input


def imag(input: Tensor) -> Tensor:
    """Imaginary parts of complex tensors, which there are not.

    Raises:
        ArgumentTypeError: always, as PyTorch does for real tensors.
    """
    raise ArgumentTypeError(f"imag: needs a complex tensor, got {input.dtype.name}")


def _copies() -> dict[str, Any]:
    """`view_copy`, `transpose_copy` and the like: the movement, not aliasing its argument."""
    wanted = ("as_strided", "diagonal", "expand", "narrow", "permute", "split", "split_with_sizes", "squeeze", "t",
              "transpose", "unbind", "unfold", "unsqueeze", "view")  # fmt: skip
    functions = {name: e.function for e in PUBLIC if e.namespace in ("", "tensor") for name in e.names}
    return {f"{name}_copy": _copy_of(name, functions[name]) for name in wanted if name in functions}


def _copy_of(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def copied(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if mode.trace is not None:
            mode.trace.seen(input)
        return wrap_result(function(input.node, *args, **kwargs), input._requires_grad)

    copied.__name__ = f"{name}_copy"
    copied.__doc__ = f"As `{name}`, not sharing storage with the input."
    return copied


def _assert(condition: Any, message: str) -> None:
    """`assert` as a function.

    Raises:
        AssertionError: the condition (a bool, or a tensor that is looked at) does not hold.
    """
    if not condition:
        raise AssertionError(message)


_C = SimpleNamespace(_log_api_usage_once=lambda *args: None)
"""What programs touch of PyTorch's compiled part: a call that counts users there, and does nothing here."""


def typename(obj: Any) -> str:
    """The full name of an object's type.

    >>> import onegraph as og
    >>> og.typename(og.ones(1))
    'onegraph.Tensor'
    """
    if isinstance(obj, Tensor):
        return "onegraph.Tensor" if type(obj) is Tensor else f"{type(obj).__module__}.{type(obj).__qualname__}"
    name, module = type(obj).__qualname__, type(obj).__module__
    return name if module in ("builtins", None) else f"{module}.{name}"


def _constant_property(value: Any) -> property:
    return property(lambda self: value)


_REAL: Sequence[str] = ("conj", "conj_physical", "resolve_conj", "resolve_neg")
_BOTH: dict[str, Any] = dict.fromkeys(_REAL, _same) | _copies() | {"angle": angle, "fill": fill}

FUNCTIONS: dict[str, Any] = {
    **_BOTH,
    **{name: TensorType(name, dtype) for name, dtype in _TENSOR_TYPES.items()},
    "_C": _C,
    "_assert": _assert,
    "typename": typename,
    "alias_copy": lambda input: input.clone(),
    "compile": compile,
    "imag": imag,
    "real": _same,
    "is_conj": lambda input: False,
    "is_neg": lambda input: False,
}
METHODS: dict[str, Any] = {
    **_BOTH,
    "H": property(lambda self: self.t()),
    "mH": property(lambda self: self.transpose(-2, -1)),
    "apply_": apply_,
    "fill_diagonal_": fill_diagonal_,
    "get_device": lambda self: -1,
    "imag": property(imag),
    "is_conj": lambda self: False,
    "is_cpu": _constant_property(True),
    "is_inference": lambda self: False,
    "is_meta": _constant_property(False),
    "is_mps": _constant_property(False),
    "is_neg": lambda self: False,
    "is_pinned": lambda self: False,
    "is_quantized": _constant_property(False),
    "is_shared": lambda self: False,
    "layout": _constant_property(strided),
    "map_": map_,
    "new": new,
    "new_tensor": new_tensor,
    "real": property(_same),
    "resize_": resize_,
    "resize_as_": resize_as_,
    "retains_grad": property(lambda self: self._retains_grad),
    "sum_to_size": sum_to_size,
}
