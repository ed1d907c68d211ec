"""Every matrix product and convolution: loops around one register block, from an affine description of the operands.

For batch indices g, rows m, columns n and depth k:  sum(g, m, n) = sum over k of A(g, m, k) * B(g, k, n),  and an
epilogue stores the sums. A, B and C are addressed by strides, so that dense and batched products, transposed operands,
convolutions (of channels-last data with a halo), their input and weight gradients and their grouped forms are all this.
One element is summed in the order of k, from 0.0, with one multiply-add for each k: its bits do not depend on tiles,
blocks or threads.
Read next: `contraction_spec.py`, the description; `tiling.py`, which chooses the sizes; `contraction_loops.py`.
"""

from __future__ import annotations

from dataclasses import replace

from onegraph.kernels.contraction_layout import Layout, units
from onegraph.kernels.contraction_loops import Epilogue, Loops
from onegraph.kernels.contraction_spec import (
    Axis,
    Contraction,
    better_swapped,
    depth_size,
    matmul,
    merge,
    merged_depth,
    swap,
)
from onegraph.kernels.llvm import Function, Module, Number, Value, element_type, lanes_of, vector_type
from onegraph.kernels.tiling import Tiling

__all__ = [
    "Axis",
    "Contraction",
    "Epilogue",
    "better_swapped",
    "depth_size",
    "emit",
    "matmul",
    "merge",
    "merged_depth",
    "plain_kernel",
    "scratch_bytes",
    "store_epilogue",
    "swap",
    "tasks",
]

_BYTES = {"float": 4, "double": 8, "bfloat16": 4}
"""Of one sum."""


def store_epilogue(spec: Contraction, c: Value) -> Epilogue:
    """An epilogue that puts the sums into C."""

    def store(
        f: Function, batch: list[Value], rows: list[Value], column: Value, sums: Value, mask: Value | None
    ) -> None:
        at = f.as_value(spec.c_offset)
        for index, axis in zip([*batch, *rows], [*spec.batch, *spec.rows], strict=True):
            at = f.add(at, f.mul(index, axis.c))
        at = f.add(at, f.mul(column, spec.c_column))
        pointer = f.element(c, element_type(sums.type), at)
        lanes = lanes_of(sums.type)
        if spec.c_column != 1:
            places = f.mul(f.lane_numbers(lanes), f.constant(vector_type("i64", lanes), spec.c_column))
            f.scatter(sums, pointer, places, mask or f.constant(vector_type("i1", lanes), 1))
        elif mask is None:
            f.store(sums, pointer)
        else:
            f.masked_store(sums, pointer, mask)

    return store


def tasks(spec: Contraction, tiling: Tiling) -> int:
    """How many tasks the kernel has; any split of them over threads gives the same bits, long runs are fastest."""
    return -(-units(spec, tiling) // tiling.grain)


def scratch_bytes(spec: Contraction, tiling: Tiling, *, rolled: bool = False) -> int:
    """Scratch memory for one thread."""
    return Layout(spec, _fitted(spec, tiling), rolled or tiling.matrix).end * _BYTES[spec.dtype]


def _fitted(spec: Contraction, tiling: Tiling) -> Tiling:
    """The tiling, with B packed where it cannot be read in vectors."""
    scattered = spec.b_panel is None and spec.b_column != 1
    ragged = not tiling.masks and not spec.b_padded and spec.columns % tiling.columns != 0
    return replace(tiling, pack_b=True) if scattered or ragged else tiling


def emit(
    f: Function,
    spec: Contraction,
    tiling: Tiling,
    a: Value,
    b: Value,
    epilogue: Epilogue,
    first: Number,
    last: Number,
    scratch: Value,
    *,
    rolled: bool = False,
) -> None:
    """Write the code of the tasks first <= t < last.

    Args:
        a, b: addresses of the operands (before their offsets).
        epilogue: writes the code that uses one vector of finished sums.
        scratch: `scratch_bytes(spec, tiling, rolled=rolled)` bytes, 64-byte aligned, of this thread.
        rolled: write the epilogue once in a loop over the rows instead of once for each row: for long epilogues.
    """
    if any(axis.size == 0 for axis in (*spec.batch, *spec.rows)) or spec.columns == 0:
        return
    Loops(f, spec, _fitted(spec, tiling), a, b, epilogue, scratch, rolled or tiling.matrix).run(first, last)


def plain_kernel(spec: Contraction, tiling: Tiling, name: str, *, rolled: bool = False) -> str:
    """LLVM IR of a whole kernel that stores the sums: buffers A, B, C. For tests, measurements and searches."""
    module = Module()
    arguments = [("ptr", "buffers"), ("i64", "first"), ("i64", "last"), ("ptr", "scratch"), ("ptr", "status")]
    f = module.function(name, arguments)
    buffers, first, last, scratch, _ = f.arguments
    a, b, c = (f.load("ptr", f.element(buffers, "ptr", i)) for i in range(3))
    emit(f, spec, tiling, a, b, store_epilogue(spec, c), first, last, scratch, rolled=rolled)
    f.ret()
    return str(module)
