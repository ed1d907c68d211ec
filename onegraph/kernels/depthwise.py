"""Convolutions with few channels in a group, of channels-last data: vectors run across channels, taps are written out.

A register block is a run of pixels of one row by one vector of channels; each vector of the image that is loaded serves
every tap that needs it. One element is summed in the order of the taps (then of the channels of its group), from 0.0,
one multiply-add each, so its bits do not depend on blocks or threads. Read next: `depthwise_gradient.py`; `contraction.py`, for
wide groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from onegraph.kernels.contraction_spec import Axis
from onegraph.kernels.llvm import Function, Number, Value, vector_type
from onegraph.kernels.micro_kernel import touch
from onegraph.kernels.target import Target

Epilogue: TypeAlias = "Callable[[list[Value], Value, Value, Value | None], None]"
"""Writes the code that uses a vector of sums: places of the rows and of the pixel, first channel, sums, mask."""

MOST_PIXELS = 8
"""Pixels of a register block."""
MOST_UNROLLED = 800
"""Multiply-adds of a register block that are written out."""
TASK_STEPS = 8192
"""Multiply-adds (of vectors) that make a task."""
BITS = {"float": 32, "double": 64}
"""Of one element."""


@dataclass(frozen=True)
class Windows:
    """What is summed; strides count elements, those of the image in `a`, of the weights or the other factor in `b`.

    Attributes:
        rows: loops around the pixels (image, all dimensions of space but the last).
        pixels: the last dimension of space.
        taps: loops over the kernel, outermost first.
        channels: of the result.
        inputs, outputs: channels of one group, of the image and of the result.
        input_step: from one input channel to the next in the weights (their channels of the result are neighbours).
        a_offset, b_offset: where the first elements are.
        dtype: "float" or "double".
    """

    rows: tuple[Axis, ...]
    pixels: Axis
    taps: tuple[Axis, ...]
    channels: int
    inputs: int = 1
    outputs: int = 1
    input_step: int = 0
    a_offset: int = 0
    b_offset: int = 0
    dtype: str = "float"

    @property
    def row_count(self) -> int:
        """Rows of pixels."""
        return prod(axis.size for axis in self.rows)

    @property
    def steps(self) -> int:
        """Multiply-adds for one element."""
        return prod(axis.size for axis in self.taps) * self.inputs


def supported(inputs: int, outputs: int, target: Target, dtype: str = "float") -> bool:
    """Whether these kernels do groups of so many channels: vectors of the image are spread by fixed shuffles.

    >>> from onegraph.kernels.target import plain_target
    >>> supported(1, 1, plain_target()), supported(2, 2, plain_target()), supported(64, 64, plain_target())
    (True, True, False)
    """
    lanes = target.lanes(BITS[dtype])
    powers = inputs & (inputs - 1) == 0 and outputs & (outputs - 1) == 0
    return (inputs, outputs) == (1, 1) or (powers and outputs < lanes and inputs <= 4 * outputs)


class WindowWriter:
    """What both kernels need: vectors of the image, multiply-adds, blocks of channels."""

    def __init__(self, f: Function, spec: Windows, target: Target) -> None:
        self.f, self.spec, self.target = f, spec, target
        self.lanes = target.lanes(BITS[spec.dtype])
        self.type = vector_type(spec.dtype, self.lanes)
        self.loaded = max(1, self.lanes * spec.inputs // spec.outputs)
        """Elements of the image for one vector of the result."""
        self.blocks = -(-spec.channels // self.lanes)

    def mask(self, partial: bool) -> Value | None:
        """The lanes of the last block that exist."""
        rest = self.spec.channels % self.lanes
        return self.f.vector_constant("i1", [i < rest for i in range(self.lanes)]) if partial else None

    def channel(self, block: Number) -> Value:
        """The first channel of a block."""
        return self.f.as_value(self.f.mul(block, self.lanes))

    def image_channel(self, block: Number) -> Number:
        """The first channel of the image that a block needs."""
        return self.f.mul(block, self.loaded)

    def load(self, pointer: Value, mask: Value | None) -> Value:
        """A vector of weights or of gradients."""
        f = self.f
        zero = f.constant(self.type, 0)
        return f.load(self.type, pointer) if mask is None else f.masked_load(self.type, pointer, mask, zero)

    def image(self, pointer: Value, partial: bool) -> Value:
        """Elements of the image at a pixel for all lanes of the result."""
        f, spec = self.f, self.spec
        type_ = vector_type(spec.dtype, self.loaded)
        if not partial or self.loaded == 1:
            return f.load(type_, pointer)
        there = spec.channels % self.lanes * spec.inputs // spec.outputs
        mask = f.vector_constant("i1", [i < there for i in range(self.loaded)])
        return f.masked_load(type_, pointer, mask, f.constant(type_, 0))

    def spread(self, image: Value, number: int) -> Value:
        """For each lane the input channel of this number of its group."""
        spec = self.spec
        if spec.inputs == spec.outputs == 1:
            return image
        if self.loaded == 1:
            return self.f.splat(image, self.lanes)
        return self.f.shuffle(image, None, [i // spec.outputs * spec.inputs + number for i in range(self.lanes)])

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c."""
        f = self.f
        return f.fma(a, b, c) if self.target.has_fma else f.fadd(f.fmul(a, b), c)

    def places(self, row: Value, axes: Sequence[Axis]) -> list[Value]:
        """The loops of a row by its number."""
        f, places = self.f, list[Value]()
        for axis in reversed(axes):
            places.insert(0, f.as_value(0) if axis.size == 1 else f.modulo(row, axis.size))
            row = f.divide(row, axis.size)
        return places

    def each_block(self, block: Value, body: Callable[[bool], None]) -> None:
        """`body` for a whole block of channels, or for the one that is not full."""
        f = self.f
        if self.spec.channels % self.lanes == 0:
            body(False)
        elif self.blocks == 1:
            body(True)
        else:
            f.if_(f.compare("eq", block, self.blocks - 1), lambda: body(True), lambda: body(False))


def next_row(spec: Windows) -> list[int]:
    """How far from where a pixel is read those elements are that its successor in the next row reads for the first time."""
    if len(spec.taps) < 2 or spec.steps == 0 or spec.taps[-1].a <= 0 or spec.taps[-2].a <= 0:
        return []
    step, line = spec.rows[-1].a, spec.taps[-2]
    lines = range(max(0, line.size - -(-step // line.a)), line.size)
    return [step + t * line.a + offset for t in lines for offset in range(0, spec.pixels.a, spec.taps[-1].a)]


@dataclass(frozen=True)
class Split:
    """How the work is cut into tasks: rows of pixels, and all vectors of channels or one.

    A large image comes from far: all its channels are done row by row, and the next row is fetched meanwhile. With a small
    one the weights of one vector of channels stay in registers for many rows.
    """

    height: int
    together: int

    @staticmethod
    def of(spec: Windows, target: Target) -> Split:
        """For a kernel."""
        blocks = -(-spec.channels // target.lanes(BITS[spec.dtype]))
        image = max(axis.size * abs(axis.a) for axis in spec.rows) * BITS[spec.dtype] // 8
        together = blocks if image > target.l2_bytes else 1
        work = spec.pixels.size * max(1, spec.steps) * together
        return Split(max(1, min(spec.row_count, TASK_STEPS // max(1, work))), together)


def tasks(spec: Windows, target: Target) -> int:
    """Of the kernel of `emit`."""
    split = Split.of(spec, target)
    blocks = -(-spec.channels // target.lanes(BITS[spec.dtype]))
    return -(-spec.row_count // split.height) * (blocks // split.together)


def emit(
    f: Function,
    spec: Windows,
    target: Target,
    image: Value,
    weights: Value,
    epilogue: Epilogue,
    first: Value,
    last: Value,
    *,
    long_epilogue: bool = False,
) -> None:
    """Write the code of the tasks first <= t < last.

    Args:
        image, weights: addresses (before their offsets).
        long_epilogue: there is so much of it that blocks are made smaller.
    """
    code = _Forward(f, spec, target, epilogue)
    most = 2 if long_epilogue else MOST_PIXELS
    code.count = -(-spec.pixels.size // -(-spec.pixels.size // most))
    split = Split.of(spec, target)
    code.far = split.together > 1
    groups = code.blocks // split.together

    def task(number: Value, _: list[Value]) -> None:
        begin = f.mul(f.divide(number, groups), split.height)
        end = f.minimum(f.add(begin, split.height), spec.row_count)

        def part(block: Value, start: Value, stop: Value) -> None:
            at_image = f.element(image, spec.dtype, f.add(code.image_channel(block), spec.a_offset))
            at_weights = f.element(weights, spec.dtype, f.add(code.channel(block), spec.b_offset))
            code.each_block(
                block, lambda partial: code.rows(at_image, at_weights, code.channel(block), start, stop, partial)
            )

        if groups > 1 or code.blocks == 1:
            part(f.modulo(number, groups), begin, end)
        else:

            def row(number: Value, _: list[Value]) -> None:
                f.loop(0, code.blocks, 1, lambda block, _: part(block, number, f.add(number, 1)))

            f.loop(begin, end, 1, row)

    f.loop(first, last, 1, task)


class _Forward(WindowWriter):
    """The kernel that sums over taps."""

    def __init__(self, f: Function, spec: Windows, target: Target, epilogue: Epilogue) -> None:
        super().__init__(f, spec, target)
        self.epilogue = epilogue
        self.count = 1
        self.far = False
        self.held: dict[int, Value] = {}
        """Weights in registers, by their place."""

    def rows(self, image: Value, weights: Value, channel: Value, begin: Value, end: Value, partial: bool) -> None:
        """All pixels of some rows, for one vector of channels."""
        f, spec = self.f, self.spec
        mask = self.mask(partial)
        self.held = {}
        if spec.steps + self.count + 4 <= self.target.vector_registers:
            for at in product(*[range(axis.size) for axis in spec.taps], range(spec.inputs)):
                place = sum(i * axis.b for i, axis in zip(at, spec.taps, strict=False)) + at[-1] * spec.input_step
                self.held[place] = self.load(f.element(weights, spec.dtype, place), mask)

        def row(number: Value, _: list[Value]) -> None:
            places = self.places(number, spec.rows)
            offset: Number = 0
            for place, axis in zip(places, spec.rows, strict=True):
                offset = f.add(offset, f.mul(place, axis.a))
            at = f.element(image, spec.dtype, offset)
            rest = spec.pixels.size % self.count

            def run(pixel: Value, count: int) -> None:
                start = f.element(at, spec.dtype, f.mul(pixel, spec.pixels.a))
                if self.far:
                    self._fetch_next_row(start, count)
                sums = self.sums(start, weights, count, partial)
                for p, total in enumerate(sums):
                    self.epilogue([*places, f.add(pixel, p)], channel, total, mask)

            f.loop(0, spec.pixels.size - rest, self.count, lambda pixel, _: run(pixel, self.count))
            if rest:
                run(f.as_value(spec.pixels.size - rest), rest)

        f.loop(begin, end, 1, row)

    def _fetch_next_row(self, start: Value, count: int) -> None:
        """Ask for what the next row of the result reads below these pixels and this one does not."""
        f, spec = self.f, self.spec
        for pixel in range(count):
            for offset in next_row(spec):
                touch(f, f.element(start, spec.dtype, pixel * spec.pixels.a + offset), 2)

    def sums(self, image: Value, weights: Value, count: int, partial: bool) -> list[Value]:
        """The sums of a run of pixels."""
        f, spec = self.f, self.spec
        *outer, inner = spec.taps
        total = [f.constant(self.type, 0)] * count
        if spec.steps == 0:
            return total
        if inner.size * count * spec.inputs > MOST_UNROLLED:  # also the last dimension of the kernel is a loop
            outer, inner = [*outer, inner], Axis(1)
        unrolled = bool(self.held) or spec.steps * count <= MOST_UNROLLED

        def level(number: int, x: Value, w: Value, place: int, carried: list[Value]) -> list[Value]:
            if number == len(outer):
                return self._line(x, w, place, inner, carried, partial)
            axis = outer[number]
            if unrolled:
                for t in range(axis.size):
                    carried = level(number + 1, f.element(x, spec.dtype, t * axis.a), w, place + t * axis.b, carried)
                return carried
            return f.loop(
                0,
                axis.size,
                1,
                lambda t, values: level(
                    number + 1,
                    f.element(x, spec.dtype, f.mul(t, axis.a)),
                    f.element(w, spec.dtype, f.mul(t, axis.b)),
                    place,
                    values,
                ),
                carried,
            )

        return level(0, image, weights, 0, total)

    def _line(self, x: Value, w: Value, place: int, taps: Axis, total: list[Value], partial: bool) -> list[Value]:
        """One line of the kernel: each vector of the image is loaded once, for all pixels and taps that meet there."""
        f, spec = self.f, self.spec
        meet: dict[int, list[tuple[int, int]]] = {}
        for t in range(taps.size):
            for p in range(len(total)):
                meet.setdefault(p * spec.pixels.a + t * taps.a, []).append((t, p))
        done = [-1] * len(total)
        total = list(total)
        order = sorted(meet) if taps.a >= 0 else sorted(meet, reverse=True)
        for offset in order:
            loaded = self.image(f.element(x, spec.dtype, offset), partial)
            for number in range(spec.inputs):
                lanes = self.spread(loaded, number)
                for t, p in meet[offset]:
                    assert t >= done[p]
                    done[p] = t
                    at = place + t * taps.b + number * spec.input_step
                    weight = self.held.get(at) or self.load(f.element(w, spec.dtype, at), self.mask(partial))
                    total[p] = self.multiply_add(lanes, weight, total[p])
        return total
