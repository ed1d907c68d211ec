"""Limits and promotion of dtypes as Python values, and names that programs for PyTorch ask for."""

import itertools

import pytest

import onegraph as og
from onegraph.errors import ArgumentError, DeviceError, DTypeError

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_finfo(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = og.finfo(getattr(og, name)), torch.finfo(getattr(torch, name))
    for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert repr(ours).startswith("finfo(resolution=")


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_iinfo(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = og.iinfo(getattr(og, name)), torch.iinfo(getattr(torch, name))
    assert (ours.bits, ours.min, ours.max, ours.dtype) == (theirs.bits, theirs.min, theirs.max, theirs.dtype)
    assert repr(ours) == f"iinfo(min={ours.min}, max={ours.max}, dtype={name})"


def test_limits_of_the_wrong_kind() -> None:
    with pytest.raises(DTypeError, match="use iinfo"):
        og.finfo(og.int32)
    with pytest.raises(DTypeError, match="use finfo"):
        og.iinfo(og.float32)


def test_promotion_of_all_pairs() -> None:
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(NAMES, NAMES):
        ours, theirs = (getattr(og, a), getattr(og, b)), (getattr(torch, a), getattr(torch, b))
        assert og.promote_types(*ours).name == str(torch.promote_types(*theirs))[6:]
        assert og.can_cast(*ours) == torch.can_cast(*theirs) or "uint8" in (a, b)
    assert og.result_type(og.ones(2, dtype=og.float16), og.tensor(1.0)) is og.float16
    assert og.result_type(og.tensor([1]), 2.5) is og.float32


def test_shapes_and_sizes() -> None:
    x = og.zeros(2, 3)
    assert og.broadcast_shapes((2, 1), 3) == (2, 3) and og.numel(x) == 6
    assert og.is_same_size(x, og.ones(2, 3)) and not x.is_same_size(og.ones(3, 2))
    assert og.is_floating_point(x) and not og.is_complex(x)


def test_memory_formats_mean_nothing() -> None:
    x = og.ones(1, 2, 3, 3)
    y = x.contiguous(memory_format=og.channels_last).to(og.float64, memory_format=og.preserve_format)
    assert y.dtype is og.float64 and repr(og.channels_last) == "onegraph.channels_last"


def test_threads() -> None:
    before = og.get_num_threads()
    try:
        og.set_num_threads(3)
        assert og.get_num_threads() == 3
    finally:
        og.set_num_threads(before)
    with pytest.raises(ArgumentError, match="at least 1"):
        og.set_num_threads(0)


def test_there_are_no_accelerators() -> None:
    assert not og.cuda.is_available() and og.cuda.device_count() == 0 and not og.cuda.is_bf16_supported()
    assert not og.accelerator.is_available() and og.accelerator.current_accelerator() is None
    for choose in (og.cuda.set_device, og.accelerator.set_device_index):
        with pytest.raises(DeviceError, match="there is no"):
            choose(0)
    og.cuda.manual_seed(3)
    a = og.randn(2)
    og.cuda.manual_seed_all(3)
    assert og.equal(a, og.randn(2))


def test_namespaces_of_functions() -> None:
    x = og.tensor([0.5])
    assert og.allclose(og.special.expit(x), og.sigmoid(x)) and "erfcx" in og.special.__all__
    assert og.linalg.vector_norm(og.tensor([3.0, 4.0])).item() == 5.0


def test_constant_functions_give_zero_gradients() -> None:
    x = og.tensor([1.5, -2.5], requires_grad=True)
    for function in (og.floor, og.sign, og.round):
        (g,) = og.autograd.grad(function(x).sum(), x)
        assert g.tolist() == [0.0, 0.0]
    assert og.autograd.grad(
        (x > 0).float().sum() + x.detach().sum() + 0 * og.ones(1, requires_grad=True).sum(), x, allow_unused=True
    ) == (None,)


def test_a_layout_that_would_be_ignored_is_refused() -> None:
    assert og.zeros(2, layout=og.strided).tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="only strided tensors"):
        og.zeros(2, layout=og.sparse_coo)
