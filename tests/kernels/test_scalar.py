"""The arithmetic of every elementwise record against its reference: all dtypes, several vector lengths, two targets."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from onegraph.errors import CompileError, GraphError
from onegraph.ir.dtype import ALL, DType, bfloat16, bool_, float16, float32, float64, from_numpy, int8, int32, int64
from onegraph.ir.dtype import float32_to_bfloat16 as to_bfloat16
from onegraph.ir.node import Node, input_node
from onegraph.kernels.compile import compile_text, load, undefined_symbols
from onegraph.kernels.llvm import Function, Module, Value
from onegraph.kernels.scalar import Code, Scalar, memory_type
from onegraph.kernels.target import Target
from onegraph.ops import OPS, Kind, Op
from onegraph.ops.custom import GradientRule
from onegraph.ops.evaluate import execute_node
from onegraph.ops.lowering import Pointwise
from onegraph.ops.philox import RANDOM_BITS
from tests.kernels.pointwise import PLAIN, Array, Kernel, to_numbers

ELEMENTWISE = sorted((op for op in OPS.values() if op.kind is Kind.ELEMENTWISE), key=lambda op: op.name)
LANES = (1, 4, 16)
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, np.inf, -np.inf, np.nan, 65504.0, 65519.0, 65520.0)
SMALL_AND_LARGE = (6e-8, -3e-8, 2.9e-8, 6.1e-5, 1e-40, -1e-45, 3.3e38, 3e9, -3e9, 1e19, -1e19, 300.0, -129.0)


def every_elementwise(function: Any) -> Any:
    return pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)(function)


def numbers(dtype: DType, seed: int) -> Array:
    """71 values of a dtype in storage form: edges, and others at random."""
    rng = np.random.default_rng(seed)
    if dtype is bool_:
        return rng.integers(0, 2, 71).astype(np.bool_)
    if dtype.is_floating_point:
        values = np.concatenate([EDGES, SMALL_AND_LARGE, rng.uniform(-4, 4, 71 - len(EDGES) - len(SMALL_AND_LARGE))])
        values = rng.permutation(values)
        with np.errstate(over="ignore"):
            return to_bfloat16(values.astype(np.float32)) if dtype is bfloat16 else values.astype(dtype.numpy)
    info = np.iinfo(dtype.numpy)
    low = max(info.min, -70)
    edges = [info.min, info.max, 0, 1, 2, 3, 7, 8, 31, 63, 64, info.max - 1, -1 if info.min else 5, info.min + 1]
    values = np.array(edges, dtype.numpy)
    return rng.permutation(np.concatenate([values, rng.integers(low, 70, 71 - len(edges)).astype(dtype.numpy)]))


def dtypes_of(op: Op) -> list[DType]:
    return [d for d in ALL if d.kind in op.dtypes]


def cases(op: Op) -> list[tuple[list[DType], dict[str, Any]]]:
    """Dtypes of the inputs, and attributes."""
    if op.name == "where":
        return [([bool_, d, d], {}) for d in ALL]
    if op.name == "cast":
        return [([a], {"dtype": b}) for a, b in itertools.product(ALL, ALL)]
    if op.name == "with_gradient":
        return [([d, d], {"rule": GradientRule(lambda g: [g])}) for d in ALL]
    if op.name == "barrier":
        return [([d, d], {"number": 0}) for d in ALL]
    count = len(next(iter(op.samples())).arrays)
    return [([d] * count, {}) for d in dtypes_of(op)]


def tolerance(op: Op, dtype: DType) -> float:
    """Functions of vector math and of NumPy differ in the last places; everything else is the same."""
    functions = ("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
                 "erf", "sigmoid", "pow", "atan2")  # fmt: skip
    if op.name not in functions or not dtype.is_floating_point:
        return 0.0
    return {float64: 2.0**-49, float32: 2.0**-20, float16: 2.0**-10, bfloat16: 2.0**-7}[dtype]


def compare(op: Op, node: Node, actual: Array, expected: Array) -> None:
    a, b = to_numbers(actual, node.dtype), to_numbers(expected, node.dtype)
    if node.dtype.is_floating_point:
        tiny = 1e-44 if node.dtype is float32 else 6e-8 if node.dtype is float16 else 0.0
        rtol = tolerance(op, node.dtype)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=tiny if rtol else 0.0)
        if op.name not in ("maximum", "minimum"):  # of -0 and 0 either may be chosen
            number = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a[number]), np.signbit(b[number]))
    else:
        np.testing.assert_array_equal(a, b)


def run_case(op: Op, dtypes: list[DType], attributes: dict[str, Any], lanes: int, target: Target | None) -> None:
    arrays = [numbers(d, i) for i, d in enumerate(dtypes)]
    if op.name in ("mod", "floor_div") and not dtypes[0].is_floating_point:
        arrays[1] = np.where(arrays[1] == 0, 3, arrays[1]).astype(arrays[1].dtype)
    node = op(*[input_node(a.shape, d) for a, d in zip(arrays, dtypes, strict=True)], **attributes)
    expected = execute_node(node, arrays)
    assert isinstance(expected, np.ndarray)
    kernel = Kernel(
        lambda code, values: code.apply(op.name, values, attributes, node.dtype), dtypes, node.dtype, lanes, target
    )
    compare(op, node, kernel(*arrays), expected)
    assert kernel.status == 0


@every_elementwise
def test_elementwise_records_have_a_lowering(op: Op) -> None:
    assert isinstance(op.lowering, Pointwise)


@every_elementwise
def test_value_is_that_of_the_reference(op: Op) -> None:
    for i, (dtypes, attributes) in enumerate(cases(op)):
        run_case(op, dtypes, attributes, LANES[i % 3], None)


def test_code_that_needs_a_missing_function_is_refused() -> None:
    text = "declare void @nobody_has_this()\ndefine void @calls_it() {\n call void @nobody_has_this()\n ret void\n}"
    with pytest.raises(CompileError, match="calls_it calls nobody_has_this, which this process does not have"):
        load(compile_text(text), "calls_it")


def test_the_first_kernel_of_a_process_may_call_functions_of_libc() -> None:
    text = "declare ptr @memset(ptr, i32, i64)\n"
    text += "define void @first(ptr %p, i64 %n) {\n call ptr @memset(ptr %p, i32 1, i64 %n)\n ret void\n}"
    code = f"from onegraph.kernels.compile import compile_text, load\nassert load(compile_text({text!r}), 'first')[0]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64-v4"])
def test_no_operation_needs_a_library(cpu: str) -> None:
    """A processor without instructions for float64 to float16, and one with them: LLVM must not call its own library."""
    features = "+f16c,+fma,+avx2" + (",+avx512f,+avx512vl" if cpu.endswith("4") else "")
    target = dataclasses.replace(PLAIN, cpu=cpu, features=features, has_fma=True)
    for op in (op for op in ELEMENTWISE if float16.kind in op.dtypes):
        for dtypes, attributes in cases(op):
            if float16 in dtypes:
                output = op(*[input_node((4,), d) for d in dtypes], **attributes).dtype
                kernel = Kernel(
                    lambda code, x: code.apply(op.name, x, attributes, output),  # noqa: B023
                    dtypes,
                    output,
                    1,
                    target,
                    run=False,
                )
                assert set(undefined_symbols(kernel.code)) <= {"fmod", "fmodf"}, op.name  # of libm


@pytest.mark.slow
@every_elementwise
def test_value_for_any_number_of_lanes(op: Op) -> None:
    for (dtypes, attributes), lanes in itertools.product(cases(op), LANES):
        run_case(op, dtypes, attributes, lanes, None)


@every_elementwise
def test_value_on_a_plain_target(op: Op) -> None:
    for i, (dtypes, attributes) in enumerate(cases(op)):
        if dtypes[-1] in (bool_, int8, int32, float16, float64):
            run_case(op, dtypes, attributes, 4 if i % 2 else 1, PLAIN)


@every_elementwise
def test_samples(op: Op) -> None:
    kernels: dict[Any, Kernel] = {}
    for sample in op.samples():
        dtypes = [from_numpy(a.dtype) for a in sample.arrays]
        node = op(*[input_node(a.shape, d) for a, d in zip(sample.arrays, dtypes, strict=True)], **sample.attributes)
        key = (*dtypes, *[v for v in sample.attributes.values() if isinstance(v, DType)])
        if key not in kernels:
            kernels[key] = Kernel(
                lambda code, x: code.apply(op.name, x, sample.attributes, node.dtype),  # noqa: B023
                dtypes,
                node.dtype,
                4,
            )
        read = sample.arrays[:1] if op.name == "barrier" else sample.arrays  # its second input has any shape
        arrays = [np.broadcast_to(a, np.broadcast_shapes(*[r.shape for r in read])) for a in read]
        arrays += arrays[: len(sample.arrays) - len(read)]
        expected = execute_node(node, list(sample.arrays))
        actual = kernels[key](*[a.reshape(-1) for a in arrays])
        compare(op, node, actual, np.asarray(expected).reshape(-1))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("dtype", [int8, int32, int64], ids=lambda d: d.name)
def test_division_by_zero_is_reported_and_harmless(dtype: DType, lanes: int) -> None:
    kernel = Kernel(lambda code, x: code.floor_div(*x), [dtype, dtype], dtype, lanes)
    lowest = np.iinfo(dtype.numpy).min
    a, b = np.array([7, -7, lowest, 5, 9], dtype.numpy), np.array([2, 2, -1, 0, -2], dtype.numpy)
    np.testing.assert_array_equal(kernel(a, b), [3, -4, lowest, 5, -5])
    assert kernel.status == 1
    np.testing.assert_array_equal(kernel(a[:3], b[:3]), [3, -4, lowest])
    assert kernel.status == 0  # lanes that are not in use are not reported


@pytest.mark.parametrize("target", [None, PLAIN], ids=["host", "plain"])
def test_float16_is_rounded_as_numpy_does(target: Target | None) -> None:
    rng = np.random.default_rng(0)
    all_halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    widened = Kernel(lambda code, x: code.cast(x[0], float32), [float16], float32, 4, target)(all_halves)
    np.testing.assert_array_equal(widened, all_halves.astype(np.float32))
    between = np.sort(all_halves[np.isfinite(all_halves)].astype(np.float64))
    middle = (between[1:] + between[:-1]) / 2
    x = np.concatenate([middle, np.nextafter(middle, 1e9), np.nextafter(middle, -1e9), rng.uniform(-7e4, 7e4, 1000)])
    for dtype in (float32, float64):  # just beyond the middle: rounding twice would go wrong
        stored = x.astype(dtype.numpy)
        actual = Kernel(lambda code, v: code.cast(v[0], float16), [dtype], float16, 4, target)(stored)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(actual.view(np.uint16), stored.astype(np.float16).view(np.uint16))


def test_bfloat16_is_rounded_as_the_storage_is() -> None:
    bits = np.random.default_rng(0).integers(0, 1 << 32, 20_000, dtype=np.uint64).astype(np.uint32)
    edges = np.array([0x7F7FFFFF, 0x7F7F8000, 0x7F7F7FFF, 0x00008000, 0x00018000, 0x7F800001, 0xFFFFFFFF], np.uint32)
    x = np.concatenate([bits, edges, (bits & 0xFFFF0000) | 0x8000]).view(np.float32)
    actual = Kernel(lambda code, v: code.cast(v[0], bfloat16), [float32], bfloat16, 16)(x)
    np.testing.assert_array_equal(actual, to_bfloat16(x))


def random_kernel(seed: int, stream: int, lanes: int, run: bool) -> Kernel:
    def write(code: Code, values: list[Scalar]) -> Scalar:
        f = code.function
        key = [f.constant("i64", seed), f.constant("i64", stream)]
        if not run:
            return code.random_bits(*key, values[0].value)
        first = values[0].value if lanes == 1 else f.extract(values[0].value, 0)
        return code.random_bits_run(*key, first)

    return Kernel(write, [int64], int32, lanes)


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("run", [False, True], ids=["any index", "run"])
def test_random_bits(lanes: int, run: bool) -> None:
    for seed, stream in ((0, 0), (-3, 1 << 40), (123456789012345, -1)):
        expected = RANDOM_BITS.reference(np.array([seed, stream]), shape=(150,))
        kernel = random_kernel(seed, stream, lanes, run)
        for start in (0, 1, 2, 3, 17):
            np.testing.assert_array_equal(kernel(np.arange(start, 150)), expected[start:])


def test_random_bits_in_any_order_and_far_out() -> None:
    kernel = random_kernel(5, 9, 4, run=False)
    index = np.random.default_rng(1).integers(0, 100, 50)
    np.testing.assert_array_equal(kernel(index), RANDOM_BITS.reference(np.array([5, 9]), shape=(100,))[index])
    near, far = (kernel(np.arange(4) + start) for start in (0, 1 << 34))  # the counter's second word
    assert not np.any(near == far)


def a_function(argument: str) -> tuple[Function, Value]:
    f = Module().function("f", [(argument, "x")])
    return f, f.arguments[0]


def test_memory_types_hold_what_numpy_stores() -> None:
    size = {"i8": 1, "i16": 2, "half": 2, "i32": 4, "float": 4, "i64": 8, "double": 8}
    for dtype in ALL:
        assert size[memory_type(dtype)] == dtype.numpy.itemsize


def test_an_op_that_is_not_elementwise_is_an_error() -> None:
    f, x = a_function("float")
    with pytest.raises(GraphError, match="element by element"):
        Code(f).apply("sum", [Scalar(x, float32)], {}, float32)


def test_a_wrong_dtype_is_an_error() -> None:
    f, x = a_function("float")
    with pytest.raises(GraphError, match="float32, the node is float64"):
        Code(f).apply("exp", [Scalar(x, float32)], {}, float64)
