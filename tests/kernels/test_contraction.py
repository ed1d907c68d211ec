"""Contractions against NumPy in float64: shapes, strides, edges; and the same bits for every tiling and split."""

from __future__ import annotations

import ctypes
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from onegraph.kernels import matrix_tiles
from onegraph.kernels.compile import compile_text, load
from onegraph.kernels.contraction import (
    Axis,
    Contraction,
    better_swapped,
    depth_size,
    matmul,
    merge,
    merged_depth,
    plain_kernel,
    scratch_bytes,
    swap,
    tasks,
)
from onegraph.kernels.target import describe, host, plain_target
from onegraph.kernels.tiling import Tiling, candidates, supported, tiling

_numbers = itertools.count()
_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def extent(spec: Contraction, which: str) -> tuple[int, int]:
    """Lowest and highest element that an operand touches, relative to its pointer."""
    axes = [*spec.batch, *{"a": (*spec.rows, *spec.depth), "b": spec.depth, "c": spec.rows}[which]]
    steps = [(axis.size, getattr(axis, which)) for axis in axes]
    if which == "b" and spec.b_panel is not None:
        steps += [(-(-spec.columns // spec.b_width), spec.b_panel), (spec.b_width, 1)]
    elif which != "a":
        steps += [(spec.columns, spec.b_column if which == "b" else spec.c_column)]
    offset = getattr(spec, which + "_offset")
    low = offset + sum((size - 1) * stride for size, stride in steps if size and stride < 0)
    high = offset + sum((size - 1) * stride for size, stride in steps if size and stride > 0)
    return low, high


def shifted(spec: Contraction) -> tuple[Contraction, dict[str, int]]:
    """The spec with offsets so that every operand begins at 0, and the sizes of the operands."""
    sizes = {}
    for which in "abc":
        low, high = extent(spec, which)
        name = which + "_offset"
        spec = replace(spec, **{name: getattr(spec, name) - low})
        sizes[which] = high - low + 1
    return spec, sizes


def numbers(spec: Contraction, sizes: dict[str, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    dtype = {"float": np.float32, "double": np.float64, "bfloat16": np.float32}[spec.dtype]
    a, b = ((rng.random(sizes[w]) - 0.5).astype(dtype) for w in "ab")
    return [a, b, np.full(sizes["c"], np.nan, dtype)]


def places(axes: list[tuple[int, int]], offset: int = 0) -> np.ndarray:
    """Element offsets for all indices of (size, stride) axes."""
    total = np.array(offset)
    for size, stride in axes:
        total = total[..., None] + np.arange(size) * stride
    return total


def expected(spec: Contraction, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """C after the contraction, in float64."""
    c = c.astype(np.float64)
    g, m, k = (math.prod(x.size for x in axes) for axes in (spec.batch, spec.rows, spec.depth))
    n = spec.columns
    a_at = places([(x.size, x.a) for x in (*spec.batch, *spec.rows, *spec.depth)], spec.a_offset).reshape(g, m, k)
    if spec.b_panel is None:
        column = np.arange(n) * spec.b_column
    else:
        column = np.arange(n) // spec.b_width * spec.b_panel + np.arange(n) % spec.b_width
    b_at = places([(x.size, x.b) for x in (*spec.batch, *spec.depth)], spec.b_offset).reshape(g, k, 1) + column
    c_at = places([(x.size, x.c) for x in (*spec.batch, *spec.rows)], spec.c_offset).reshape(g, m, 1)
    c_at = c_at + np.arange(n) * spec.c_column
    c[c_at.ravel()] = (a[a_at].astype(np.float64) @ b[b_at].astype(np.float64)).ravel()
    return c


def build(spec: Contraction, how: Tiling, target=None, rolled: bool = False):
    name = f"contraction_test_{next(_numbers)}"
    (address,) = load(compile_text(plain_kernel(spec, how, name, rolled=rolled), target, optimize=rolled), name)
    function = _PROTOTYPE(address)
    room = scratch_bytes(spec, how, rolled=rolled)

    def run(a: np.ndarray, b: np.ndarray, c: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
        c = c.copy()
        pointers = (ctypes.c_void_p * 3)(a.ctypes.data, b.ctypes.data, c.ctypes.data)
        memory = np.full(room + 128, 0xFF, np.uint8)  # not a number wherever it is read before it is written
        base = memory.ctypes.data
        aligned = -(-base // 64) * 64
        edges = [0, *cuts, tasks(spec, how)]
        for first, last in itertools.pairwise(edges):
            memory[: aligned - base + room] = 0xFF
            memory[aligned - base + room :] = 0x5A
            function(pointers, first, last, aligned, 0)
            assert (memory[aligned - base + room :] == 0x5A).all(), "wrote beyond the scratch memory"
        return c

    return run


def check(spec: Contraction, tilings: list[Tiling] | None = None, target=None, rolled: bool = False) -> None:
    """All tilings give the right numbers, and the same bits however the tasks are split."""
    spec, sizes = shifted(spec)
    a, b, c = numbers(spec, sizes)
    truth = expected(spec, a, b, c)
    tolerance = 1e-6 if spec.dtype == "float" else 1e-14
    first = None
    for how in tilings or [tiling(spec, target or host())]:
        run = build(spec, how, target, rolled)
        out = run(a, b, c)
        np.testing.assert_allclose(out, truth, rtol=0, atol=tolerance * max(1, depth_size(spec)), err_msg=str(how))
        first = out if first is None else first
        np.testing.assert_array_equal(out, first, err_msg=f"other bits: {how}")
        count = tasks(spec, how)
        if count > 1:
            cuts = tuple(range(1, count)) if count < 20 else (1, count // 3, count - 1)
            np.testing.assert_array_equal(run(a, b, c, cuts), first, err_msg=f"split: {how}")


def variations(spec: Contraction, lanes: int = 16) -> list[Tiling]:
    """Small and odd tilings, with and without packing."""
    base = tiling(spec, host())
    last = max(0, len(spec.rows) - 1)
    depth = merged_depth(spec)
    small = replace(base, lanes=lanes, vectors=2, row_axis=last, tile=min(3, spec.rows[last].size), panels=1)
    small = replace(small, depth_axis=len(depth) - 1, k_block=3, tiles=2, block=1, region=2, grain=1)
    small = replace(small, pack_a=True, pack_b=True)
    wide = replace(small, vectors=1, tile=min(5, spec.rows[last].size), pack_a=False, panels=2, block=3, region=1)
    outer = replace(wide, depth_axis=0, k_block=2, pack_a=True, pack_b=False, grain=3)
    none = replace(outer, pack_a=False, k_block=max(1, depth[0].size), tiles=4)
    return [base, small, wide, outer, none]


MATMULS = [
    (1, 1, 1),
    (1, 40, 33),
    (5, 16, 7),
    (7, 100, 31),
    (33, 6, 25),
    (64, 1, 100),
    (61, 67, 71),
    (3, 20, 0),
]


@pytest.mark.parametrize("m, n, k", MATMULS)
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_matmul(m: int, n: int, k: int, transposed: tuple[bool, bool]) -> None:
    spec = matmul(m, n, k, transpose_a=transposed[0], transpose_b=transposed[1])
    check(spec, variations(spec) if m in (7, 61) else None)


def test_rows_are_needed() -> None:
    with pytest.raises(ValueError, match="at least one axis of rows"):
        Contraction((), 3, (Axis(2, 1, 3),))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (0, 0, 0)])
def test_nothing_to_do(shape: tuple[int, int, int]) -> None:
    spec = matmul(*shape)
    run = build(spec, tiling(spec, host()))
    c = np.full(4, 7.0, np.float32)
    assert (run(c, c, c) == 7).all()


def test_double() -> None:
    spec = matmul(19, 37, 50, dtype="double")
    check(spec, [tiling(spec, host()), *variations(spec, 8)[1:]])


def convolution(n: int, size: int, ic: int, oc: int, kernel: int, stride: int, width: int | None) -> Contraction:
    """Forward, channels last with a halo; weights (ky, kx, ic, oc), or packed in panels."""
    padded = size + 2 * (kernel // 2)
    out = (padded - kernel) // stride + 1
    rows = (
        Axis(n, padded * padded * ic, 0, out * out * oc),
        Axis(out, stride * padded * ic, 0, out * oc),
        Axis(out, stride * ic, 0, oc),
    )
    w = width or oc
    depth = (Axis(kernel, padded * ic, kernel * ic * w), Axis(kernel, ic, ic * w), Axis(ic, 1, w))
    panel = None if width is None else kernel * kernel * ic * width
    return Contraction(rows, oc, depth, b_panel=panel, b_width=width or 0, b_padded=width is not None)


CONVOLUTIONS = [
    (2, 7, 5, 20, 3, 1, None),
    (2, 7, 5, 20, 3, 1, 32),
    (1, 9, 3, 16, 5, 2, None),
    (2, 4, 3, 48, 3, 1, 16),
    (3, 6, 17, 33, 1, 1, None),
    (1, 28, 1, 6, 5, 1, None),
]


@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_convolution(shape: tuple[int, int, int, int, int, int, int | None]) -> None:
    spec = convolution(*shape)
    hows = variations(spec) if spec.b_panel is None else [tiling(spec, host())]
    check(spec, hows)
    check(merge(spec))


def test_tiles_over_two_axes() -> None:
    spec = convolution(2, 4, 3, 16, 3, 1, None)
    hows = [replace(tiling(spec, host()), row_axis=1, tile=t, vectors=1, lanes=16) for t in (1, 2, 3, 4)]
    check(spec, hows)


def weight_gradient(n: int, size: int, ic: int, oc: int, kernel: int) -> Contraction:
    padded = size + 2 * (kernel // 2)
    rows = (Axis(kernel, padded * ic, c=kernel * ic * oc), Axis(kernel, ic, c=ic * oc), Axis(ic, 1, c=oc))
    depth = (
        Axis(n, padded * padded * ic, size * size * oc),
        Axis(size, padded * ic, size * oc),
        Axis(size, ic, oc),
    )
    return Contraction(rows, oc, depth)


def test_weight_gradient() -> None:
    spec = weight_gradient(2, 6, 3, 10, 3)
    check(spec, variations(spec))
    merged = merge(spec)
    assert len(merged.rows) == 2
    check(merged, variations(merged))


def test_batch_and_negative_strides() -> None:
    rows = (Axis(4, -31, 0, 100), Axis(5, 6, 0, -20))
    spec = Contraction(rows, 17, (Axis(3, 7, -90), Axis(2, -3, 40)), (Axis(2, 500, -700, 1000), Axis(3, 0, 33, 3000)))
    check(spec, variations(spec))
    check(replace(spec, b_column=-2, c_column=1), variations(replace(spec, b_column=-2)))


def test_random_specs() -> None:
    rng = np.random.default_rng(7)
    for _ in range(12):
        sizes = rng.integers(1, 9, 5)
        stride = rng.integers(-40, 40, 8)
        rows = (Axis(int(sizes[0]), int(stride[0]), 0, 9000), Axis(int(sizes[1]), int(stride[1]), 0, 900))
        depth = (
            Axis(int(sizes[2]), int(stride[2]), int(stride[3])),
            Axis(int(sizes[3]), int(stride[4]), int(stride[5])),
        )
        batch = (Axis(int(sizes[4]) % 3 + 1, int(stride[6]), int(stride[7]), 100000),)
        columns = int(rng.integers(1, 50))
        spec = Contraction(
            rows, columns, depth, batch, b_column=int(rng.integers(1, 4)), c_column=int(rng.integers(1, 3))
        )
        how = variations(spec)
        check(spec, [how[0], how[int(rng.integers(1, 5))]], rolled=bool(rng.integers(2)))


@pytest.mark.parametrize("shape", [(64, 1, 100), (40, 3, 17), (1, 50, 20)])
def test_swap(shape: tuple[int, int, int]) -> None:
    spec = matmul(*shape)
    other = swap(spec)
    assert other is not None
    a, b, c = numbers(
        spec, dict(zip("abc", (shape[0] * shape[2], shape[2] * shape[1], shape[0] * shape[1]), strict=True))
    )
    straight = build(spec, tiling(spec, host()))(a, b, c)
    np.testing.assert_array_equal(build(other, tiling(other, host()))(b, a, c), straight)
    assert swap(convolution(2, 7, 5, 20, 3, 1, None)) is None
    assert better_swapped(spec) == (shape[0] >= 8 * shape[1])


def test_all_candidates_agree() -> None:
    for spec in (matmul(50, 100, 60), merge(convolution(1, 7, 4, 32, 3, 1, None))):
        check(spec, candidates(spec, host()))


def test_other_targets() -> None:
    name, features = host().cpu, {"avx2": True, "fma": True, "avx": True}
    small = describe(host().triple, "haswell", features) if "x86_64" in host().triple and name else plain_target()
    for target in (plain_target(), small):
        for spec in (matmul(9, 21, 30), matmul(9, 21, 30, transpose_b=True, dtype="double"), matmul(5, 3, 7)):
            how = tiling(spec, target)
            assert how.lanes <= target.lanes(32 if spec.dtype == "float" else 64)
            check(spec, [how], target)


def test_pack_of_dependent_epilogue_order() -> None:
    """The epilogue runs once for each element, after the last block of the depth."""
    spec = matmul(13, 18, 40)
    how = replace(tiling(spec, host()), depth_axis=0, k_block=7, pack_b=True)
    check(spec, [how], rolled=True)


tiles = pytest.mark.skipif(
    not (matrix_tiles.has_tiles(host()) and matrix_tiles.permit_tiles()),
    reason="no matrix tiles on this processor",
)


def bits(x: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers."""
    return (x.view(np.uint32) >> 16).astype(np.uint16)


def check_bfloat16(spec: Contraction, hows: list[Tiling] | None = None) -> None:
    spec, sizes = shifted(spec)
    assert supported(spec, host())
    a, b, c = numbers(spec, sizes)
    a, b = ((x.view(np.uint32) & 0xFFFF0000).view(np.float32) for x in (a, b))
    truth = expected(spec, a, b, c)
    first = None
    for how in hows or [tiling(spec, host())]:
        run = build(spec, how)
        count = tasks(spec, how)
        for cuts in ((), tuple(range(1, min(count, 5)))):
            out = run(bits(a), bits(b), c, cuts)
            np.testing.assert_allclose(out, truth, rtol=0, atol=1e-6 * depth_size(spec), err_msg=str(how))
            first = out if first is None else first
            np.testing.assert_array_equal(out, first, err_msg=f"other bits: {how}, {cuts}")


@tiles
@pytest.mark.parametrize("shape", [(40, 50, 64), (7, 32, 32), (65, 100, 160), (1, 3, 96)])
@pytest.mark.parametrize("transposed", [False, True])
def test_bfloat16_matmul(shape: tuple[int, int, int], transposed: bool) -> None:
    spec = matmul(*shape, transpose_b=transposed, dtype="bfloat16")
    base = tiling(spec, host())
    hows = [
        base,
        replace(base, tile=min(17, shape[0]), k_block=32),
        replace(base, tile=1, k_block=64, panels=1),
    ]
    check_bfloat16(spec, hows)


@tiles
def test_bfloat16_convolution() -> None:
    spec = replace(convolution(2, 7, 64, 48, 3, 1, None), dtype="bfloat16")
    base = tiling(spec, host())
    check_bfloat16(spec, [base, replace(base, depth_axis=0, k_block=1), replace(base, depth_axis=1, k_block=96)])
    check_bfloat16(replace(convolution(1, 9, 32, 33, 5, 2, None), dtype="bfloat16"))


@tiles
def test_bfloat16_packed() -> None:
    n, k = 80, 64
    plain = matmul(33, n, k, dtype="bfloat16")
    a, b, c = numbers(plain, {"a": 33 * k, "b": k * n, "c": 33 * n})
    straight = build(plain, tiling(plain, host()))(bits(a), bits(b), c)
    panels = np.zeros((3, k // 2, 32, 2), np.uint16)
    for row, column in itertools.product(range(k), range(n)):
        panels[column // 32, row // 2, column % 32, row % 2] = bits(b)[row * n + column]
    spec = replace(plain, depth=(Axis(k, 1, 32),), b_panel=k * 32, b_width=32, b_padded=True)
    np.testing.assert_array_equal(build(spec, tiling(spec, host()))(bits(a), panels, c), straight)


@tiles
@pytest.mark.parametrize("shape", [(40, 50, 33), (7, 33, 100), (65, 31, 7), (3, 3, 1), (20, 40, 64)])
@pytest.mark.parametrize("transposed", [(True, False), (False, False), (True, True)])
def test_bfloat16_packs_what_does_not_fit(shape: tuple[int, int, int], transposed: tuple[bool, bool]) -> None:
    spec = matmul(*shape, transpose_a=transposed[0], transpose_b=transposed[1], dtype="bfloat16")
    base = tiling(spec, host())
    check_bfloat16(
        spec,
        [base, replace(base, tile=min(19, shape[0]), k_block=min(32, shape[2]))][: 2 if shape[2] % 2 else 1],
    )


@tiles
def test_bfloat16_weight_gradient() -> None:
    spec = replace(weight_gradient(9, 6, 20, 40, 3), dtype="bfloat16")
    base = tiling(merge(spec), host())
    check_bfloat16(merge(spec), [base, replace(base, depth_axis=0, k_block=8, block=1, panels=1)])
    check_bfloat16(merge(replace(weight_gradient(3, 7, 20, 40, 3), dtype="bfloat16")))
    check_bfloat16(replace(convolution(1, 9, 3, 33, 5, 2, None), dtype="bfloat16"))


def test_bfloat16_is_not_for_every_shape() -> None:
    assert not supported(replace(convolution(2, 7, 5, 64, 3, 1, 32), dtype="bfloat16"), host())
    assert not supported(matmul(5, 5, 32, dtype="bfloat16"), plain_target())
    assert supported(matmul(5, 5, 33), plain_target())


@pytest.mark.parametrize("columns, transposed", [(100, False), (97, True)])
def test_narrow_last_panel(columns: int, transposed: bool) -> None:
    """The last panel has code of its own where it has fewer vectors; the bits are the same."""
    spec = matmul(13, columns, 37, transpose_b=transposed)
    base = replace(tiling(spec, host()), lanes=16, row_axis=0, tile=5, depth_axis=0, k_block=37, block=2)
    wide = [replace(base, vectors=v, panels=p, pack_b=b) for v, p, b in [(4, 1, False), (4, 2, True), (3, 2, False)]]
    cut = [replace(h, k_block=10, pack_a=True, tiles=2) for h in wide]
    check(spec, [*wide, cut[1], cut[2]])
    check(spec, [wide[2], cut[0]], rolled=True)


@pytest.mark.parametrize("columns", [20, 37])
def test_narrow_last_panel_without_masks(columns: int) -> None:
    target = plain_target()
    spec = matmul(9, columns, 23)
    base = replace(tiling(spec, target), lanes=4, row_axis=0, tile=4, depth_axis=0, k_block=23, pack_b=True)
    choices = [replace(base, vectors=v, panels=2) for v in (2, 3, 4)]
    check(spec, choices, target)
    check(spec, choices[1:2], target, rolled=True)


def test_narrow_last_panel_of_packed_weights() -> None:
    spec = Contraction((Axis(11, 20, 0, 100),), 100, (Axis(20, 1, 64),), b_panel=20 * 64, b_width=64, b_padded=True)
    how = tiling(spec, host())
    check(spec, [how, replace(how, stream=False), replace(how, tile=3, panels=2)])


@pytest.mark.parametrize(
    "spec", [matmul(64, 100, 1000), matmul(64, 1000, 100), matmul(1000, 100, 64, transpose_a=True)]
)
def test_halves_of_the_tasks_are_equal(spec: Contraction) -> None:
    how = tiling(spec, host())
    count = tasks(spec, how)
    rows = spec.rows[0].size
    if how.panels * how.columns >= spec.columns and count > 1:
        half = min(rows, -(-count // 2) * how.tiles * how.grain * how.tile)
        assert half <= 0.55 * rows
