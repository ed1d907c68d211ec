"""Functions whose result's shape depends on values, and functions that give Python values."""

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, DTypeError, ShapeError, TraceError


def _same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _same(a, b)
        return
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 0, 3), (2, 3, 2)])
@pytest.mark.parametrize("as_tuple", [False, True])
def test_nonzero(shape: tuple[int, ...], as_tuple: bool) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(0, 2, shape).astype(np.float32)
    _same(og.nonzero(og.tensor(x), as_tuple=as_tuple), torch.nonzero(torch.tensor(x), as_tuple=as_tuple))
    _same(og.tensor(x).argwhere(), torch.tensor(x).argwhere())
    _same(og.where(og.tensor(x) > 0), torch.where(torch.tensor(x) > 0))
    if not as_tuple:
        _same(og.nonzero_static(og.tensor(x), size=4), torch.nonzero_static(torch.tensor(x), size=4))


@pytest.mark.parametrize("options", [{}, {"return_inverse": True}, {"return_counts": True, "return_inverse": True}])
@pytest.mark.parametrize("dim", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["unique", "unique_consecutive"])
def test_unique(name: str, dim: int | None, options: dict[str, bool]) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).integers(0, 2, (6, 3)).astype(np.int64)
    _same(
        getattr(og, name)(og.tensor(x), dim=dim, **options), getattr(torch, name)(torch.tensor(x), dim=dim, **options)
    )
    _same(getattr(og.tensor(x), name)(dim=dim), getattr(torch.tensor(x), name)(dim=dim))


def test_unique_of_other_dtypes_and_of_nothing() -> None:
    assert og.unique(og.tensor([2.0, 1.0, 2.0], dtype=og.bfloat16)).dtype is og.bfloat16
    assert og.unique(og.tensor([True, False, True])).tolist() == [False, True]
    assert og.unique(og.tensor([])).shape == (0,) and og.unique_consecutive(og.tensor([])).shape == (0,)
    assert og.unique(og.tensor([float("nan"), float("nan")])).shape == (2,)
    assert og.unique(og.zeros(0, 3), dim=0).shape == (0, 3)
    with pytest.raises(ShapeError, match="no elements in the slices"):
        og.unique(og.zeros(2, 0), dim=0)


def test_masked_select_and_masks_as_indices() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)
    mask = values > 0
    ours, theirs = og.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    for pick in (
        lambda lib, x, m: lib.masked_select(x, m),
        lambda lib, x, m: x[m],
        lambda lib, x, m: x[1:, 1][m[1:, 1]],
    ):
        a, b = pick(og, ours, og.tensor(mask)), pick(torch, theirs, torch.tensor(mask))
        _same(a, b)
        (ga,) = og.autograd.grad((a * a).sum(), ours)
        (gb,) = torch.autograd.grad((b * b).sum(), theirs)
        np.testing.assert_allclose(ga.numpy(), gb.numpy(), rtol=1e-6)
    _same(
        og.masked_select(og.tensor(values), og.tensor(mask[:1])),
        torch.tensor(values).masked_select(torch.tensor(mask[:1])),
    )


def test_a_mask_of_another_count_reuses_nothing_but_works() -> None:
    x = og.arange(5.0)
    for limit in (1, 2, 2, 4):
        assert og.masked_select(x, x > limit).tolist() == [v for v in range(5) if v > limit]
        assert x[x > limit].tolist() == [v for v in range(5) if v > limit]


def test_sizes_that_depend_on_values() -> None:
    torch = pytest.importorskip("torch")
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    n = np.array([2, 0, 1])
    _same(
        og.repeat_interleave(og.tensor(x), og.tensor(n), 0),
        torch.repeat_interleave(torch.tensor(x), torch.tensor(n), 0),
    )
    _same(og.repeat_interleave(og.tensor(n)), torch.repeat_interleave(torch.tensor(n)))
    _same(og.tensor(x).repeat_interleave(2, dim=1), torch.tensor(x).repeat_interleave(2, dim=1))
    _same(
        og.repeat_interleave(og.tensor(x), og.tensor([2])), torch.repeat_interleave(torch.tensor(x), torch.tensor([2]))
    )
    _same(og.bincount(og.tensor(n)), torch.bincount(torch.tensor(n)))
    _same(og.bincount(og.tensor(n), minlength=5), torch.bincount(torch.tensor(n), minlength=5))
    weights = np.array([0.5, 1.0, 2.0], np.float32)
    _same(og.bincount(og.tensor(n), og.tensor(weights)), torch.bincount(torch.tensor(n), torch.tensor(weights)))
    assert og.bincount(og.tensor([], dtype=og.int64)).tolist() == []
    _same(og.tensor(x).tensor_split(og.tensor([1])), torch.tensor(x).tensor_split(torch.tensor([1])))
    assert og.nn.functional.one_hot(og.tensor(n)).tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_index_put_with_masks() -> None:
    torch = pytest.importorskip("torch")
    x = np.zeros((3, 2), np.float32)
    rows, values = np.array([True, False, True]), np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    for accumulate in (False, True):
        a = og.tensor(x).index_put((og.tensor(rows),), og.tensor(values), accumulate)
        _same(a, torch.tensor(x).index_put((torch.tensor(rows),), torch.tensor(values), accumulate))
        b = og.tensor(x)
        b.index_put_((og.tensor(rows), og.tensor(1)), og.tensor(7.0), accumulate)
        expected = torch.tensor(x).index_put_((torch.tensor(rows), torch.tensor(1)), torch.tensor(7.0), accumulate)
        _same(b, expected)


def test_python_results() -> None:
    x = og.tensor([1.0, 2.0])
    assert og.allclose(x, x + 1e-9) is True and x.allclose(x + 1) is False
    assert og.equal(x, x * 1) is True and x.equal(og.tensor([1.0])) is False
    assert og.is_nonzero(og.tensor([2])) is True and og.tensor(0).is_nonzero() is False


def test_traced_code_says_what_to_write_instead() -> None:
    x = og.tensor([1.0, -2.0])
    cases: list[tuple[Any, str]] = [
        (lambda t: og.nonzero(t), "where"),
        (lambda t: og.masked_select(t, t > 0), "keeps the shape"),
        (lambda t: og.unique(t), "sort"),
        (lambda t: og.where(t > 0), "where"),
        (lambda t: t * og.allclose(t, t), "isclose"),
        (lambda t: og.repeat_interleave(t, t.long()), "output_size"),
    ]
    for function, advice in cases:
        with pytest.raises(TraceError, match=advice):
            og.jit(function)(x)


def test_wrong_arguments() -> None:
    with pytest.raises(DTypeError, match="mask must be bool, got int64"):
        og.masked_select(og.ones(2), og.tensor([0, 1]))
    with pytest.raises(ArgumentError, match="condition alone"):
        og.where(og.ones(2) > 0, 1.0)
