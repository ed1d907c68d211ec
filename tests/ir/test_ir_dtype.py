"""Element types: names, and promotion compared with PyTorch over all pairs."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from onegraph.errors import DTypeError
from onegraph.ir import dtype as dt

SCALARS = (True, 3, 2.5)


def torch_of(dtype: dt.DType) -> Any:
    return getattr(pytest.importorskip("torch"), dtype.name)


@pytest.mark.parametrize("a", dt.ALL, ids=str)
def test_promotion_of_pairs_is_torchs(a: dt.DType) -> None:
    torch = pytest.importorskip("torch")
    for b in dt.ALL:
        assert torch_of(dt.promote(a, b)) is torch.promote_types(torch_of(a), torch_of(b)), (a, b)


@pytest.mark.parametrize("a_dims", [False, True])
@pytest.mark.parametrize("b_dims", [False, True])
def test_result_type_of_pairs_is_torchs(a_dims: bool, b_dims: bool) -> None:
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(dt.ALL, dt.ALL):
        tensors = [torch.ones((1,) * d, dtype=torch_of(x)) for x, d in ((a, a_dims), (b, b_dims))]
        ours = dt.result_type([(a, a_dims), (b, b_dims)])
        assert torch_of(ours) is torch.result_type(*tensors), (a, a_dims, b, b_dims)


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("dims", [False, True])
def test_result_type_with_a_python_scalar_is_torchs(scalar: Any, dims: bool) -> None:
    torch = pytest.importorskip("torch")
    for a in dt.ALL:
        theirs = torch.result_type(torch.ones((1,) * dims, dtype=torch_of(a)), scalar)
        assert torch_of(dt.result_type([(a, dims)], [scalar])) is theirs, (a, dims, scalar)


@pytest.mark.parametrize("scalar", SCALARS)
def test_result_type_of_two_tensors_and_a_scalar_is_torchs(scalar: Any) -> None:
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(dt.ALL, dt.ALL):
        # torch.result_type takes two operands, so do its steps one by one: the lower classes first.
        lower = torch.result_type(torch.ones((), dtype=torch_of(b)), scalar)
        theirs = torch.result_type(torch.ones(1, dtype=torch_of(a)), torch.ones((), dtype=lower))
        assert torch_of(dt.result_type([(a, True), (b, False)], [scalar])) is theirs, (a, b, scalar)


def test_scalars_alone_have_pythons_types() -> None:
    assert dt.result_type([], [True]) is dt.bool_
    assert dt.result_type([], [True, 2]) is dt.int64
    assert dt.result_type([], [2, 0.5]) is dt.float32


def test_the_default_dtype_decides_what_floats_become() -> None:
    try:
        dt.set_default_dtype(dt.float64)
        assert dt.get_default_dtype() is dt.float64
        assert dt.result_type([(dt.int32, True)], [0.5]) is dt.float64
        assert dt.as_dtype(float) is dt.float64
        with pytest.raises(DTypeError, match="floating"):
            dt.set_default_dtype(dt.int32)
    finally:
        dt.set_default_dtype(dt.float32)


def test_every_name_finds_its_dtype() -> None:
    for dtype in dt.ALL:
        assert dt.by_name(dtype.name) is dt.by_name(dtype.short) is dt.as_dtype(dtype) is dtype
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        if dtype is not dt.bfloat16:
            assert dt.from_numpy(dtype.numpy) is dtype
    assert dt.from_numpy(np.dtype(">f4")) is dt.float32


@pytest.mark.parametrize("wrong", ["float31", "f4x", "", "complex64"])
def test_unknown_names_are_typed_errors(wrong: str) -> None:
    with pytest.raises(DTypeError, match="no dtype is called"):
        dt.by_name(wrong)


def test_numpy_types_without_an_equivalent_are_typed_errors() -> None:
    with pytest.raises(DTypeError, match="complex128 has no equivalent"):
        dt.from_numpy(np.dtype(np.complex128))


def test_bfloat16_rounds_as_torch_does(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    bits = rng.integers(0, 2**32, 10_000, dtype=np.uint32)
    values = np.concatenate([bits.view(np.float32), np.array([0.0, -0.0, np.inf, -np.inf], np.float32)])
    values = values[~np.isnan(values)]
    theirs = torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()
    assert np.array_equal(dt.float32_to_bfloat16(values), theirs)


def test_every_bfloat16_survives_float32() -> None:
    bits = np.arange(2**16, dtype=np.uint32).astype(np.uint16)
    values = dt.bfloat16_to_float32(bits)
    back = dt.float32_to_bfloat16(values)
    numbers = ~np.isnan(values)
    assert np.array_equal(back[numbers], bits[numbers])
    assert np.isnan(dt.bfloat16_to_float32(back[~numbers])).all()
