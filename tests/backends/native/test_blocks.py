"""Loops over dimensions that were once two are cut into blocks, so that every access has a step."""

import itertools

import numpy as np
import pytest

from onegraph.backends.native.lowering import lower
from onegraph.backends.native.reading import movement_reads
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import float32
from onegraph.kernels.target import host
from onegraph.ops.binary import ADD
from onegraph.ops.contraction import matmul
from onegraph.ops.index import Index, Var, known
from onegraph.ops.leaf import constant
from onegraph.ops.movement import PAD, PERMUTE, RESHAPE
from tests.backends.native.comparison import check


def heads_side_by_side(heads, size, count=3, steps=5):
    """The gradient of a projection to queries, keys and values: the heads of each, each at its place."""
    parts = [input_node((2, heads, steps, size), float32) for _ in range(count)]
    total = None
    for number, part in enumerate(parts):
        flat = RESHAPE(PERMUTE(part, dims=(0, 2, 1, 3)), shape=(2, steps, heads * size))
        width = heads * size
        padding = ((0, 0, 0), (0, 0, 0), (number * width, (count - 1 - number) * width, 0))
        padded = PAD(flat, constant(0.0, float32), padding=padding)
        total = padded if total is None else ADD(total, padded)
    return Graph(parts, [total])


@pytest.mark.parametrize(("heads", "size"), [(3, 64), (2, 16), (4, 20), (3, 8), (1, 32), (5, 1)])
def test_the_same_values(heads, size):
    graph = heads_side_by_side(heads, size)
    random = np.random.default_rng(0)
    check(graph, [random.standard_normal(n.shape).astype(np.float32) for n in graph.inputs], (1, 2))


def test_no_quotients_are_left():
    (launch,) = lower(heads_side_by_side(3, 64), host()).launches
    assert "//" not in launch.kernel.description and "%" not in launch.kernel.description


@pytest.mark.parametrize(("shift", "step", "size"), [(0, 8, 24), (-8, 8, 16), (-16, 8, 8), (-4, 8, 16), (-8, 6, 12)])
def test_what_is_known_of_blocks(shift, step, size):
    block, inside = Var("b", 5), Var("s", 8)
    index = Index.of(block) * 8 + Index.of(inside) + shift
    for divided, exact in (
        (known(index, size) // step, lambda x: x // step),
        (known(index, size) % step, lambda x: x % step),
        (known(index, size), lambda x: x),
    ):
        for b, s in itertools.product(range(5), range(8)):
            value = 8 * b + s + shift
            if 0 <= value < size:
                at = divided.substitute({block: Index.of(b), inside: Index.of(s)})
                assert not at.terms and at.constant == exact(value)


def test_conditions_of_whole_blocks_do_not_look_into_them():
    x = input_node((48,), float32)
    padded = PAD(x, constant(0.0, float32), padding=((16, 32, 0),))
    block, inside = Var("b", 6), Var("s", 16)
    first = movement_reads(padded, (Index.of(block) * 16 + Index.of(inside),))[0]
    (condition,) = first.conditions
    assert condition.index.variables() == {block} and (condition.low, condition.high) == (0, 3)
    first = movement_reads(padded, (Index.of(block) * 12 + Index.of(inside),))[0]
    assert first.conditions[0].index.variables() == {block, inside}


@pytest.mark.parametrize("dims", [(0, 3, 1, 2), (3, 0, 1, 2), (0, 1, 3, 2), (0, 2, 1, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_products_that_are_needed_transposed(dims):
    a, b = input_node((2, 3, 5, 4), float32), input_node((2, 3, 4, 7), float32)
    graph = Graph([a, b], [PERMUTE(matmul(a, b), dims=dims)])
    whole = np.random.default_rng(0)
    check(graph, [whole.integers(-9, 9, n.shape).astype(np.float32) for n in graph.inputs], (1,))
