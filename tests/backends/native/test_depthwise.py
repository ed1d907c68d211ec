"""Narrow grouped convolutions and their gradients against the reference, for every kind of shape; threads; targets."""

from dataclasses import replace

import numpy as np
import pytest

from onegraph.backends.contract import Buffer
from onegraph.backends.native import backend
from onegraph.backends.native.depthwise import is_narrow
from onegraph.backends.reference import evaluate
from onegraph.config import using
from onegraph.ir.dtype import float16, float32, float64
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.kernels.depthwise import supported
from onegraph.kernels.target import host, plain_target
from onegraph.ops.record import OPS


def geometry(rank, stride=1, padding=0, dilation=1):
    def each(value):
        return value if isinstance(value, tuple) else (value,) * rank

    return {"stride": each(stride), "padding": tuple((p, p) for p in each(padding)), "dilation": each(dilation)}


CASES = {
    "depthwise": ((2, 32, 9, 9), (32, 1, 3, 3), {"padding": 1}),
    "stride": ((1, 40, 9, 10), (40, 1, 3, 3), {"padding": 1, "stride": 2}),
    "few channels": ((2, 5, 11, 8), (5, 1, 3, 5), {"padding": (1, 2), "stride": (2, 1), "dilation": (1, 2)}),
    "multiplier": ((2, 16, 9, 9), (32, 1, 3, 3), {"padding": 1}),
    "groups of four": ((1, 32, 7, 7), (32, 4, 3, 3), {"padding": 1, "stride": 2}),
    "groups of two, part of a vector": ((1, 12, 7, 7), (24, 2, 3, 3), {}),
    "more inputs than outputs": ((1, 24, 6, 6), (12, 4, 1, 1), {}),
    "one dimension": ((2, 24, 30), (24, 1, 7), {"padding": 3}),
    "three dimensions": ((2, 17, 5, 6, 7), (17, 1, 3, 3, 3), {"padding": 1, "stride": 2}),
    "large kernel": ((1, 18, 24, 24), (18, 1, 13, 13), {"padding": 6}),
    "long kernel": ((1, 3, 40), (3, 1, 120), {"padding": 100}),
    "taps that no phase needs": ((3, 2, 5, 5), (2, 1, 1, 1), {"stride": 2}),
    "pieces": ((2, 33, 70, 70), (33, 1, 3, 3), {"padding": 1}),
}


def build(case, dtype=float32):
    """Absolute values of a convolution, its two gradients, the inputs of the graph and arrays for them."""
    shape, weight, options = CASES[case]
    attributes = {**geometry(len(shape) - 2, **options), "groups": shape[1] // weight[1]}
    x, w = input_node(shape, dtype), input_node(weight, dtype)
    y = OPS["conv"](x, w, **attributes)
    g = input_node(y.shape, dtype)
    dx = OPS["conv_input_gradient"](g, w, **attributes, input_size=shape[2:])
    dw = OPS["conv_weight_gradient"](x, g, **attributes, kernel_size=weight[2:])
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n.shape).astype(dtype.numpy) for n in (x, w, g)]
    return [OPS["abs"](y), dx, dw], [x, w, g], arrays


def run(outputs, inputs, arrays, threads=2):
    executable = backend.NativeExecutable(Graph(inputs, outputs))
    with using(threads=threads):
        found = executable.run([Buffer(a, n.dtype) for a, n in zip(arrays, inputs, strict=True)])
    return [b.array for b in found]


def check(outputs, inputs, arrays, tolerance):
    expected = evaluate(outputs, dict(zip(inputs, arrays, strict=True)))
    for found, want in zip(run(outputs, inputs, arrays), expected, strict=True):
        limit = tolerance * max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(found, want, rtol=tolerance, atol=limit)


@pytest.mark.parametrize("case", CASES)
def test_against_the_reference(case):
    outputs, inputs, arrays = build(case)
    assert is_narrow(outputs[1], host()) and is_narrow(outputs[2], host())
    check(outputs, inputs, arrays, 1e-5)


@pytest.mark.parametrize("case", ["stride", "groups of four"])
def test_float64(case):
    check(*build(case, float64), 1e-13)


def test_half_precision_adds_in_float32():
    check(*build("depthwise", float16), 2e-3)


@pytest.mark.parametrize("case", ["stride", "groups of four", "large kernel"])
@pytest.mark.parametrize("registers", [16, 32])
def test_processors_with_short_vectors(case, registers, monkeypatch):
    target = replace(plain_target(), vector_registers=registers)
    monkeypatch.setattr(backend, "host", lambda: target)
    check(*build(case), 1e-5)


@pytest.mark.parametrize("case", ["pieces", "groups of four"])
def test_threads_do_not_change_bits(case):
    given = build(case)
    one, two, three = (run(*given, threads=n) for n in (1, 2, 3))
    for a, b, c in zip(one, two, three, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_what_follows_is_in_the_same_kernel():
    x, w = input_node((2, 32, 9, 9), float32), input_node((32, 1, 3, 3), float32)
    attributes = {**geometry(2, padding=1), "groups": 32}
    y = OPS["conv"](OPS["abs"](OPS["conv"](x, w, **attributes)), w, **attributes)
    executable = backend.NativeExecutable(Graph([x, w], [y]))
    first, second = [s.kernel for s in executable.lowered.launches if s.kernel is not None and s.kernel.name == "conv"]
    assert "abs(" in first.description
    assert first.flops == second.flops == 2 * 9 * 2 * 32 * 81


def test_which_convolutions_are_narrow():
    assert supported(1, 1, host()) and supported(4, 4, host()) and not supported(3, 3, host())
    x, w = input_node((1, 64, 8, 8), float32), input_node((64, 32, 3, 3), float32)
    assert not is_narrow(OPS["conv"](x, w, **geometry(2), groups=2), host())
    assert not is_narrow(OPS["conv"](x, input_node((4, 64, 3, 3), float32), **geometry(2), groups=1), host())


@pytest.mark.parametrize("case", ["depthwise", "stride", "three dimensions", "one dimension", "large kernel"])
def test_images_larger_than_the_cache(case, monkeypatch):
    target = replace(host(), l2_bytes=1024)
    monkeypatch.setattr(backend, "host", lambda: target)
    check(*build(case), 1e-5)
