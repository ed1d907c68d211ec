"""What a contraction is: an affine description of every matrix product and convolution.

Read next: `contraction.py`, which turns it into code; `tiling.py`, which cuts it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Axis:
    """A loop: how many steps, and how many elements one step moves in A, in B and in C."""

    size: int
    a: int = 0
    b: int = 0
    c: int = 0


@dataclass(frozen=True)
class Contraction:
    """An affine contraction; all strides and offsets count elements and may be negative.

    Attributes:
        batch: loops over A, B and C.
        rows: loops over A and C, outermost first, such as (image, output y, output x).
        columns: how many columns B and C have.
        depth: loops over A and B, outermost first, such as (kernel y, kernel x, channel).
        a_offset, b_offset, c_offset: where the first elements are.
        b_column, c_column: strides of B and C along the columns.
        b_panel: distance of the panels if B is packed as [panel][depth][b_width] (b_column is 1 then, and the
            strides of the depth are those within a panel); None if it is not.
        b_width: columns in a packed panel; the tiling must have as many.
        b_padded: the last panel is filled up, so that reading all of its columns is safe.
        dtype: "float", "double" or "bfloat16": of A and B. Sums of bfloat16 are float32. It needs a processor with
            matrix tiles; B may be packed only where the innermost axis of the (merged) depth is contiguous in A and a
            multiple of 32, in panels of 32 columns where (k, column) and (k + 1, column) are neighbours.
    """

    rows: tuple[Axis, ...]
    columns: int
    depth: tuple[Axis, ...]
    batch: tuple[Axis, ...] = ()
    a_offset: int = 0
    b_offset: int = 0
    c_offset: int = 0
    b_column: int = 1
    c_column: int = 1
    b_panel: int | None = None
    b_width: int = 0
    b_padded: bool = False
    dtype: str = "float"

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("a contraction has at least one axis of rows: Axis(1) where there is a single row")


def matmul(
    m: int, n: int, k: int, *, transpose_a: bool = False, transpose_b: bool = False, dtype: str = "float"
) -> Contraction:
    """The product of two row-major matrices, either of which may be stored transposed.

    >>> matmul(2, 3, 4).depth
    (Axis(size=4, a=1, b=3, c=0),)
    """
    row, along = (1, m) if transpose_a else (k, 1)
    down, column = (1, k) if transpose_b else (n, 1)
    return Contraction((Axis(m, a=row, c=n),), n, (Axis(k, a=along, b=down),), b_column=column, dtype=dtype)


def merge(spec: Contraction) -> Contraction:
    """The same contraction with as few row and batch axes as possible; epilogues get the indices of the new axes.

    A 1 x 1 convolution becomes a matrix product. (Axes of the depth are merged in any case.)

    >>> merge(Contraction((Axis(2, 30, 0, 60), Axis(10, 3, 0, 6)), 6, (Axis(3, 1, 6),))).rows
    (Axis(size=20, a=3, b=0, c=6),)
    """
    return replace(spec, rows=_merge(spec.rows) or (Axis(1),), batch=_merge(spec.batch))


def _merge(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    merged: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        outer = merged[-1] if merged else None
        n = axis.size
        if outer and (outer.a, outer.b, outer.c) == (axis.a * n, axis.b * n, axis.c * n):
            merged[-1] = Axis(outer.size * n, axis.a, axis.b, axis.c)
        else:
            merged.append(axis)
    return tuple(merged)


def merged_depth(spec: Contraction) -> tuple[Axis, ...]:
    """The loops over the depth as they are run: at least one."""
    if depth_size(spec) == 0:
        return (Axis(0),)
    return _merge([replace(axis, c=0) for axis in spec.depth]) or (Axis(1),)


def depth_size(spec: Contraction) -> int:
    """How many products are added for one element."""
    return math.prod(axis.size for axis in spec.depth)


def swap(spec: Contraction) -> Contraction | None:
    """The transposed problem: A and B, rows and columns exchanged (the caller exchanges the pointers).

    None where it cannot be said: the rows must be one axis, and B not packed.
    """
    merged = merge(spec)
    if len(merged.rows) != 1 or spec.b_panel is not None:
        return None
    row = merged.rows[0]
    return replace(
        merged,
        rows=(Axis(spec.columns, a=spec.b_column, c=spec.c_column),),
        columns=row.size,
        depth=tuple(replace(axis, a=axis.b, b=axis.a) for axis in spec.depth),
        batch=tuple(replace(axis, a=axis.b, b=axis.a) for axis in merged.batch),
        a_offset=spec.b_offset,
        b_offset=spec.a_offset,
        b_column=row.a,
        c_column=row.c,
        b_padded=False,
    )


def better_swapped(spec: Contraction) -> bool:
    """Whether the transposed problem is faster: few columns leave most lanes of a vector idle.

    >>> better_swapped(matmul(4096, 1, 512)), better_swapped(matmul(4096, 64, 512))
    (True, False)
    """
    other = swap(spec)
    if other is None or other.columns < 8 * spec.columns:
        return False
    return spec.columns <= (8 if other.b_column == 1 else 6)
