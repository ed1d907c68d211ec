"""What every backend must do, tried on each one that is registered; the reference decides what is right."""

import numpy as np
import pytest

import onegraph.runtime.plan  # noqa: F401  registers the backends
from onegraph.backends import contract
from onegraph.backends.contract import Buffer, get_backend
from onegraph.errors import ArgumentError, DivisionError, OutOfRangeError
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, bfloat16, float16, float32, int64
from onegraph.ops import OPS, Kind
from onegraph.ops.binary import add, floor_divide, mul
from onegraph.ops.cast import CAST
from onegraph.ops.elementwise import exp, numpy_constant
from onegraph.ops.evaluate import execute_node
from onegraph.ops.indexing import TAKE

BACKENDS = contract.backend_names()


@pytest.fixture(params=BACKENDS)
def backend(request):
    return get_backend(request.param)


def run(backend, inputs, outputs, arrays):
    buffers = [backend.copy_in(a, n.dtype) for a, n in zip(arrays, inputs, strict=True)]
    results = backend.compile(Graph(inputs, outputs)).run(buffers)
    backend.synchronize()
    return [backend.copy_out(r) for r in results]


@pytest.mark.parametrize("name", [n for n, op in OPS.items() if op.kind is not Kind.CONTROL and n != "with_gradient"])
def test_every_op_gives_what_its_record_says(backend, name):
    op = OPS[name]
    for sample in op.samples():
        inputs = [input_node(a.shape, numpy_constant(a).dtype) for a in sample.arrays]
        node = op(*inputs, **sample.attributes)
        (result,) = run(backend, inputs, [node], sample.arrays)
        expected = execute_node(node, list(sample.arrays))
        assert result.shape == tuple(node.shape) and result.dtype == node.dtype.numpy
        contracted = op.kind in (Kind.CONTRACTION, Kind.REDUCTION)  # sums in another order
        np.testing.assert_allclose(
            result, expected, rtol=1e-5 if contracted else 1e-6, atol=1e-6 if contracted else 1e-7
        )


def test_outputs_may_be_inputs_constants_and_repeated(backend):
    x = input_node((2,), float32)
    c = numpy_constant(np.array([5.0, 6.0], np.float32))
    y = add(x, c)
    found = run(backend, [x], [x, y, c, y], [np.array([1.0, 2.0], np.float32)])
    assert [f.tolist() for f in found] == [[1.0, 2.0], [6.0, 8.0], [5.0, 6.0], [6.0, 8.0]]


def test_unused_inputs_and_sizes_of_zero(backend):
    x, unused = input_node((0, 3), float32), input_node((4,), int64)
    (found,) = run(backend, [x, unused], [exp(x)], [np.zeros((0, 3), np.float32), np.arange(4)])
    assert found.shape == (0, 3)


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_copies_keep_every_dtype(backend, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype.numpy)
    buffer = backend.copy_in(array, dtype)
    assert (buffer.shape, buffer.dtype, buffer.nbytes) == ((2, 3), dtype, array.nbytes)
    np.testing.assert_array_equal(backend.copy_out(buffer), array)
    empty = backend.allocate((3, 1), dtype)
    assert empty.shape == (3, 1) and empty.dtype is dtype


@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=lambda d: d.name)
def test_half_precision_is_rounded_once_an_op(backend, dtype):
    x = input_node((1,), dtype)
    total = x
    for _ in range(4):
        total = add(total, 0.4)  # at 1024 the next number is at least 0.5 away: each sum rounds back
    start = np.array([0x4480], np.uint16) if dtype is bfloat16 else np.array([1024.0], np.float16)
    (found,) = run(backend, [x], [CAST(total, dtype=float32)], [start])
    assert found.tolist() == [1024.0]


def test_inputs_are_never_written(backend):
    x = input_node((3,), float32)
    array = np.array([1.0, 2.0, 3.0], np.float32)
    array.flags.writeable = False
    (found,) = run(backend, [x], [mul(add(x, 1.0), 2.0)], [array])
    assert found.tolist() == [4.0, 6.0, 8.0] and array.tolist() == [1.0, 2.0, 3.0]


def test_errors_at_run_time_are_typed(backend):
    x, i = input_node((3,), int64), input_node((2,), int64)
    with pytest.raises(DivisionError):
        run(backend, [x], [floor_divide(x, x)], [np.array([1, 0, 2])])
    with pytest.raises(OutOfRangeError, match="3"):
        run(backend, [x, i], [TAKE(x, i, dim=0)], [np.arange(3), np.array([0, 3])])


def test_plans_can_run_again_and_describe_themselves(backend):
    x = input_node((2,), float32)
    executable = backend.compile(Graph([x], [add(x, 1.0)]))
    for value in (1.0, 5.0):
        (result,) = executable.run([Buffer(np.full(2, value, np.float32), float32)])
        assert backend.copy_out(result).tolist() == [value + 1] * 2
    assert "add" in executable.describe()


def test_an_unknown_backend_lists_the_known():
    with pytest.raises(ArgumentError, match="reference"):
        get_backend("abacus")
