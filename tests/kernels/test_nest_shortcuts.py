"""Quotients by a number of the row, and positions compared in 32 bits: the bits of the plain operations."""

import numpy as np
import pytest

from onegraph.backends.native.lowering import lower
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import bool_, float32, int64
from onegraph.kernels.target import host
from onegraph.ops.binary import ADD, DIV, EQ, GE, GT, LE, LT, NE
from onegraph.ops.leaf import iota
from onegraph.ops.movement import reshape_to
from onegraph.ops.reduction import SUM
from tests.backends.native.comparison import BACKEND, check

SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, -1e-45, 3e-39, 1.2e-38, 3.4e38, -3.4e38, 7e-31, 8e-31, 1.2e30,
     1.3e30, 0.1, 1 / 3, 9.5e-7, 1.1e6, 0.99999994, 1.9999999, 1.0000001, 3.0, 1e-20],
    np.float32,
)  # fmt: skip


def quotients(numerators, divisors):
    """Every row divided by a number of its own, beside a sum, so that rows are what vectors run along."""
    x, d = input_node(numerators.shape, float32), input_node((numerators.shape[0], 1), float32)
    arrays = [numerators, divisors.reshape(-1, 1)]
    program = BACKEND.compile(Graph([x, d], [DIV(x, d)]))
    found = program.run([BACKEND.copy_in(a, float32) for a in arrays])[0].array
    with np.errstate(all="ignore"):
        expected = arrays[0] / arrays[1]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(found[known].view(np.int32), expected[known].view(np.int32))


def numbers(random, count):
    """Any mantissas, exponents around that of 1."""
    return (
        (random.integers(0, 1 << 23, count) + (random.integers(115, 140, count) << 23))
        .astype(np.int32)
        .view(np.float32)
    )


def test_quotients_of_special_values():
    quotients(np.tile(np.resize(SPECIAL, 416), (len(SPECIAL), 1)), SPECIAL)


def test_quotients_with_other_values_beside_them_in_a_vector():
    random = np.random.default_rng(0)
    numerators = numbers(random, (len(SPECIAL), 16 * len(SPECIAL)))
    numerators[:, ::16] = SPECIAL
    quotients(numerators, np.full(len(SPECIAL), 3.7, np.float32))


def test_quotients_of_many_numbers():
    random = np.random.default_rng(1)
    quotients(numbers(random, (500, 4000)), numbers(random, 500))


def test_quotients_that_are_hard_to_round():
    """Mantissas near 1 and near 2, and products of small numbers, are nearly halfway between two results."""
    steps = np.concatenate([np.arange(300), (1 << 23) - 1 - np.arange(300)]) + (127 << 23)
    near = steps.astype(np.int32).view(np.float32)
    quotients(np.tile(near, (600, 1)), near)


@pytest.mark.parametrize("op", [EQ, NE, LT, LE, GT, GE])
@pytest.mark.parametrize("swapped", [False, True])
def test_positions_against_numbers_of_the_row(op, swapped):
    limits = [-(2**63), -(2**32), -(2**32) + 5, -1, 0, 5, 98, 99, 100, 2**31, 2**32, 2**32 + 5, 2**63 - 1]
    y = input_node((len(limits), 1), int64)
    graph = Graph([y], [op(y, iota(100)) if swapped else op(iota(100), y)])
    check(graph, [np.array(limits).reshape(-1, 1)], (1,))


def test_positions_against_each_other():
    rows, columns = iota(70), iota(50)
    x = input_node((70, 50), bool_)
    graph = Graph([x], [EQ(GE(reshape_to(rows, (70, 1)), columns), x)])
    check(graph, [np.random.default_rng(0).random((70, 50)) < 0.5], (1,))


def test_the_shortcuts_are_taken():
    x, y = input_node((64, 300), float32), input_node((64, 1), int64)
    graph = Graph([x, y], [DIV(x, SUM(x, dims=(1,), keepdim=True)), EQ(iota(300), y)])
    texts = [launch.kernel.text for launch in lower(graph, host()).launches]
    assert not any("icmp" in line and "x i64>" in line for text in texts for line in text.splitlines())
    if host().vector_bits >= 512:
        assert any("llvm.fma" in text for text in texts)
    doubled = Graph([x], [DIV(x, ADD(x, x))])
    assert not any("llvm.fma" in launch.kernel.text for launch in lower(doubled, host()).launches)
