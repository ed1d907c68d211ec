"""Subscripts, gathering and lookup: against NumPy and PyTorch, masks, duplicates, indices out of range, unknown sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    OutOfRangeError,
    ShapeError,
    UnsupportedError,
)
from onegraph.ir.dim import Dim, evaluate_sizes
from onegraph.ir.dtype import bool_, float64, int32, int64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ops import gathering, indexing, lookup
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.movement import full
from onegraph.ops.subscript import get_item, set_item
from onegraph.passes.specialize import specialize
from tests.ops.torch_oracle import compare, random, torch

F = torch.nn.functional


def check(module: Any, name: str, *arguments: Any, **keywords: Any) -> None:
    """The function and PyTorch's function of the same name agree."""
    compare(getattr(module, name), getattr(torch, name), *arguments, **keywords)


def run_time(array: np.ndarray) -> tuple[Node, dict[Node, np.ndarray]]:
    """An input, and the feed that gives it this value."""
    node = input_node(array.shape, {"i": int64, "b": bool_, "f": float64}[array.dtype.kind])
    return node, {node: array}


# Indices that NumPy and PyTorch read alike, of an array of shape (3, 4, 5).
INDICES: list[Any] = [
    0,
    -1,
    (),
    (0, 1, 2),
    (slice(None), -2),
    slice(1, None, 2),
    slice(5, 9),
    (slice(2, 0), ...),
    (..., 0),
    (None, 1, ..., None),
    True,
    False,
    (0, True),
    [0, 2, 0],
    np.array([[0, -1], [2, 1]]),
    np.array([], np.int64),
    ([0, 2], [1, -1]),
    (slice(None), [3, 0], [1, 2]),
    ([0, 2], slice(None), [1, 2]),
    ([[0], [1]], [2, 3]),
    (slice(1, 3), [0, 1], slice(None, None, 2)),
    (slice(None), None, [1, 0], [1, 0]),
    ([1, 0], None, [1, 0]),
    (np.arange(12).reshape(3, 4) % 5 > 2),
    np.array([True, False, True]),
    (np.array([True, False, True]), slice(None), [0, 1]),
    (slice(None), np.array([True, False, False, True])),
    np.arange(60).reshape(3, 4, 5) > 57,
    (np.int64(2), np.array(1)),
    range(2),
]


@pytest.mark.parametrize("index", INDICES, ids=lambda i: str(i).replace("\n", "")[:40])
def test_subscripts(index: Any) -> None:
    x = random(3, 4, 5)
    key = list(index) if isinstance(index, range) else index
    compare(lambda x: get_item(x, index), lambda x: x[key], x)
    part = x[key]

    def write(x: Any, value: Any) -> Any:
        y = x.clone()
        y[key] = value
        return y

    once = np.size(part) == np.unique(np.arange(60).reshape(3, 4, 5)[key]).size
    # PyTorch gives every writer of a place the gradient, ours the last one only.
    for value in (random(*np.shape(part), seed=5), random(seed=5)):
        compare(lambda x, v: set_item(x, index, v), write, x, value, gradients=once and np.size(part) > 0)


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_slices_as_numpy(data: st.DataObject) -> None:
    """Every start, stop and step, negative steps too, for reading and for writing."""
    size = data.draw(st.integers(0, 6))
    border = st.none() | st.integers(-9, 9)
    item = slice(data.draw(border), data.draw(border), data.draw(border.filter(lambda s: s != 0)))
    x = np.arange(size * 2).reshape(size, 2)
    found = evaluate([get_item(numpy_constant(x), item), set_item(numpy_constant(x), item, -1)])
    expected = x.copy()
    expected[item] = -1
    np.testing.assert_array_equal(found[0], x[item])
    np.testing.assert_array_equal(found[1], expected)


def test_indices_known_at_run_time() -> None:
    x = random(3, 4)
    node, feed = run_time(np.array([[2, -1], [0, -3]]))
    place, feed_place = run_time(np.array(-2))
    found = evaluate(
        [
            get_item(numpy_constant(x), (slice(None), node)),
            get_item(numpy_constant(x), ([0, 1], node)),
            get_item(numpy_constant(x), (place, 1)),
            get_item(numpy_constant(x), [place, place]),
        ],
        {**feed, **feed_place},
    )
    values = feed[node]
    for value, expected in zip(found, [x[:, values], x[[0, 1], values], x[-2, 1], x[[-2, -2]]], strict=True):
        np.testing.assert_array_equal(value, expected)


def test_ints_beside_index_tensors_are_slices() -> None:
    """As in PyTorch: NumPy would move the picked dimension to the front."""
    compare(lambda x: get_item(x, (0, slice(None), [0, 2])), lambda x: x[0, :, [0, 2]], random(2, 3, 4))


def test_setting_by_a_mask_known_at_run_time() -> None:
    x = random(3, 4, 5)
    for shape, at in (((3,), 0), ((3, 4), 0), ((3, 4, 5), 0), ((4,), 1)):
        mask = random(*shape, seed=2) > 0
        node, feed = run_time(mask)
        key = (slice(None),) * at
        for value in (2.5, random(*x.shape[at + len(shape) :], seed=3), random(1, *x.shape[at + len(shape) :])):
            expected = x.copy()
            expected[(*key, mask)] = value
            given = numpy_constant(value) if isinstance(value, np.ndarray) else value
            found = evaluate([set_item(numpy_constant(x), (*key, node), given)], feed)[0]
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(UnsupportedError, match="one row for each true element"):
        set_item(numpy_constant(x), (slice(None), node), numpy_constant(random(3, 2, 5)))
    with pytest.raises(UnsupportedError, match="depends on the values of the mask"):
        get_item(numpy_constant(x), (slice(None), node))


def test_set_item_casts_and_strips_leading_ones() -> None:
    x = np.arange(6).reshape(2, 3)
    found = evaluate([set_item(numpy_constant(x), 0, numpy_constant(np.array([[[1.9, -1.9, 0.0]]])))])[0]
    assert found.dtype == np.int64 and found.tolist() == [[1, -1, 0], [3, 4, 5]]


def test_duplicates() -> None:
    """Of several writers the last wins, and only its value has a gradient; accumulating counts each."""
    x, values, index = numpy_constant(np.zeros(3)), numpy_constant(np.array([1.0, 2.0, 3.0])), [1, 0, 1]
    last, total = set_item(x, index, values), set_item(x, index, values, accumulate=True)
    (slope,) = gradient([last], [numpy_constant(np.array([1.0, 10.0, 100.0]))], [values])
    assert slope is not None
    found = [a.tolist() for a in evaluate([last, total, slope])]
    assert found == [[2, 3, 0], [2, 4, 0], [0, 1, 10]]


N = Dim.unknown("n")


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(None),
        slice(1, None),
        slice(None, -1),
        slice(None, None, -1),
        slice(None, None, 2),
        (..., 1),
        (None, -1),
    ],
    ids=str,
)
def test_unknown_sizes(index: Any) -> None:
    x, array = input_node((N, 3), float64), random(4, 3)
    y, z = get_item(x, index), set_item(x, index, 7.0)
    known = specialize(Graph([x], [y, z]), {"n": 4})
    part, whole = evaluate(known.outputs, {known.inputs[0]: array})
    expected = array.copy()
    expected[index] = 7.0
    np.testing.assert_array_equal(part, array[index])
    np.testing.assert_array_equal(whole, expected)
    assert evaluate_sizes(y.shape, {"n": 4}) == part.shape


def test_unknown_batch_with_picked_classes() -> None:
    """What a loss does: the score of the right class of every row."""
    scores, classes = input_node((N, 5), float64), input_node((N,), int64)
    picked = gathering.gather(scores, 1, get_item(classes, (slice(None), None)))
    assert picked.shape == (N, 1)
    known = specialize(Graph([scores, classes], [picked]), {"n": 3})
    array, labels = random(3, 5), np.array([4, 0, 2])
    (found,) = evaluate(known.outputs, dict(zip(known.inputs, (array, labels), strict=True)))
    np.testing.assert_array_equal(found[:, 0], array[np.arange(3), labels])


INDEX = np.array([[0, 2, 1], [1, 0, 0]])


@pytest.mark.filterwarnings("ignore:The reduce argument")  # PyTorch's
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gather_and_scatter(dim: int) -> None:
    x, src, larger = random(3, 4), random(2, 3, seed=4), random(2, 5, seed=4)
    check(gathering, "gather", x, dim, INDEX)
    check(gathering, "gather", x, dim, INDEX.astype(np.int32))
    unique = np.array([[0, 2, 1], [1, 0, 2]]) if dim == 0 else np.array([[0, 2, 1], [1, 3, 0]])
    check(gathering, "scatter", x, dim, unique, src)
    check(gathering, "scatter", x, dim, unique, larger, gradients=False)  # PyTorch has none here
    check(gathering, "scatter", x, dim, INDEX, 1.5)
    check(gathering, "scatter", x, dim, INDEX, value=1.5)
    check(gathering, "scatter", x, dim, INDEX, src, reduce="add", gradients=False)
    check(gathering, "scatter", x, dim, INDEX, src, reduce="multiply", gradients=False)
    check(gathering, "scatter_add", x, dim, INDEX, src)
    check(gathering, "scatter_add", x, dim, INDEX, larger, gradients=False)


@pytest.mark.filterwarnings("ignore:index_reduce")  # PyTorch's
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce(reduce: str, include_self: bool) -> None:
    x, src = random(3, 4), random(2, 3, seed=4)
    check(gathering, "scatter_reduce", x, 0, INDEX, src, reduce, include_self=include_self)
    check(gathering, "scatter_reduce", x, 1, INDEX, src, reduce, include_self=include_self)
    whole, more = np.arange(12).reshape(3, 4), np.array([[5, -3, 2], [7, 1, -8]])
    check(gathering, "scatter_reduce", whole, 0, INDEX, more, reduce, include_self=include_self)
    if reduce != "sum":
        index, source = np.array([2, 0, 2]), random(3, 4, seed=6)
        check(gathering, "index_reduce", x, 0, index, source, reduce, include_self=include_self)


def test_products_with_zeros_have_gradients() -> None:
    """d/du of b * u * v is b * v even where u is 0, which dividing the product by u would miss."""
    base, updates = numpy_constant(np.array([2.0, 3.0])), numpy_constant(np.array([0.0, 5.0, 0.0, 0.0]))
    out = gathering.scatter_reduce(base, 0, numpy_constant(np.array([0, 0, 1, 1])), updates, "prod")
    slopes = gradient([out], [numpy_constant(np.ones(2))], [base, updates])
    found = evaluate([out, *[s for s in slopes if s is not None]])
    assert [a.tolist() for a in found] == [[0, 0], [0, 0], [10, 0, 0, 0]]


def test_ties_share_the_gradient_of_a_maximum() -> None:
    base, updates = numpy_constant(np.array([1.0])), numpy_constant(np.array([1.0, 0.0, 1.0, 1.0]))
    out = gathering.scatter_reduce(base, 0, numpy_constant(np.zeros(4, np.int64)), updates, "amax")
    slopes = gradient([out], [numpy_constant(np.ones(1))], [base, updates])
    assert [a.tolist() for a in evaluate([s for s in slopes if s is not None])] == [[0.25], [0.25, 0, 0.25, 0.25]]


def test_by_slices() -> None:
    x, index = random(3, 4), np.array([2, 0])
    check(gathering, "index_select", x, 1, np.array([3, 0, 3]))
    check(gathering, "index_select", random(), 0, np.array([0]))
    check(gathering, "index_add", x, 0, np.array([2, 2]), random(2, 4, seed=1), alpha=2)
    check(gathering, "index_copy", x, 1, index, random(3, 2, seed=1))
    check(gathering, "index_fill", x, 0, index, 1.5)
    check(gathering, "index_fill", x, 0, index, random(seed=2))
    check(gathering, "select_scatter", x, random(3, seed=1), 1, -2)
    check(gathering, "slice_scatter", x, random(3, 2, seed=1), 1, 0, None, 2)
    check(gathering, "slice_scatter", x, random(2, 4, seed=1), end=-1)


def test_by_places() -> None:
    x = random(3, 4)
    check(gathering, "take", x, np.array([[0, -1], [5, 5]]))
    check(gathering, "put", x, np.array([[0, -1], [5, 6]]), random(2, 2, seed=1))
    check(gathering, "put", x, np.array([5, 5]), random(2, seed=1), accumulate=True)
    check(gathering, "take_along_dim", x, np.array([[0], [2], [1]]), 1)
    check(gathering, "take_along_dim", x, np.array([[0, 2, 1, 1]]), 0)
    check(gathering, "take_along_dim", x, np.array([0, 7]))
    rows, columns = np.array([0, 2]), np.array([[3], [0]])
    compare(
        lambda x, r, c, v: gathering.index_put(x, (r, c), v),
        lambda x, r, c, v: x.index_put((r, c), v),
        *(x, rows, columns, random(2, 2, seed=1)),
    )
    compare(
        lambda x, r, v: gathering.index_put(x, (r,), v, accumulate=True),
        lambda x, r, v: x.index_put((r,), v, accumulate=True),
        *(x, np.array([1, 1]), random(4, seed=1)),
    )


def test_masks() -> None:
    x, mask = random(3, 4), random(3, 4, seed=9) > 0
    check(lookup, "masked_fill", x, mask, -1.5)
    check(lookup, "masked_fill", x, mask[0], random(seed=1))
    check(lookup, "masked_fill", np.arange(4), np.arange(4) > 2, 9)
    check(lookup, "masked_select", x, mask)
    check(lookup, "masked_select", x, mask[:, :1])
    compare(lookup.masked_scatter, lambda x, m, s: x.masked_scatter(m, s), x, mask, random(20, seed=1))
    node, feed = run_time(mask)
    found = evaluate([lookup.masked_scatter(numpy_constant(np.zeros((3, 4))), node, numpy_constant(x))], feed)[0]
    np.testing.assert_array_equal(found[mask], x.ravel()[: mask.sum()])
    with pytest.raises(UnsupportedError, match="use where"):
        lookup.masked_select(numpy_constant(x), node)


def test_embedding() -> None:
    index, table = np.array([[1, 4, 1], [0, 3, 3]]), random(5, 2)
    compare(lookup.embedding, F.embedding, index, table)
    compare(lookup.embedding, F.embedding, index, table, padding_idx=1)
    compare(lookup.embedding, F.embedding, index, table, padding_idx=-2)
    compare(lookup.embedding, F.embedding, index.astype(np.int32), table, scale_grad_by_freq=True)
    with pytest.raises(UnsupportedError, match="max_norm"):
        lookup.embedding(numpy_constant(index), numpy_constant(table), max_norm=1.0)


def test_one_hot() -> None:
    compare(lookup.one_hot, F.one_hot, np.array([[1, 4], [0, 3]]))
    compare(lookup.one_hot, F.one_hot, np.array([1, 0]), 3)
    compare(lookup.one_hot, F.one_hot, np.array(2), 3)
    node, feed = run_time(np.array([0, 3]))
    with pytest.raises(UnsupportedError, match="num_classes"):
        lookup.one_hot(node)
    with pytest.raises(OutOfRangeError, match="index 3 is out of range for size 3"):
        evaluate([lookup.one_hot(node, 3)], feed)


@pytest.mark.parametrize("right", [False, True])
def test_searching(right: bool) -> None:
    ordered, values = np.sort(random(7)), np.append(random(5, seed=2), [np.nan, np.inf, -np.inf])
    ordered = np.sort(np.append(ordered, [values[0], values[0]]))
    check(lookup, "searchsorted", ordered, values, right=right, gradients=False)
    check(lookup, "searchsorted", ordered, 0.1, right=right, gradients=False)
    check(lookup, "searchsorted", ordered, values.reshape(2, 4), side="right" if right else "left", gradients=False)
    rows = np.sort(random(2, 7))
    check(lookup, "searchsorted", rows, values.reshape(2, 4), out_int32=True, right=right, gradients=False)
    shuffled = random(7)
    check(lookup, "searchsorted", shuffled, values, sorter=np.argsort(shuffled), right=right, gradients=False)
    check(lookup, "bucketize", values.reshape(2, 4), ordered, right=right, gradients=False)


def test_counting() -> None:
    check(lookup, "isin", np.array([[1, 2], [3, 4]]), np.array([2, 4, 9]))
    check(lookup, "isin", np.array([1, 2]), np.array([2]), invert=True)
    check(lookup, "isin", np.array([1, 2]), np.array([], np.int64))
    x = np.array([3, 1, 3, 0])
    check(lookup, "bincount", x)
    check(lookup, "bincount", x, minlength=6)
    check(lookup, "bincount", x, random(4, dtype=np.float32), gradients=False)
    check(lookup, "bincount", x, np.arange(4), gradients=False)
    check(lookup, "bincount", np.array([], np.int64))
    node, feed = run_time(x)
    assert evaluate([lookup.bincount(node, minlength=5)], feed)[0].tolist() == [1, 1, 0, 2, 0]
    with pytest.raises(OutOfRangeError, match="index 3"):
        evaluate([lookup.bincount(node, minlength=2)], feed)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, i: gathering.gather(x, 0, i),
        lambda x, i: gathering.scatter(x, 1, i, 1.0),
        lambda x, i: gathering.index_select(x, 0, get_item(i, (..., 0))),
        lambda x, i: get_item(x, (i, 0)),
        lambda x, i: get_item(x, (slice(None), i)),
        lambda x, i: set_item(x, (i, i), 1.0),
        lambda x, i: lookup.embedding(i, x),
        lambda x, i: gathering.take(get_item(x, (0, slice(2))), i),
    ],
)
@pytest.mark.parametrize("bad", [7, -7])
def test_indices_out_of_range_are_found_at_run_time(call: Callable[[Node, Node], Node], bad: int) -> None:
    """Also where neighbouring rows would hide them."""
    index = input_node((2, 1), int64)
    y = call(numpy_constant(random(3, 4)), index)
    evaluate([y], {index: np.array([[1], [0]])})
    with pytest.raises(OutOfRangeError, match="is out of range for size"):
        evaluate([y], {index: np.array([[1], [bad]])})


@pytest.mark.parametrize(
    ("index", "error", "words"),
    [
        (3, OutOfRangeError, r"index 3 is out of range for size 3 of dimension 0 of \(3, 4\)"),
        ((0, -5), OutOfRangeError, "index -5"),
        ([0, 3], OutOfRangeError, "index 3"),
        ((0, 0, 0), OutOfRangeError, "too many indices"),
        ((..., ...), OutOfRangeError, "one ellipsis"),
        (1.0, ArgumentTypeError, "cannot index with float"),
        ("a", ArgumentTypeError, "cannot index with str"),
        ([0.5], DTypeError, "int or bool"),
        (np.array([True, False]), OutOfRangeError, r"mask of shape \(2,\)"),
        (([0, 1], [0, 1, 2]), ShapeError, "do not broadcast"),
        (slice(None, None, 0), ArgumentError, "other than 0"),
        (slice(0.5), ArgumentTypeError, "borders and steps"),
        (input_node((2,), float64), DTypeError, "int or bool"),
        (slice(input_node((), int64)), UnsupportedError, "narrow"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_subscript_errors(index: Any, error: type[Exception], words: str) -> None:
    x = numpy_constant(random(3, 4))
    for call in (lambda: get_item(x, index), lambda: set_item(x, index, 0.0)):
        with pytest.raises(error, match=words):
            call()


ROW = numpy_constant(np.array([0, 1]))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: set_item(x, 0, random(3)), ShapeError, r"\(3,\) does not broadcast to \(4,\)"),
        (lambda x: gathering.gather(x, 0, ROW), ShapeError, "as many dimensions"),
        (lambda x: gathering.gather(x, 0, full((2, 5), 0)), ShapeError, "larger than the input"),
        (lambda x: gathering.gather(x, 0, x), DTypeError, "int64 or int32"),
        (lambda x: gathering.scatter(x, 0, full((2, 2), 0)), ArgumentError, "either src or value"),
        (lambda x: gathering.scatter(x, 0, full((2, 2), 0), 1.0, reduce="mean"), ArgumentError, "scatter_reduce"),
        (lambda x: gathering.scatter(x, 0, full((2, 2), 0), full((1, 2), 0.0, float64)), ShapeError, "larger than src"),
        (lambda x: gathering.scatter_add(x, 0, full((2, 2), 0), full((2, 2), 0)), DTypeError, "float64 and src int64"),
        (lambda x: gathering.scatter_reduce(x, 0, full((2, 2), 0), x, "max"), ArgumentError, "'amax'"),
        (lambda x: gathering.index_select(x, 0, full((2, 2), 0)), ShapeError, "must be a vector"),
        (lambda x: gathering.index_copy(x, 0, ROW, x), ShapeError, r"needs a source \(2, 4\)"),
        (lambda x: gathering.put(x, ROW, x), ShapeError, "as many elements"),
        (lambda x: gathering.select_scatter(x, x, 0, 5), OutOfRangeError, "index 5"),
        (lambda x: lookup.masked_fill(x, x, 0.0), DTypeError, "must be bool"),
        (lambda x: lookup.masked_fill(ROW, full((2,), True), 0.5), DTypeError, "does not fit into int64"),
        (lambda x: lookup.embedding(ROW, get_item(x, 0)), ShapeError, "must be a matrix"),
        (lambda x: lookup.embedding(x, x), DTypeError, "int64 or int32"),
        (lambda x: lookup.searchsorted(x, ROW), ShapeError, "must be a vector"),
        (lambda x: lookup.bincount(x), ShapeError, "vector of integers"),
        (lambda x: indexing.TAKE(x, ROW, full((2,), 0, int32), ROW, dim=0), ShapeError, "3 indices from dimension 0"),
        (lambda x: indexing.SCATTER(x, ROW, x, dim=0, mode="set"), ShapeError, r"must be \(2, 4\), got \(3, 4\)"),
        (lambda x: indexing.SCATTER(x, ROW, x, dim=0, mode="max"), ArgumentError, "mode must be one of"),
    ],
)
def test_errors(call: Callable[[Node], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(numpy_constant(random(3, 4)))
