"""The zeros around a value that convolutions read past its edges."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from onegraph.kernels.kernel import Kernel
from onegraph.kernels.llvm import Function, Module, Value
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS


def halo_kernel(sizes: Sequence[tuple[int, int, int]], itemsize: int) -> Kernel:
    """A kernel that clears the halo of a buffer and nothing else.

    Args:
        sizes: for each dimension, outermost in memory first: elements, and the halo before and after them.
        itemsize: bytes of an element.
    """
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, _, _ = f.arguments
    base = f.load("ptr", buffers)
    widths = [size + low + high for size, low, high in sizes]
    steps = [prod(widths[d + 1 :]) * itemsize for d in range(len(sizes))]
    final = max(d for d, (_, low, high) in enumerate(sizes) if low or high)
    outer = sizes[0][0] if not (sizes[0][1] or sizes[0][2]) else 1

    def clear(pointer: Value, size: int) -> None:
        if size:
            f.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
            f.line(f"call void @llvm.memset.p0.i64(ptr {pointer.text}, i8 0, i64 {size}, i1 false)")

    def level(d: int, start: Value) -> None:
        size, low, high = sizes[d]
        clear(start, low * steps[d])
        if d < final:
            _each(f, size, lambda i: level(d + 1, f.element(start, "i8", f.mul(f.add(i, low), steps[d]))))
        clear(f.element(start, "i8", (low + size) * steps[d]), high * steps[d])

    if outer > 1:
        f.loop(first, last, 1, lambda i, _: level(1, f.element(base, "i8", f.mul(i, steps[0]))))
    else:
        with f.only_if(f.compare("slt", first, last)):
            level(0, base)
    f.ret()
    return Kernel("halo", str(module), outer, description=f"zeros around {[s for s, _, _ in sizes]}")


def _each(f: Function, count: int, body: object) -> None:
    f.loop(0, count, 1, lambda i, _: body(i))  # type: ignore[operator]
