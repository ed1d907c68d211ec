"""Small kernels over whole arrays, for tests of value arithmetic: out[i] = function(inputs[i]), a vector at a time."""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.ir.dtype import DType, bfloat16
from onegraph.kernels.compile import compile_text, load
from onegraph.kernels.llvm import Function, Module, Value, vector_type
from onegraph.kernels.scalar import Code, Scalar, memory_type
from onegraph.kernels.target import Target, host, plain_target

Array = np.ndarray[Any, Any]
Write = Callable[[Code, list[Scalar]], Scalar]

_names = (f"pointwise_{i}" for i in itertools.count())
PLAIN = plain_target()


def to_numbers(stored: Array, dtype: DType) -> Array:
    """Storage as float64, or as it is."""
    if dtype is bfloat16:
        return (stored.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return stored.astype(np.float64) if dtype.is_floating_point else stored


def make_code(f: Function, lanes: int, target: Target, on_error: Callable[[Value], None] | None = None) -> Code:
    """Code for a target."""
    return Code.for_target(f, lanes, target, on_error)


def first_lanes(f: Any, count: Any, lanes: int) -> Any:
    """A mask that is true in the first `count` (i64) lanes."""
    wide = f.splat(f.convert("trunc", count, "i32"), lanes)
    return f.compare("ult", f.lane_numbers(lanes, "i32"), wide)


class Kernel:
    """A compiled loop over arrays of any length.

    Args:
        write: the value from the values of the inputs.
        inputs, output: dtypes.
        lanes: how many elements at a time; the last vector is masked.
        target: the processor; the one that this runs on unless told.
        run: whether the machine code is loaded; without it only looked at, as `code`.
    """

    def __init__(
        self,
        write: Write,
        inputs: Sequence[DType],
        output: DType,
        lanes: int,
        target: Target | None = None,
        run: bool = True,
    ) -> None:
        target = target or host()
        self.output = output
        module, name = Module(), next(_names)
        parameters = [("ptr", f"x{i}") for i in range(len(inputs))]
        f = module.function(name, [*parameters, ("ptr", "out"), ("i64", "n"), ("ptr", "status")])
        *pointers, out, n, status = f.arguments

        def report(mask: Value) -> None:
            found = f.external(f"llvm.vector.reduce.or.v{lanes}i1", "i1", [mask]) if lanes > 1 else mask
            with f.only_if(found):
                f.store(f.constant("i64", 1), status)

        def body(i: Value, _: list[Value]) -> None:
            mask = first_lanes(f, f.minimum(f.sub(n, i), lanes), lanes) if lanes > 1 else None

            def in_use(errors: Value) -> None:
                off = f.constant(errors.type, 0)
                report(errors if mask is None else f.select(mask, errors, off))

            code = make_code(f, lanes, target, in_use)
            values = []
            for pointer, dtype in zip(pointers, inputs, strict=True):
                address, type_ = f.element(pointer, memory_type(dtype), i), vector_type(memory_type(dtype), lanes)
                value = f.load(type_, address) if mask is None else f.masked_load(type_, address, mask)
                values.append(code.load_convert(value, dtype))
            result = write(code, values)
            assert result.dtype is output
            stored, address = code.store_convert(result), f.element(out, memory_type(output), i)
            if mask is None:
                f.store(stored, address)
            else:
                f.masked_store(stored, address, mask)

        f.loop(0, n, lanes, body)
        f.ret()
        self.code = compile_text(str(module), target)
        if not run:
            return
        (address,) = load(self.code, name)
        count = len(inputs) + 3
        types = [ctypes.c_void_p] * count
        types[-2] = ctypes.c_int64  # type: ignore[call-overload]
        self._function = ctypes.CFUNCTYPE(None, *types)(address)
        self.status = 0

    def __call__(self, *arrays: Array) -> Array:
        """The results, in storage form. `status` is 1 afterwards if an error was reported."""
        arrays = tuple(np.ascontiguousarray(a) for a in arrays)
        size = arrays[0].size
        out = np.full(size + 8, 77).astype(self.output.numpy)  # what is behind the end must stay as it is
        before = out[size:].copy()
        status = np.zeros(4, np.int64)
        self._function(*[a.ctypes.data for a in arrays], out.ctypes.data, size, status.ctypes.data)
        np.testing.assert_array_equal(out[size:], before)
        self.status = int(status[0])
        return out[:size]


@functools.cache
def math_kernel(name: str, dtype: DType, count: int, lanes: int, target: Target | None = None) -> Kernel:
    """One of the functions of vector math."""

    def write(code: Code, x: list[Scalar]) -> Scalar:
        return getattr(code, name)(*x) if count == 2 else code.math(name, *x)

    return Kernel(write, [dtype] * count, dtype, lanes, target)


def units_in_the_last_place(actual: Array, exact: Array) -> Array:
    """How far results are from exact values (of a wider type), in units of the last place of the rounded exact value."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(actual.dtype)
        same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
        unit = np.where(np.isfinite(rounded), np.spacing(np.abs(rounded)), 1).astype(exact.dtype)
        error = np.abs(actual.astype(exact.dtype) - exact) / unit
    error = np.where(same & ~np.isfinite(error), 0, error)  # infinities, and overflow that is due
    return np.asarray(np.where(np.isnan(error), np.inf, error))
