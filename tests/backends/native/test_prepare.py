"""Rewriting before fusion: windows side by side are moved, products that are needed transposed are computed so."""

import numpy as np
import pytest

from onegraph.backends.contract import Buffer
from onegraph.backends.native.backend import NativeExecutable
from onegraph.backends.reference import evaluate
from onegraph.ir.dtype import float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.ops.binary import MUL
from onegraph.ops.contraction import MATMUL
from onegraph.ops.movement import PERMUTE
from onegraph.ops.windows import FOLD


def native(outputs, inputs, arrays):
    executable = NativeExecutable(Graph(inputs, outputs))
    found = executable.run([Buffer(a, float32) for a in arrays])
    return [b.array for b in found], executable


@pytest.mark.parametrize("output_size", [(6, 6), (7, 8), (6, 7)])
def test_windows_side_by_side_are_moved_to_their_places(output_size):
    array = np.random.default_rng(0).standard_normal((2, 3, 2, 2, 3), np.float32)
    array[0, 0] = -0.0
    x = input_node(array.shape, float32)
    y = FOLD(x, dims=(1, 2), sizes=(2, 3), strides=(2, 3), dilations=(1, 1), output_size=output_size)
    (found,), _ = native([y], [x], [array])
    expected = evaluate([y], {x: array})[0]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_windows_side_by_side_in_any_order_of_dimensions():
    array = np.random.default_rng(0).standard_normal((4, 5, 3, 2), np.float32)
    x = input_node(array.shape, float32)
    y = FOLD(x, dims=(1, 0), sizes=(3, 2), strides=(3, 2), dilations=(1, 1), output_size=(16, 8))
    (found,), _ = native([y], [x], [array])
    np.testing.assert_array_equal(found, evaluate([y], {x: array})[0])


@pytest.mark.parametrize("dims, lead", [((1, 0), ()), ((0, 2, 1), (3,)), ((2, 1, 0), (3,))])
def test_a_product_needed_transposed(dims, lead):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, np.float32) for s in ((*lead, 5, 7), (*lead, 7, 4))]
    a, b = (input_node(v.shape, float32) for v in arrays)
    y = PERMUTE(MATMUL(a, b), dims=dims)
    (found,), executable = native([MUL(y, y)], [a, b], arrays)
    product = np.transpose(np.matmul(*arrays), dims)
    np.testing.assert_allclose(found, product * product, rtol=1e-4, atol=1e-6)
    if dims[-1] == len(dims) - 2:
        assert len(executable.lowered.launches) == 1


def test_a_product_needed_both_ways_is_computed_once():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, np.float32) for s in ((5, 7), (7, 4))]
    a, b = (input_node(v.shape, float32) for v in arrays)
    product = MATMUL(a, b)
    (plain, turned), _ = native([product, PERMUTE(product, dims=(1, 0))], [a, b], arrays)
    np.testing.assert_array_equal(plain.T, turned)
