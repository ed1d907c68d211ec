"""Movement ops with sizes that are not known yet: the rules give the shapes that the sizes give once they are known.

The other kinds of ops, whose attributes contain no sizes, are tested by `test_records.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onegraph.autodiff import gradient
from onegraph.errors import ShapeError
from onegraph.ir.dim import Dim, Size, evaluate_sizes
from onegraph.ir.dtype import float32
from onegraph.ir.node import Node, input_node
from onegraph.ops.contraction import MATMUL
from onegraph.ops.leaf import constant
from onegraph.ops.movement import CONCAT, EXPAND, FLIP, PAD, PERMUTE, RESHAPE, SLICE

ZERO = constant(0, float32)

# name -> (shape of the input and op, for a size)
MOVES: dict[str, Callable[[Size], Node]] = {
    "merge": lambda n: RESHAPE(_input(n, 6), shape=(n * 6,)),
    "split": lambda n: RESHAPE(_input(n * 6), shape=(n, 2, 3)),
    "regroup": lambda n: RESHAPE(_input(n, 6), shape=(n * 2, 3)),
    "permute": lambda n: PERMUTE(_input(n, 2, 3), dims=(1, 0, 2)),
    "expand": lambda n: EXPAND(_input(1, 3), shape=(n, 3)),
    "expand a size of 1": lambda n: EXPAND(_input(n, 1), shape=(4, n, 2)),
    "pad": lambda n: PAD(_input(n, 3), ZERO, padding=((1, 2, 0), (0, 0, 0))),
    "pad between": lambda n: PAD(_input(n, 3), ZERO, padding=((0, 1, 2), (1, 1, 0))),
    "shift": lambda n: PAD(_input(n, 3), ZERO, padding=((2, -2, 0), (0, 0, 0))),
    "slice the tail": lambda n: SLICE(_input(n, 3), starts=(1, 0), stops=(n, 2), steps=(1, 1)),
    "every other": lambda n: SLICE(_input(n, 3), starts=(0, 0), stops=(n, 3), steps=(2, 1)),
    "flip": lambda n: FLIP(_input(n, 3), dims=(0,)),
    "concat": lambda n: CONCAT(_input(n, 3), _input(2, 3), dim=0),
    "concat beside": lambda n: CONCAT(_input(n, 3), _input(n, 1), dim=1),
    "matmul": lambda n: MATMUL(_input(n, 3), _input(3, 4)),
    "batched matmul": lambda n: MATMUL(_input(n, 2, 3), _input(3, 4)),
}


def _input(*shape: Size) -> Node:
    return input_node(shape, float32)


@pytest.mark.parametrize("size", [3, 8])
@pytest.mark.parametrize("name", MOVES)
def test_shapes_agree_once_the_size_is_known(name: str, size: int) -> None:
    known, unknown = MOVES[name](size), MOVES[name](Dim.unknown("n"))
    assert any(isinstance(s, Dim) for s in unknown.shape)
    assert evaluate_sizes(unknown.shape, {"n": size}) == known.shape
    gradients = [_gradients(node) for node in (known, unknown)]
    for a, b, x in zip(*gradients, known.inputs, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert evaluate_sizes(b.shape, {"n": size}) == a.shape == x.shape


def _gradients(node: Node) -> list[Node | None]:
    return gradient([node], [input_node(node.shape, float32)], node.inputs)


def test_sizes_that_can_never_fit_are_refused() -> None:
    n = Dim.unknown("n")
    with pytest.raises(ShapeError, match="inner sizes 3 and 4 differ"):
        MATMUL(_input(n, 3), _input(4, 5))
    with pytest.raises(ShapeError, match="outside dimension 0"):
        CONCAT(_input(n, 3), _input(n, 4), dim=0)
    with pytest.raises(ShapeError, match="cannot be expanded"):
        EXPAND(_input(n, 3), shape=(n, 4))
