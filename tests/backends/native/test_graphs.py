"""Random graphs on the native backend, with guard pages and other targets too, and what such graphs have found."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import onegraph as og
from onegraph.backends.contract import Buffer
from onegraph.backends.native.backend import NativeBackend, NativeExecutable
from onegraph.config import using
from onegraph.errors import CompileError
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import bfloat16, bool_, float16, float32, float64, int8, int16, uint8
from onegraph.kernels.builder import build
from onegraph.kernels.kernel import Kernel
from onegraph.ops import OPS
from onegraph.ops.evaluate import run_graph, to_stored
from onegraph.ops.leaf import constant
from tests.fuzz.check_graphs import check, same


def run(inputs, outputs, arrays, **settings):
    """Native results; they are those of the reference to the bit."""
    graph = Graph(inputs, outputs)
    with using(**settings):
        buffers = [Buffer(a, n.dtype) for a, n in zip(arrays, inputs, strict=True)]
        found = [b.array.copy() for b in NativeExecutable(graph).run(buffers)]
    same(found, run_graph(graph, arrays), "native and reference")
    return found


def whole(*shape):
    return np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed):
    check(seed)


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_that_round(seed):
    check(seed, rounding=True, steps=seed < 6)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 4000, 100))
def test_many_random_graphs(start):
    for seed in range(start, start + 100):
        check(seed, large=seed % 3 == 0, rounding=seed % 5 == 0)


def in_process(*arguments, **environment):
    """Random graphs in a process of their own, since a bad access would end it."""
    command = [sys.executable, "-m", "tests.fuzz.check_graphs", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=250)
    assert done.returncode == 0 and "0 failed" in done.stdout, done.stdout + done.stderr


def test_nothing_past_the_end_is_touched():
    in_process(0, 40, "guard")


@pytest.mark.parametrize("target", ["avx2", "sse2"])
def test_other_targets(target):
    in_process(100, 125, "guard", ONEGRAPH_TARGET=target)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["", "avx2", "sse2"])
@pytest.mark.parametrize("flag", ["guard", "large", "rounding"])
def test_other_targets_on_many_graphs(target, flag):
    in_process(5000, 5400, flag, ONEGRAPH_TARGET=target)


def test_an_unknown_target_is_named():
    code = "import onegraph as og; og.ones(3).sum().item()"
    environment = {**os.environ, "ONEGRAPH_TARGET": "abacus"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100)
    assert "ArgumentError" in done.stderr and "avx2" in done.stderr


# ---------------------------------------------------------------------------------- what random graphs have found


def test_joined_empty_values():
    x = input_node((0, 3), float32)
    run([x], [OPS["concat"](x, x, dim=0)], [whole(0, 3)])


@pytest.mark.parametrize("dtype", [float16, float32, int16])
def test_sums_of_nothing(dtype):
    x, y = input_node((2, 0), dtype), input_node((0, 3), dtype)
    arrays = [np.zeros((2, 0), dtype.numpy), np.zeros((0, 3), dtype.numpy)]
    outputs = [OPS["sum"](x, dims=(0, 1), keepdim=False), OPS["prod"](x, dims=(1,), keepdim=True), OPS["matmul"](x, y)]
    run([x, y], outputs, arrays)


def test_products_with_a_single_number():
    x = input_node((9, 1), float32)
    run([x], [OPS["matmul"](x, OPS["reshape"](constant(-4.0, float32), shape=(1, 1)))], [whole(9, 1)])
    number = OPS["constant"](value=_value(np.full((1, 1), 3, np.float32)))
    run([x], [OPS["matmul"](x, number)], [whole(9, 1)])


def _value(array):
    from onegraph.ops.elementwise import numpy_constant

    return numpy_constant(array).attributes["value"]


def test_products_of_single_whole_numbers():
    x = input_node((1, 1), int16)
    run([x], [OPS["matmul"](x, x), x], [np.array([[7]], np.int16)])


def test_an_assigned_slice_read_backwards():
    """The places in what is assigned are quotients of numbers below zero."""
    x, y = input_node((7, 31), float32), input_node((2, 6), float32)
    assigned = OPS["set_slice"](x, y, starts=(1, 12), stops=(7, 18), steps=(3, 1))
    run([x, y], [OPS["flip"](assigned, dims=(0, 1))], [whole(7, 31), whole(2, 6)])


def test_padding_read_backwards_along_vectors():
    x = input_node((9, 20), float32)
    spread = OPS["pad"](x, constant(0, float32), padding=((0, 0, 0), (1, 2, 2)))
    run([x], [OPS["flip"](spread, dims=(1,))], [whole(9, 20)])


def test_a_scattered_value_as_image():
    """Kernels of their own kind write in row-major order; convolutions want channels last, with a halo."""
    x, w = input_node((2, 3, 5, 5), float32), input_node((4, 3, 3, 3), float32)
    rows, more = input_node((1,), og.int64), input_node((1, 3, 5, 5), float32)
    image = OPS["scatter"](x, rows, more, dim=0, mode="add")
    made = OPS["conv"](image, w, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
    run([x, w, rows, more], [made], [whole(2, 3, 5, 5), whole(4, 3, 3, 3), np.array([1]), whole(1, 3, 5, 5)])


def test_a_slice_beside_the_whole():
    """Two kernels that read the same value at the same positions, one of them less of it."""
    x = input_node((40, 64), float32)
    part = OPS["slice"](OPS["mul"](x, x), starts=(0, 0), stops=(30, 50), steps=(1, 1))
    run([x], [OPS["neg"](x), part], [whole(40, 64)], guard_pages=True)


def test_chosen_elements_joined():
    """Where another part is read, the place of the chosen element is out of bounds."""
    code = "from tests.backends.native.test_graphs import chosen_elements; chosen_elements()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def chosen_elements():
    """Single elements, and elements beside each other, joined, with guard pages."""
    x, i = input_node((31, 20), float32), input_node((), og.int64)
    single = OPS["take"](x, i, dim=1)
    rows = OPS["take"](x, i, dim=0)
    outputs = [OPS["concat"](*[y] * 5, dim=0) for y in (single, rows)]
    run([x, i], outputs, [whole(31, 20), np.array(19)], guard_pages=True)


def test_quotients_joined():
    """Where another part is read nothing is divided by zero."""
    x = input_node((20,), og.int64)
    quotient = OPS["floor_div"](constant(100, og.int64), x)
    rest = OPS["mod"](constant(100, og.int64), x)
    padded = OPS["pad"](quotient, constant(5, og.int64), padding=((3, 3, 1),))
    run([x], [OPS["concat"](quotient, rest, quotient, dim=0), padded], [np.arange(1, 21)])


@pytest.mark.parametrize("dtype", [float32, float64, bfloat16], ids=lambda d: d.name)
def test_pixels_that_no_tap_reaches(dtype):
    g, w = input_node((1, 4, 2, 2), dtype), input_node((4, 3, 1, 1), dtype)
    options = {"stride": (3, 2), "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": 1, "input_size": (5, 4)}
    arrays = [to_stored(whole(1, 4, 2, 2), dtype), to_stored(whole(4, 3, 1, 1), dtype)]
    run([g, w], [OPS["conv_input_gradient"](g, w, **options)], arrays)


@pytest.mark.parametrize("function", ["narrow_elements", "narrow_products"])
def test_one_narrow_lane_is_not_stored_wide(function):
    """One lane was stored with all the bits that it had before it was made narrow: past the end of memory."""
    code = f"from tests.backends.native.test_graphs import {function}; {function}()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def narrow_elements():
    """Elementwise work whose last vector has one lane, with guard pages."""
    for dtype in (uint8, int8, int16, bool_, float16, bfloat16):
        for size in (1, 17, 33):
            x = input_node((size,), float32)
            run([x], [OPS["cast"](OPS["mul"](x, x), dtype=dtype)], [np.abs(whole(size))], guard_pages=True)


def narrow_products():
    """Sums of the micro-kernel, made narrow, with guard pages."""
    for wide in (float32, float64):
        for dtype in (float16, bfloat16, int8):
            for m, k, n in ((15, 8, 17), (16, 4, 1), (1, 64, 17)):
                a, b = input_node((m, k), wide), input_node((k, n), wide)
                arrays = [whole(m, k).astype(wide.numpy) % 3, whole(k, n).astype(wide.numpy) % 3]
                run([a, b], [OPS["cast"](OPS["matmul"](a, b), dtype=dtype)], arrays, guard_pages=True)


# ------------------------------------------------------------------------------------------ mistakes of the compiler


def test_a_kernel_that_does_not_compile_is_named():
    with pytest.raises(CompileError, match=r"kernel bad: .*LLVM"):
        build([Kernel("bad", "define void @KERNEL(ptr %b) {\n  nonsense\n}\n", tasks=1)])


def test_the_reference_runs_what_the_compiler_cannot(monkeypatch):
    def broken(*_):
        raise AssertionError("not foreseen")

    monkeypatch.setattr("onegraph.backends.native.backend.lower", broken)
    x = input_node((3,), float32)
    graph = Graph([x], [OPS["neg"](x)])
    with pytest.warns(RuntimeWarning, match=r"could not compile.*not foreseen"):
        executable = NativeBackend().compile(graph)
    (found,) = executable.run([Buffer(np.array([1, 2, 3], np.float32), float32)])
    assert found.array.tolist() == [-1, -2, -3]
