"""Layout, joining, arrangement, padding and triangles against PyTorch: values, gradients, arguments; sizes; errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError, UnsupportedError
from onegraph.ir.dim import Dim, evaluate_sizes
from onegraph.ir.dtype import float64, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ops import arrangement, joining, layout, padding, triangular
from onegraph.ops.binary import mul
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.public import PUBLIC
from onegraph.ops.reduction import sum_
from onegraph.passes.specialize import specialize
from tests.ops.torch_oracle import compare, random, torch

F = torch.nn.functional


def check(module: Any, name: str, *arguments: Any, **keywords: Any) -> None:
    """The function and PyTorch's function, or method, of the same name agree."""
    theirs = getattr(torch, name, None) or (lambda x, *a, **k: getattr(x, name)(*a, **k))
    compare(getattr(module, name), theirs, *arguments, **keywords)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("reshape", (2, 6), ((3, -1),)),
        ("reshape", (2, 6), ([4, 3],)),
        ("reshape", (), ((1, -1),)),
        ("reshape", (0, 3), ((3, 0),)),
        ("view", (2, 6), (3, 4)),
        ("view", (2, 6), (-1,)),
        ("permute", (2, 3, 4), ((2, 0, -2),)),
        ("transpose", (2, 3, 4), (0, -1)),
        ("swapaxes", (2, 3), (0, 1)),
        ("transpose", (), (0, -1)),
        ("t", (2, 3), ()),
        ("t", (3,), ()),
        ("adjoint", (2, 3, 4), ()),
        ("movedim", (2, 3, 4, 5), ((0, 1), (-1, 0))),
        ("moveaxis", (2, 3, 4), (0, 2)),
        ("squeeze", (1, 3, 1), ()),
        ("squeeze", (1, 3, 1), (0,)),
        ("squeeze", (1, 3, 1), ((0, 1, 2),)),
        ("squeeze", (1, 3, 1), (1,)),
        ("unsqueeze", (2, 3), (-1,)),
        ("unsqueeze", (), (0,)),
        ("flatten", (2, 3, 4), (1,)),
        ("flatten", (2, 3, 4), (0, 1)),
        ("flatten", (), ()),
        ("unflatten", (2, 12), (1, (3, -1, 2))),
        ("ravel", (2, 3), ()),
        ("expand", (3, 1), (2, -1, 4)),
        ("expand", (1,), ((0,),)),
        ("broadcast_to", (3, 1), ((2, 3, 4),)),
        ("contiguous", (2, 3), ()),
        ("clone", (2, 3), ()),
    ],
)
def test_shapes(name: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
    functions = {n: p.function for p in PUBLIC if p.function.__module__ == layout.__name__ for n in p.names}
    theirs = getattr(torch, name, None) or (lambda x, *a: getattr(x, name)(*a))
    compare(functions[name], theirs, random(*shape), *arguments)


def test_shapes_by_keyword() -> None:
    x = numpy_constant(random(2, 6))
    assert layout.reshape(x, shape=(3, 4)).shape == layout.view(x, size=(3, 4)).shape == (3, 4)
    assert layout.permute(x, dims=(1, 0)).shape == (6, 2)
    assert arrangement.tile(x, dims=(2, 1)).shape == arrangement.repeat(x, repeats=(2, 1)).shape == (4, 6)
    with pytest.raises(ArgumentTypeError, match="same argument"):
        layout.reshape(x, 3, 4, shape=(3, 4))


def test_shapes_like_others() -> None:
    x, like = random(2, 6), random(3, 4)
    check(layout, "view_as", x, like)
    check(layout, "reshape_as", x, like)
    check(layout, "expand_as", random(1, 4), like)
    check(layout, "broadcast_tensors", random(3, 1), random(4), random())
    compare(layout.reverse_dims, lambda x: x.permute(2, 1, 0), random(2, 3, 4))


@pytest.mark.parametrize("rank", range(5))
def test_at_least(rank: int) -> None:
    x = random(*range(2, 2 + rank))
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        check(layout, name, x)
    first, second = layout.atleast_2d(numpy_constant(x), numpy_constant(random(2)))
    assert len(first.shape) >= 2 and second.shape == (1, 2)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cat_and_stack(dim: int) -> None:
    check(joining, "cat", [random(2, 3), random(2, 3, seed=1)], dim)
    check(joining, "stack", [random(2, 3), random(2, 3, seed=1)], dim)


def test_joining_more() -> None:
    check(joining, "cat", [random(0), random(2, 3)], 1)
    check(joining, "cat", [random(2), np.array([1, 2, 3])])
    check(joining, "cat", [np.array([True]), np.array([1], np.int8), np.array([2], np.int32)])
    for shapes in ([(2,), (3,)], [(2, 1), (2, 3)], [(), ()]):
        check(joining, "hstack", [random(*s) for s in shapes])
    for name in ("vstack", "dstack", "column_stack"):
        for shape in ((3,), (3, 2)):
            check(joining, name, [random(*shape), random(*shape, seed=1)])


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("split", (5, 2), (2,)),
        ("split", (5, 2), ([1, 4],)),
        ("split", (2, 6), (4, -1)),
        ("split", (0, 2), (3,)),
        ("split_with_sizes", (2, 5), ([2, 0, 3], 1)),
        ("chunk", (5,), (3,)),
        ("chunk", (5,), (4,)),
        ("chunk", (2, 3), (7, 1)),
        ("tensor_split", (7,), (3,)),
        ("tensor_split", (7,), ((2, 2, 9),)),
        ("tensor_split", (7,), ((-3, 1),)),
        ("tensor_split", (2, 3), (5, 1)),
        ("hsplit", (6,), (2,)),
        ("hsplit", (2, 6), ([1, 4],)),
        ("vsplit", (4, 2), (2,)),
        ("dsplit", (2, 2, 4), (2,)),
        ("unbind", (3, 2), (1,)),
        ("narrow", (5, 2), (0, 1, 3)),
        ("narrow", (5, 2), (0, -3, 2)),
        ("select", (5, 2), (0, -1)),
        ("select", (5, 2), (1, 1)),
    ],
)
def test_taking_apart(name: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
    check(joining, name, random(*shape), *arguments)


def test_narrow_from_a_place_known_at_run_time() -> None:
    x, start = random(6, 2), input_node((), int64)
    y = joining.narrow(numpy_constant(x), 0, start, 3)
    for place in (2, -4):
        np.testing.assert_array_equal(evaluate([y], {start: np.array(place)})[0], x[2:5])
    with pytest.raises(OutOfRangeError, match="index 6"):
        evaluate([y], {start: np.array(4)})


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("flip", (2, 3), ((0, 1),)),
        ("flip", (2, 3), ((),)),
        ("fliplr", (2, 3), ()),
        ("flipud", (3,), ()),
        ("roll", (2, 3), (1,)),
        ("roll", (2, 3), (-4, 1)),
        ("roll", (2, 3), ((1, 2), (0, 1))),
        ("roll", (0, 3), (1, 0)),
        *[("rot90", (2, 3, 2), (k, dims)) for k in range(-1, 4) for dims in ((0, 1), (2, 0))],
        ("repeat", (2, 3), (4, 1, 2)),
        ("repeat", (2, 3), (0, 2)),
        ("tile", (2, 3), ((2,),)),
        ("tile", (2,), ((3, 2),)),
        ("repeat_interleave", (2, 3), (2,)),
        ("repeat_interleave", (2, 3), (3, 1)),
        ("repeat_interleave", (2, 3), (0, 0)),
        ("unfold", (2, 7), (1, 3, 2)),
        ("unfold", (2, 7), (1, 3, 3)),
        ("unfold", (2, 7), (1, 2, 3)),
        ("unfold", (7,), (0, 1, 1)),
        ("unfold", (7,), (0, 0, 2)),
        ("unfold", (), (0, 1, 1)),
        ("combinations", (4,), (2,)),
        ("combinations", (3,), (3, True)),
    ],
)
def test_arrangement(name: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
    check(arrangement, name, random(*shape), *arguments)


def test_repeats_of_each() -> None:
    check(arrangement, "repeat_interleave", random(3, 2), np.array([2, 0, 1]), 0)
    check(arrangement, "repeat_interleave", random(3), np.array([2]))
    repeats = input_node((3,), int64)
    y = arrangement.repeat_interleave(numpy_constant(np.arange(3)), repeats, output_size=4)
    assert evaluate([y], {repeats: np.array([2, 0, 2])})[0].tolist() == [0, 0, 2, 2]
    with pytest.raises(UnsupportedError, match="output_size"):
        arrangement.repeat_interleave(numpy_constant(np.arange(3)), repeats)


def test_as_strided() -> None:
    for arguments in (((2, 2), (1, 2)), ((2, 3), (3, 1), 1), ((3, 3), (0, 1)), ((), (), 4)):
        check(arrangement, "as_strided", random(3, 4), *arguments)
    with pytest.raises(OutOfRangeError, match="index 12"):
        evaluate([arrangement.as_strided(numpy_constant(random(3, 4)), (4, 4), (4, 1))])


def test_grids() -> None:
    for indexing in ("ij", "xy"):
        check(arrangement, "meshgrid", random(2), random(3), random(), indexing=indexing)
    check(arrangement, "cartesian_prod", random(2), random(3), random(1))
    check(arrangement, "cartesian_prod", random(2))
    check(arrangement, "block_diag", random(2, 3), random(2), random())
    check(arrangement, "block_diag")


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", [(1, 2), (0, 1), (-1, 2), (2, -1), (1, 2, 2, 0), (0, 0, 1, 1)])
def test_pad(mode: str, pad: tuple[int, ...]) -> None:
    value = {"value": 0.5} if mode == "constant" else {}
    shape = (2, 3, 5) if len(pad) == 2 else (2, 3, 4, 5)  # all that PyTorch takes, but for constants
    compare(padding.pad, F.pad, random(*shape), pad, mode, **value)


def test_pad_constant_of_other_dtypes() -> None:
    compare(padding.pad, F.pad, np.arange(4), (1, 1), value=7)
    compare(padding.pad, F.pad, np.array([True]), (1, 1))
    compare(padding.pad, F.pad, random(2, 3), (0, 0))
    compare(padding.constant_pad_nd, torch.constant_pad_nd, random(2, 3), (1, -1), 2.0)


@pytest.mark.parametrize("diagonal", [-4, -1, 0, 2, 5])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (0, 2)])
def test_triangles(diagonal: int, shape: tuple[int, ...]) -> None:
    check(triangular, "tril", random(*shape), diagonal)
    check(triangular, "triu", random(*shape), diagonal)
    check(triangular, "tril_indices", *shape[-2:], diagonal)
    check(triangular, "triu_indices", *shape[-2:], diagonal)


def test_triangles_hide_nan() -> None:
    x = np.full((2, 2), np.nan)
    np.testing.assert_array_equal(evaluate([triangular.triu(numpy_constant(x), 1)])[0], [[0, np.nan], [0, 0]])
    check(triangular, "tril", np.ones((3, 3), bool), -1)


@pytest.mark.parametrize("offset", [-3, -2, -1, 0, 1, 3, 4])
def test_diagonals(offset: int) -> None:
    check(triangular, "diagonal", random(3, 4), offset)
    check(triangular, "diagonal", random(2, 3, 4), offset, -1, 0)
    check(triangular, "diag", random(4, 3), offset)
    check(triangular, "diag", random(3), offset)
    check(triangular, "diag_embed", random(2, 3), offset)
    check(triangular, "diag_embed", random(2, 3), offset, 0, 2)
    check(triangular, "diag_embed", random(2, 3), offset, 2, 0)
    check(triangular, "diagflat", random(2, 2), offset)
    size = len(np.diagonal(random(3, 4), offset))
    if size:
        check(triangular, "diagonal_scatter", random(3, 4), random(size, seed=3), offset)


def test_trace() -> None:
    check(triangular, "trace", random(3, 5))
    check(triangular, "trace", np.arange(6, dtype=np.int32).reshape(2, 3))
    compare(triangular.linalg_diagonal, torch.linalg.diagonal, random(2, 3, 4), offset=1)


def _slope(y: Node, x: Node) -> Node:
    """The gradient of the sum of squares."""
    (found,) = gradient([sum_(mul(y, y))], [None], [x])
    assert found is not None
    return found


N = Dim.unknown("n")


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: layout.reshape(x, -1, 2), (2 * N, 2)),
        (lambda x: layout.flatten(layout.unsqueeze(x, 1)), (4 * N,)),
        (lambda x: layout.unflatten(x, 1, (2, -1)), (N, 2, 2)),
        (lambda x: layout.squeeze(layout.unsqueeze(x, 0)), (N, 4)),
        (lambda x: layout.expand(x, 3, -1, -1), (3, N, 4)),
        (lambda x: joining.cat([x, x, x]), (3 * N, 4)),
        (lambda x: joining.stack([x, x], -1), (N, 4, 2)),
        (lambda x: joining.chunk(x, 2, 1)[1], (N, 2)),
        (lambda x: joining.narrow(x, 0, 0, x.shape[0]), (N, 4)),
        (lambda x: arrangement.roll(x, 1, 0), (N, 4)),
        (lambda x: arrangement.repeat(x, 2, 3), (2 * N, 12)),
        (lambda x: padding.pad(x, (1, 1), "reflect"), (N, 6)),
        (lambda x: triangular.tril(x), (N, 4)),
        (lambda x: triangular.diag_embed(layout.transpose(x, 0, 1)), (4, N, N)),
        (lambda x: triangular.diagonal(triangular.diag_embed(layout.transpose(x, 0, 1)), 0, 1, 2), (4, N)),
    ],
)
def test_unknown_sizes(function: Callable[[Node], Node], shape: tuple[Any, ...]) -> None:
    """Shapes are right while a size is unknown; once it is known, values and gradients are those of a known size."""
    x, array = input_node((N, 4), float64), random(3, 4)
    y = function(x)
    assert y.shape == shape
    known = specialize(Graph([x], [y, _slope(y, x)]), {"n": 3})
    values = evaluate(known.outputs, {known.inputs[0]: array})
    z = numpy_constant(array)
    for value, expected in zip(values, evaluate([function(z), _slope(function(z), z)]), strict=True):
        np.testing.assert_array_equal(value, expected)
    assert values[0].shape == evaluate_sizes(shape, {"n": 3})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: layout.reshape(x, 5, -1), ShapeError, r"\(2, 3\) to \(5, -1\): 6 elements are not divisible by 5"),
        (lambda x: layout.reshape(x, -1, -1), ShapeError, "only one size"),
        (lambda x: layout.reshape(x, 4), ShapeError, "6 elements"),
        (lambda x: layout.reshape(x, 0, -1), ShapeError, "could be anything"),
        (lambda x: layout.reshape(x, 2.0, 3), ArgumentTypeError, "a size must be an int"),
        (lambda x: layout.view(x, float64), UnsupportedError, "cannot be read as float64"),
        (lambda x: layout.permute(x, 0, 0), ShapeError, "not an order"),
        (lambda x: layout.transpose(x, 0, 2), OutOfRangeError, "dimension 2 is out of range"),
        (lambda x: layout.movedim(x, (0, 1), (0, 0)), ShapeError, "none of them twice"),
        (lambda x: layout.t(layout.unsqueeze(x, 0)), ShapeError, "at most 2"),
        (lambda x: layout.flatten(x, 1, 0), OutOfRangeError, "comes after"),
        (lambda x: layout.expand(x, 2, 4), ShapeError, "cannot be expanded"),
        (lambda x: layout.expand(x, -1, 2, 3), ShapeError, "there already"),
        (lambda x: joining.cat(x), ArgumentTypeError, "list or tuple"),
        (lambda x: joining.cat([]), ArgumentError, "at least one"),
        (lambda x: joining.cat([x, layout.t(x)]), ShapeError, r"\(2, 3\) and \(3, 2\)"),
        (lambda x: joining.cat([layout.reshape(x, 6), numpy_constant(np.ones(()))]), ShapeError, "use stack"),
        (lambda x: joining.stack([x, layout.t(x)]), ShapeError, "must be equal"),
        (lambda x: joining.split(x, 0), ArgumentError, "must be positive"),
        (lambda x: joining.split(x, [1, 2]), ShapeError, "add up to 3"),
        (lambda x: joining.chunk(x, 0), ArgumentError, "must be positive"),
        (lambda x: joining.hsplit(x, 2), ShapeError, "equal parts"),
        (lambda x: joining.narrow(x, 0, 1, 2), OutOfRangeError, "do not fit size 2"),
        (lambda x: joining.select(x, 1, 3), OutOfRangeError, "index 3"),
        (lambda x: arrangement.roll(x, (1, 2), 0), ArgumentError, "as many"),
        (lambda x: arrangement.repeat(x, 2), ShapeError, "fewer numbers"),
        (lambda x: arrangement.repeat_interleave(x, [1, 2, 3], 0), ShapeError, "3 repeats for size 2"),
        (lambda x: arrangement.unfold(x, 1, 4, 1), OutOfRangeError, "do not fit size 3"),
        (lambda x: arrangement.meshgrid(x), ShapeError, "vectors"),
        (lambda x: arrangement.rot90(x, 1, (0, 0)), ShapeError, "must differ"),
        (lambda x: padding.pad(x, (1, 1, 1)), ShapeError, "pairs"),
        (lambda x: padding.pad(x, (3, 0), "reflect"), ShapeError, "at least 4"),
        (lambda x: padding.pad(x, (4, 0), "circular"), ShapeError, "more than once around"),
        (lambda x: padding.pad(x, (1, 1), "mirror"), ArgumentError, "'mirror'"),
        (lambda x: padding.pad(x, (-2, -2)), ShapeError, "negative size"),
        (lambda x: padding.pad(x, (-2, -2), "circular"), ShapeError, "cuts more"),
        (lambda x: triangular.tril(layout.ravel(x)), ShapeError, "at least 2"),
        (lambda x: triangular.diagonal(x, 0, 1, -1), ShapeError, "both 1"),
        (lambda x: triangular.trace(layout.ravel(x)), ShapeError, "a matrix"),
        (lambda x: triangular.tril_indices(-1, 2), ArgumentError, "negative"),
    ],
)
def test_errors(call: Callable[[Node], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(numpy_constant(random(2, 3)))


def test_meshgrid_needs_one_dtype() -> None:
    with pytest.raises(DTypeError, match="float64 and int64"):
        arrangement.meshgrid(numpy_constant(random(2)), numpy_constant(np.arange(2)))
