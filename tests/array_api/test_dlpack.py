"""DLPack both ways: no copies, lifetimes, read-only memory, strides, bfloat16.

Read next: `onegraph/frontend/dlpack.py`.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError, GradientError

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_both_ways_without_a_copy(kind: str) -> None:
    array = np.arange(6).astype(kind).reshape(2, 3)
    x = og.from_dlpack(array)
    assert x.dtype.name == kind and x.tolist() == array.tolist() and np.shares_memory(x.numpy(), array)
    back = np.from_dlpack(x)
    assert back.dtype == array.dtype and np.shares_memory(back, array) and not back.flags.writeable


def test_strided_views() -> None:
    array = np.arange(24.0).reshape(4, 6)
    for view in (array.T, array[::2, ::-3], array[1:, 2:4], array[:0], array[2, 3, None]):
        x = og.from_dlpack(view)
        assert np.shares_memory(x.numpy(), array) or not view.size
        np.testing.assert_array_equal((x + 1).numpy(), view + 1)
        np.testing.assert_array_equal(np.from_dlpack(x), view)
    x = og.tensor(array)
    np.testing.assert_array_equal(np.from_dlpack(x.T[1:, ::2]), array.T[1:, ::2])


def test_memory_lives_as_long_as_somebody_looks() -> None:
    x = og.from_dlpack(np.full(5000, 7.0))  # nobody else has the array
    gc.collect()
    noise = [np.zeros(5000) for _ in range(8)]
    assert set(x.tolist()) == {7.0} and len(noise) == 8
    array = np.from_dlpack(og.full((5000,), 3.0) + 1)
    for _ in range(8):
        og.eval(og.zeros(5000) + 2)
    gc.collect()
    assert set(array.tolist()) == {4.0}


def test_writing_in_place_here_changes_nothing_there() -> None:
    x = og.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    x.mul_(5)
    x[0] = 9
    assert array.tolist() == [1.0, 2.0] and x.tolist() == [9.0, 10.0]
    source = np.array([1.0, 2.0])
    y = og.from_dlpack(source)
    y += 1
    assert source.tolist() == [1.0, 2.0] and y.tolist() == [2.0, 3.0]


def test_copies() -> None:
    source = np.array([1.0, 2.0])
    x = og.from_dlpack(source, copy=True)
    source[:] = 0
    assert x.tolist() == [1.0, 2.0]
    array = np.from_dlpack(x, copy=True)
    assert array.flags.writeable and not np.shares_memory(array, x.numpy())
    own = og.from_dlpack(x)
    assert isinstance(own, og.Tensor) and own.tolist() == [1.0, 2.0]


class _Old:
    """A producer, or consumer, of before version 1."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def test_before_version_1() -> None:
    assert og.from_dlpack(_Old(np.arange(3))).tolist() == [0, 1, 2]
    x = og.tensor([1.0, 2.0])
    array = np.from_dlpack(_Old(x))  # version 0 cannot say read-only, so it gets a copy
    assert array.tolist() == [1.0, 2.0] and not np.shares_memory(array, x.numpy())
    with pytest.raises(BufferError, match="read-only"):
        x.__dlpack__(copy=False)


def test_errors() -> None:
    x = og.ones(2)
    with pytest.raises(ArgumentTypeError, match="expected an array with __dlpack__, got int"):
        og.from_dlpack(3)
    with pytest.raises(DTypeError, match="complex64"):
        og.from_dlpack(np.zeros(2, np.complex64))
    with pytest.raises(DTypeError, match="uint16"):
        og.from_dlpack(np.zeros(2, np.uint16))
    with pytest.raises(DeviceError):
        og.from_dlpack(np.zeros(2), device="cuda")
    with pytest.raises(DeviceError):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ArgumentError, match="no streams"):
        x.__dlpack__(stream=1)
    with pytest.raises(GradientError):
        np.from_dlpack(og.ones(2, requires_grad=True))

    class OnAnotherDevice(_Old):
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)

    with pytest.raises(DeviceError, match=r"\(2, 0\)"):
        og.from_dlpack(OnAnotherDevice(np.zeros(2)))
    used = np.arange(2).__dlpack__()
    np.from_dlpack(_Capsule(used))
    with pytest.raises(ArgumentTypeError, match="or a used one"):
        og.from_dlpack(_Capsule(used))


class _Capsule(_Old):
    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array


def test_pytorch_both_ways() -> None:
    torch = pytest.importorskip("torch")
    for kind in (*KINDS, "bfloat16"):
        source = torch.arange(6).to(getattr(torch, kind)).reshape(2, 3)
        x = og.from_dlpack(source.T)
        assert x.dtype.name == kind and x.tolist() == source.T.tolist()
        back = torch.from_dlpack(x)
        assert back.dtype == source.dtype and back.data_ptr() == source.data_ptr() and back.stride() == (1, 3)
        assert torch.equal(torch.from_dlpack(x + x if kind != "bool" else x | x), (source + source).T)
    x = og.from_dlpack(torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
    assert (x * 2).tolist() == [3.0, -4.0]
    with pytest.raises(DTypeError):
        og.from_dlpack(torch.zeros(2, dtype=torch.complex64))
