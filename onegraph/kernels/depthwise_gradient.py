"""The gradient of the weights of convolutions with few channels in a group: sums over pixels, row after row.

Vectors run across channels; the sums of the taps are in registers. The caller says into how many pieces the rows are cut.
Read `depthwise.py` first.
"""

from __future__ import annotations

from itertools import product

from onegraph.kernels.depthwise import BITS, Windows, WindowWriter, next_row
from onegraph.kernels.llvm import Function, Value
from onegraph.kernels.micro_kernel import touch
from onegraph.kernels.target import Target


def gradient_blocks(spec: Windows, target: Target) -> int:
    """Into how many blocks the sums of a vector of channels are cut, so that they are in registers."""
    return max(1, -(-spec.steps // (target.vector_registers - 6)))


def _row_by_row(spec: Windows, target: Target) -> bool:
    """Whether all channels are done row by row, since image and gradient come from far; see `Split`."""
    image = max(axis.size * abs(axis.a) for axis in spec.rows)
    gradient = max(axis.size * abs(axis.b) for axis in spec.rows)
    return (image + gradient) * BITS[spec.dtype] // 8 > target.l2_bytes // 2 and spec.pixels.size >= 4


def gradient_tasks(spec: Windows, target: Target, pieces: int) -> int:
    """Of the kernel of `emit_gradient`."""
    blocks = 1 if _row_by_row(spec, target) else -(-spec.channels // target.lanes(BITS[spec.dtype]))
    return pieces * gradient_blocks(spec, target) * blocks


def emit_gradient(
    f: Function,
    spec: Windows,
    target: Target,
    image: Value,
    gradient: Value,
    result: Value,
    pieces: int,
    first: Value,
    last: Value,
) -> None:
    """Write the code of the tasks first <= t < last of the gradient of the weights.

    Args:
        image, gradient: addresses (before their offsets); the strides `b` of rows and pixels are those of the gradient.
        result: address of (piece, tap, input channel, channel), without gaps.
        pieces: each sums over as many rows of pixels, the last one over what is left.
    """
    code = WindowWriter(f, spec, target)
    everything = list(product(*[range(axis.size) for axis in spec.taps], range(spec.inputs)))
    cuts = gradient_blocks(spec, target)
    size = -(-len(everything) // cuts)
    height = -(-spec.row_count // pieces)
    far = _row_by_row(spec, target)

    def task(number: Value, _: list[Value]) -> None:
        block = f.as_value(0)
        if not far:
            block, number = f.modulo(number, code.blocks), f.divide(number, code.blocks)
        cut, piece = f.modulo(number, cuts), f.divide(number, cuts)
        begin = f.minimum(f.mul(piece, height), spec.row_count)
        end = f.minimum(f.add(begin, height), spec.row_count)
        own = f.element(result, spec.dtype, f.mul(piece, len(everything) * spec.channels))
        for c in range(cuts):
            chosen = everything[c * size : (c + 1) * size]
            to = f.element(own, spec.dtype, c * size * spec.channels)
            with f.only_if(f.compare("eq", cut, c)):
                if far:
                    _sum_row_by_row(code, chosen, image, gradient, to, begin, end)
                else:
                    _sum_block(code, chosen, image, gradient, to, block, begin, end, None)

    f.loop(first, last, 1, task)


def _sum_row_by_row(
    code: WindowWriter,
    chosen: list[tuple[int, ...]],
    image: Value,
    gradient: Value,
    to: Value,
    begin: Value,
    end: Value,
) -> None:
    """Some taps of all channels; sums wait in the result for the next row."""
    f, spec = code.f, code.spec

    def clear(i: Value, _: list[Value]) -> None:
        f.store(f.constant(spec.dtype, 0), f.element(to, spec.dtype, i))

    f.loop(0, len(chosen) * spec.channels, 1, clear)

    def row(number: Value, _: list[Value]) -> None:
        def block(b: Value, _: list[Value]) -> None:
            _sum_block(code, chosen, image, gradient, to, b, number, f.add(number, 1), next_row(spec))

        f.loop(0, code.blocks, 1, block)

    f.loop(begin, end, 1, row)


def _sum_block(
    code: WindowWriter,
    chosen: list[tuple[int, ...]],
    image: Value,
    gradient: Value,
    to: Value,
    block: Value,
    begin: Value,
    end: Value,
    ahead: list[int] | None,
) -> None:
    """Some taps of one vector of channels, summed over some rows; with a list of what to fetch `ahead`, added to what is there."""
    f, spec = code.f, code.spec
    x = f.element(image, spec.dtype, f.add(code.image_channel(block), spec.a_offset))
    g = f.element(gradient, spec.dtype, f.add(code.channel(block), spec.b_offset))
    at = f.element(to, spec.dtype, code.channel(block))
    code.each_block(block, lambda partial: _gradient_sums(code, chosen, x, g, at, begin, end, partial, ahead))


def _gradient_sums(
    code: WindowWriter,
    chosen: list[tuple[int, ...]],
    x: Value,
    g: Value,
    to: Value,
    begin: Value,
    end: Value,
    partial: bool,
    ahead: list[int] | None,
) -> None:
    """The same for a whole vector or a part of one."""
    f, spec = code.f, code.spec
    mask = code.mask(partial)
    places = [f.element(to, spec.dtype, i * spec.channels) for i in range(len(chosen))]

    def pixel(at_x: Value, at_g: Value, sums: list[Value]) -> list[Value]:
        for offset in ahead or ():
            touch(f, f.element(at_x, spec.dtype, offset), 2)
        if ahead:
            touch(f, f.element(at_g, spec.dtype, spec.rows[-1].b), 2)
        factor = code.load(at_g, mask)
        images: dict[int, Value] = {}
        out = []
        for (*tap, number), total in zip(chosen, sums, strict=True):
            offset = sum(t * axis.a for t, axis in zip(tap, spec.taps, strict=True))
            if offset not in images:
                images[offset] = code.image(f.element(at_x, spec.dtype, offset), partial)
            out.append(code.multiply_add(code.spread(images[offset], number), factor, total))
        return out

    def row(number: Value, sums: list[Value]) -> list[Value]:
        at_x, at_g = x, g
        for place, axis in zip(code.places(number, spec.rows), spec.rows, strict=True):
            at_x = f.element(at_x, spec.dtype, f.mul(place, axis.a))
            at_g = f.element(at_g, spec.dtype, f.mul(place, axis.b))

        def step(i: Value, values: list[Value]) -> list[Value]:
            own = f.element(at_x, spec.dtype, f.mul(i, spec.pixels.a))
            return pixel(own, f.element(at_g, spec.dtype, f.mul(i, spec.pixels.b)), values)

        return f.loop(0, spec.pixels.size, 1, step, sums)

    start = [f.constant(code.type, 0) if ahead is None else code.load(p, mask) for p in places]
    for total, pointer in zip(f.loop(begin, end, 1, row, start), places, strict=True):
        if mask is None:
            f.store(total, pointer)
        else:
            f.masked_store(total, pointer, mask)
