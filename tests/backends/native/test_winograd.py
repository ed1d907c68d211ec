"""Convolutions by tiles against the reference: odd sizes, paddings, epilogues, gradients; the same bits on any threads."""

import numpy as np
import pytest

import onegraph.backends.native.winograd as winograd
from onegraph import config
from onegraph.backends.contract import Buffer, get_backend
from onegraph.ir.dtype import float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.kernels.target import host
from onegraph.ops.evaluate import execute_node
from onegraph.ops.record import OPS

PLAIN = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
SIZES = [
    (2, 32, 32, 8, 8, 1),
    (1, 32, 48, 9, 7, 1),
    (3, 64, 32, 13, 14, 0),
    (2, 48, 64, 6, 5, 2),
    (1, 32, 80, 5, 11, 1),
]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    if not host().has_fma:
        pytest.skip("tiles are used on processors with multiply-add")
    monkeypatch.setattr(winograd, "FEWEST_PIXELS", 1)


def compiled(inputs, output):
    executable = get_backend("native").compile(Graph(inputs, [output]))
    assert "tiles of 2 x 2" in executable.describe()
    return executable


def run(executable, arrays):
    return executable.run([Buffer(a, float32) for a in arrays])[0].array


def arrays(*shapes):
    rng = np.random.default_rng(3)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize(("n", "c", "o", "h", "w", "p"), SIZES)
def test_forward(n, c, o, h, w, p):
    values = arrays((n, c, h, w), (o, c, 3, 3))
    inputs = [input_node(a.shape, float32) for a in values]
    node = OPS["conv"](*inputs, padding=((p, p), (p, p)), **PLAIN)
    found = run(compiled(inputs, node), values)
    expected = execute_node(node, values)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("n", "c", "o", "h", "w", "p"), SIZES)
def test_input_gradient(n, c, o, h, w, p):
    values = arrays((n, o, h + 2 * p - 2, w + 2 * p - 2), (o, c, 3, 3))
    inputs = [input_node(a.shape, float32) for a in values]
    node = OPS["conv_input_gradient"](*inputs, padding=((p, p), (p, p)), input_size=(h, w), **PLAIN)
    found = run(compiled(inputs, node), values)
    expected = execute_node(node, values)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


def test_what_follows_and_the_number_of_threads():
    values = arrays((2, 32, 17, 15), (64, 32, 3, 3), (1, 64, 1, 1), (2, 64, 17, 15))
    x, w, bias, residual = [input_node(a.shape, float32) for a in values]
    y = OPS["conv"](x, w, padding=((1, 1), (1, 1)), **PLAIN)
    zero = OPS["mul"](residual, OPS["sub"](bias, bias))
    node = OPS["maximum"](OPS["add"](OPS["add"](y, bias), residual), zero)
    executable = compiled([x, w, bias, residual], node)
    plain = execute_node(y, values[:2])
    expected = np.maximum(plain + values[2] + values[3], 0)
    results = []
    for threads in (1, 2, 3):
        with config.using(threads=threads):
            results.append(run(executable, values))
    np.testing.assert_allclose(results[0], expected, rtol=1e-5, atol=1e-4)
    assert all(np.array_equal(r, results[0]) for r in results)


def test_few_channels_and_other_strides_are_summed_directly():
    for c, attributes in ((3, PLAIN), (32, {**PLAIN, "stride": (2, 2)}), (32, {**PLAIN, "dilation": (2, 2)})):
        inputs = [input_node((1, c, 16, 16), float32), input_node((32, c, 3, 3), float32)]
        node = OPS["conv"](*inputs, padding=((1, 1), (1, 1)), **attributes)
        executable = get_backend("native").compile(Graph(inputs, [node]))
        assert "tiles of" not in executable.describe()
