"""Convolutions with few channels compute neighbouring pixels as one vector: against the reference, and on any threads."""

import numpy as np
import pytest

from onegraph import config
from onegraph.backends.contract import Buffer, get_backend
from onegraph.ir.dtype import float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.kernels.target import host
from onegraph.ops.evaluate import execute_node
from onegraph.ops.record import OPS

PLAIN = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
SIZES = [(2, 1, 6, 12, 5, 0), (2, 6, 16, 14, 5, 0), (1, 3, 1, 16, 3, 1), (2, 4, 3, 15, 3, 1), (1, 2, 2, 7, 3, 2)]
"""Images, channels before and after, height and width of the image, kernel, padding."""


def run(inputs, output, arrays):
    executable = get_backend("native").compile(Graph(inputs, [output]))
    results = []
    for threads in (1, 2):
        with config.using(threads=threads):
            results.append(executable.run([Buffer(a, float32) for a in arrays])[0].array)
    assert np.array_equal(*results)
    return results[0], executable.describe()


def arrays(*shapes):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize(("n", "c", "o", "size", "k", "p"), SIZES)
def test_forward_with_bias(n, c, o, size, k, p):
    values = arrays((n, c, size, size), (o, c, k, k), (1, o, 1, 1))
    x, w, bias = [input_node(a.shape, float32) for a in values]
    node = OPS["conv"](x, w, padding=((p, p), (p, p)), **PLAIN)
    found, _ = run([x, w, bias], OPS["tanh"](OPS["add"](node, bias)), values)
    expected = np.tanh(execute_node(node, values[:2]) + values[2])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("n", "c", "o", "size", "k", "p"), SIZES)
def test_input_gradient(n, c, o, size, k, p):
    out = size + 2 * p - k + 1
    values = arrays((n, o, out, out), (o, c, k, k))
    inputs = [input_node(a.shape, float32) for a in values]
    node = OPS["conv_input_gradient"](*inputs, padding=((p, p), (p, p)), input_size=(size, size), **PLAIN)
    found, _ = run(inputs, node, values)
    expected = execute_node(node, values)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


@pytest.mark.skipif(host().lanes(32) != 16, reason="the number of pixels depends on the vectors")
def test_which_pixels_are_beside_each_other():
    for channels, width, stride, columns in (
        (6, 14, 1, "12 columns"),
        (6, 15, 1, "6 columns"),
        (6, 14, 2, "6 columns"),
    ):
        inputs = [input_node((1, 8, 14, width), float32), input_node((channels, 8, 3, 3), float32)]
        how = {**PLAIN, "stride": (stride, stride)}
        node = OPS["conv"](*inputs, padding=((1, 1), (1, 1)), **how)
        _, text = run(inputs, node, arrays((1, 8, 14, width), (channels, 8, 3, 3)))
        assert columns in text
