"""What is kept between runs: packed weights, folded scales and shifts; nothing in training, nothing that follows the data."""

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native.backend import NativeExecutable
from onegraph.backends.native.profile import profiling
from onegraph.backends.reference import evaluate
from onegraph.config import using
from onegraph.ir.dtype import float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import input_node
from onegraph.ops.leaf import constant
from onegraph.ops.record import OPS

GEOMETRY = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


def layer():
    """max(x * (w scaled) + shift, 0): the inputs x, w, variance, mean, and the result."""
    x, w = input_node((1, 16, 12, 12), float32), input_node((32, 16, 3, 3), float32)
    variance, mean = input_node((32,), float32), input_node((32,), float32)
    scale = OPS["rsqrt"](OPS["add"](variance, constant(1e-5, float32)))
    scaled = OPS["mul"](w, OPS["reshape"](scale, shape=(32, 1, 1, 1)))
    shift = OPS["reshape"](OPS["neg"](OPS["mul"](mean, scale)), shape=(32, 1, 1))
    y = OPS["add"](OPS["conv"](x, scaled, **GEOMETRY), shift)
    return [x, w, variance, mean], OPS["maximum"](y, constant(0, float32))


def arrays_for(inputs, seed=0):
    rng = np.random.default_rng(seed)
    return [np.abs(rng.standard_normal(n.shape, np.float32)) - (0.5 if n is inputs[0] else 0) for n in inputs]


def launches(executable, buffers):
    with using(threads=2), profiling() as recorder:
        found = executable.run(buffers)
    return found[0].array, sum(len(s.launches) for s in recorder.samples)


def test_weights_and_shifts_are_computed_once():
    inputs, y = layer()
    executable = NativeExecutable(Graph(inputs, [y]))
    kept = [s for s in executable.lowered.launches if s.keep is not None]
    assert {s.keep for s in kept} == {frozenset({1, 2, 3})}
    w, variance, mean = (Buffer(a, float32) for a in arrays_for(inputs)[1:])
    counts = []
    for turn in range(4):
        x = arrays_for(inputs, turn)[0]
        found, count = launches(executable, [Buffer(x, float32), w, variance, mean])
        values = dict(zip(inputs, [x, w.array, variance.array, mean.array], strict=True))
        np.testing.assert_allclose(found, evaluate([y], values)[0], rtol=1e-4, atol=1e-4)
        counts.append(count)
    assert counts[0] == counts[1] == len(executable.lowered.launches)
    assert counts[2] == counts[3] == counts[0] - len(kept)


def test_a_new_weight_is_noticed():
    inputs, y = layer()
    executable = NativeExecutable(Graph(inputs, [y]))
    buffers = [Buffer(a, float32) for a in arrays_for(inputs)]
    for _ in range(3):
        executable.run(buffers)
    for seed in (1, 2):
        buffers[1] = Buffer(arrays_for(inputs, seed)[1], float32)
        found = executable.run(buffers)[0].array
        values = {n: b.array for n, b in zip(inputs, buffers, strict=True)}
        np.testing.assert_allclose(found, evaluate([y], values)[0], rtol=1e-4, atol=1e-4)


def test_nothing_is_kept_of_weights_that_the_graph_changes():
    inputs, y = layer()
    step = OPS["mul"](inputs[1], constant(0.9, float32))
    executable = NativeExecutable(Graph(inputs, [y, step]))
    assert all(s.keep is None for s in executable.lowered.launches)


def test_nothing_is_kept_of_what_depends_on_the_data():
    x, w = input_node((1, 16, 12, 12), float32), input_node((32, 16, 3, 3), float32)
    mean = OPS["sum"](x, dims=(0, 2, 3), keepdim=True)
    y = OPS["conv"](OPS["mul"](x, mean), w, **GEOMETRY)
    executable = NativeExecutable(Graph([x, w], [y]))
    assert {s.keep for s in executable.lowered.launches} == {None, frozenset({1})}
