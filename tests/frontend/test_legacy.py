"""Old names of PyTorch, and methods whose answer is simple."""

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError


def test_constructors_from_sizes_and_values() -> None:
    assert og.Tensor(2, 3).shape == (2, 3) and og.Tensor(2, 3).dtype is og.float32
    assert og.Tensor().shape == (0,)
    assert og.Tensor([1, 2]).dtype is og.float32 and og.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert og.Tensor(np.array([1, 2])).dtype is og.float32
    assert og.Tensor(og.tensor([1])).dtype is og.int64
    for name in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"):
        kind = getattr(og, f"{name}Tensor")
        assert kind(2).shape == (2,) and kind([1, 0]).dtype is kind.dtype and repr(kind) == f"onegraph.{name}Tensor"
        assert og.ones(2).type(kind).dtype is kind.dtype
    with pytest.raises(ArgumentTypeError, match="values or sizes"):
        og.Tensor([1.0], [2.0])


def test_parameters_keep_the_dtype_of_their_data() -> None:
    assert og.nn.Parameter(np.array([1.0])).dtype is og.float64
    assert og.nn.Buffer([1, 2]).dtype is og.int64


def test_compile_gives_the_function_back() -> None:
    def double(x: og.Tensor) -> og.Tensor:
        return x * 2

    assert og.compile(double) is double and og.compile(mode="max-autotune")(double) is double
    assert og.compile(double, fullgraph=True)(og.ones(1)).tolist() == [2.0]
    assert og.compile(double, fullgraph=True, disable=True) is double


def test_sums_and_fills() -> None:
    torch = pytest.importorskip("torch")
    x = np.arange(12.0).reshape(2, 3, 2)
    for size in [(3, 2), (1, 3, 1), (2, 3, 2), (1,)]:
        np.testing.assert_array_equal(og.tensor(x).sum_to_size(size).numpy(), torch.tensor(x).sum_to_size(size).numpy())
    with pytest.raises(ShapeError, match="does not broadcast"):
        og.tensor(x).sum_to_size(2, 2)
    for shape, wrap in [((3, 4), False), ((7, 3), True), ((7, 3), False), ((2, 2, 2), False)]:
        ours, theirs = og.zeros(shape), torch.zeros(shape)
        np.testing.assert_array_equal(ours.fill_diagonal_(5, wrap).numpy(), theirs.fill_diagonal_(5, wrap).numpy())
    with pytest.raises(ShapeError, match="equal sizes"):
        og.zeros(2, 3, 2).fill_diagonal_(1)
    assert og.fill(og.zeros(2), 3).tolist() == [3.0, 3.0]


def test_python_functions_on_elements() -> None:
    x = og.tensor([1.0, 2.0])
    assert x.apply_(lambda v: v + 1).tolist() == [2.0, 3.0]
    assert x.map_(og.tensor([10.0, 20.0]), lambda a, b: a * b).tolist() == [20.0, 60.0]


def test_copies_do_not_alias() -> None:
    x = og.zeros(2, 2)
    y, z = og.view_copy(x, (4,)), og.transpose_copy(x, 0, 1)
    x.fill_(1)
    assert y.tolist() == [0.0] * 4 and z.tolist() == [[0.0, 0.0]] * 2
    x = og.ones(2, requires_grad=True)
    og.unsqueeze_copy(x, 0).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_real_tensors_are_real() -> None:
    x = og.tensor([1.0, -2.0])
    assert (
        x.conj() is x and og.real(x) is x and x.real is x and not x.is_conj() and x.mH.shape == (2,)
        if x.ndim > 1
        else True
    )
    assert og.angle(x).tolist() == pytest.approx([0.0, np.pi])
    with pytest.raises(ArgumentTypeError, match="complex"):
        og.imag(x)
    assert og.ones(2, 3).mH.shape == (3, 2) and og.ones(2, 3).H.shape == (3, 2)


def test_answers_about_storage() -> None:
    x = og.ones(2)
    assert x.is_cpu and not x.is_meta and not x.is_quantized and x.get_device() == -1
    assert x.resize_(2) is x and x.resize_as_(og.zeros(2)) is x and repr(x.layout) == "onegraph.strided"
    with pytest.raises(ArgumentError, match="cannot become"):
        x.resize_(3)
    assert x.new_tensor([1, 2]).dtype is og.float32 and x.new(3).shape == (3,)
