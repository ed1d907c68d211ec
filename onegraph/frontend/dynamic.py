"""Functions whose result depends on values: its shape (`nonzero`, `unique`, `x[mask]`), or it is a Python value (`allclose`).

Define-by-run code may call them anywhere: they compute their arguments first. Traced code may not, since there are no
values yet; the error says what to write instead. Read next: `generate.py`, where all other functions come from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError, TraceError
from onegraph.frontend.generate import make_inplace
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor, tensor_from_array, tensor_of_copy, wrap
from onegraph.ir.dtype import bool_, from_numpy, int64
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import iota
from onegraph.ops.movement import expand_to, reshape_to
from onegraph.ops.shapes import broadcast_shapes, normalize_dim, numel, show

Array = np.ndarray[Any, Any]


def look(op: str, tensor: Tensor, instead: str) -> Array:
    """The value of a tensor that decides a result's shape, or a Python result.

    Args:
        op: the function that asks.
        tensor: what to compute.
        instead: what to write in traced code, for the error.

    Raises:
        TraceError: in traced code, where there is no value yet.
    """
    if mode.trace is not None and tensor._traced():
        raise TraceError(f"{op}: needs the values of a tensor {show(tensor.shape)} that is being traced", hint=instead)
    return tensor._array()


def _as_tensor(op: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return tensor_of_copy(value, from_numpy(value.dtype))
    raise ArgumentTypeError(f"{op}: expected a tensor, got {type(value).__name__}")


def _result(array: Any, like: Tensor | None = None) -> Tensor:
    """A tensor with a value that was computed here, in the dtype of another."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    result = tensor_from_array(array, from_numpy(array.dtype))
    return result if like is None or result.dtype is like.dtype else result.to(like.dtype)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """The places of the elements that are not zero, in the order of the elements.

    Args:
        input: any tensor.
        as_tuple: one vector for each dimension, as `x[...]` takes them, instead of one row for each place.

    Returns:
        int64, (places, dimensions), or a tuple of vectors of length `places`.

    Raises:
        TraceError: in traced code.

    >>> import onegraph as og
    >>> og.nonzero(og.tensor([[0, 3], [4, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    tensor = _as_tensor("nonzero", input)
    value = look(
        "nonzero", tensor, "use where(condition, x, other), which keeps the shape, or nonzero_static with a size"
    )
    if as_tuple:
        return tuple([_result(p.astype(np.int64)) for p in np.nonzero(np.atleast_1d(value))])
    return _result(np.stack(np.nonzero(np.atleast_1d(value)), 1)[:, : tensor.ndim].astype(np.int64))


def argwhere(input: Tensor) -> Tensor:
    """As `nonzero(input)`: one row for each element that is not zero."""
    found = nonzero(input)
    assert isinstance(found, Tensor)
    return found


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` places of `nonzero`, filled up with rows of `fill_value`."""
    tensor = _as_tensor("nonzero_static", input)
    found = np.argwhere(look("nonzero_static", tensor, "use where(condition, x, other), which keeps the shape"))
    result = np.full((size, tensor.ndim), fill_value, np.int64)
    kept = min(size, len(found))
    result[:kept] = found[:kept]
    return _result(result)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, in one row; input and mask broadcast.

    Args:
        input: any tensor.
        mask: bool.

    Raises:
        TraceError: when the mask is being traced.
        DTypeError: for a mask that is not bool.

    >>> import onegraph as og
    >>> x = og.tensor([1.0, -2.0, 3.0])
    >>> og.masked_select(x, x > 0)
    tensor([1., 3.])
    """
    tensor, mask = _as_tensor("masked_select", input), _as_tensor("masked_select", mask)
    if mask.dtype is not bool_:
        raise DTypeError(
            f"masked_select: the mask must be bool, got {mask.dtype.name}", hint="compare it first, e.g. mask != 0"
        )
    chosen = look("masked_select", mask, "use where(mask, input, other), which keeps the shape")
    shape = broadcast_shapes("masked_select", tensor.node.shape, mask.node.shape)
    places = np.flatnonzero(np.broadcast_to(chosen, tuple([int(s) for s in shape])))
    flat = reshape_to(expand_to(tensor.node, shape), (numel(shape),))
    if mode.trace is not None:
        mode.trace.seen(tensor)
    # The places are an input of the plan, so another mask with as many places compiles nothing.
    return wrap(TAKE(flat, _result(places.astype(np.int64)).node, dim=0), tensor._requires_grad)


def mask_places(mask: Tensor, shape: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Index nodes, one for each dimension of a mask, that pick what the mask picks; None where it does not fit."""
    if tuple(shape[: mask.ndim]) != tuple(mask.shape):
        return None
    value = look("x[mask]", mask, "use where(mask, x, other), which keeps the shape, or sum(where(mask, x, 0))")
    return tuple([_result(p.astype(np.int64)).node for p in np.nonzero(value)])


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements, or the different slices along a dimension, in ascending order.

    Args:
        input: any tensor.
        sorted: accepted; the result always is.
        return_inverse: also where each element of the input is in the result.
        return_counts: also how often each occurs.
        dim: compare slices along this dimension instead of elements.

    Raises:
        TraceError: in traced code.

    >>> import onegraph as og
    >>> og.unique(og.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    tensor = _as_tensor("unique", input)
    value = look("unique", tensor, "sort has a result of known size")
    axis = None if dim is None else normalize_dim("unique", dim, tensor.ndim)
    if axis is not None and value.size == 0:
        if value.shape[axis]:
            raise ShapeError(
                f"unique: there are no elements in the slices of {show(tensor.shape)} along {dim} to compare"
            )
        none = np.zeros(0, np.int64)
        return _with_extras(tensor, value, none, none, return_inverse, return_counts)
    values, inverse, counts = np.unique(value, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(value.shape if axis is None else -1)
    return _with_extras(tensor, values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """As `unique`, without sorting: only elements equal to the one before them are left out.

    >>> import onegraph as og
    >>> og.unique_consecutive(og.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    tensor = _as_tensor("unique_consecutive", input)
    value = look("unique_consecutive", tensor, "compare neighbours, x[1:] != x[:-1], which has a known size")
    axis = None if dim is None else normalize_dim("unique_consecutive", dim, tensor.ndim)
    rows = value.reshape(-1) if axis is None else np.moveaxis(value, axis, 0)
    flat = rows.reshape(len(rows), -1) if rows.size else rows.reshape(len(rows), 0)
    starts = np.ones(len(rows), bool)
    starts[1:] = (flat[1:] != flat[:-1]).any(axis=1)
    places = np.flatnonzero(starts)
    values = rows[places] if axis is None else np.moveaxis(rows[places], 0, axis)
    inverse = np.cumsum(starts) - 1
    counts = np.diff(np.append(places, len(rows)))
    return _with_extras(
        tensor, values, inverse.reshape(value.shape) if axis is None else inverse, counts, return_inverse, return_counts
    )


def _with_extras(like: Tensor, values: Array, inverse: Array, counts: Array, *wanted: bool) -> Any:
    extras = [_result(a.astype(np.int64)) for a, w in zip((inverse, counts), wanted, strict=True) if w]
    first = _result(values, like)
    return (first, *extras) if extras else first


def _python_result(name: str, function: Callable[..., Tensor], instead: str) -> Callable[..., bool]:
    """A function that gives one bool, as a Python bool."""

    def call(*args: Any, **kwargs: Any) -> bool:
        return bool(look(name, function(*args, **kwargs), instead))

    functools.update_wrapper(call, function)
    return call


def _where(general: Callable[..., Any]) -> Callable[..., Any]:
    def where(condition: Any, input: Any = None, other: Any = None, **kwargs: Any) -> Any:
        if input is None and other is None and not kwargs:
            return nonzero(condition, as_tuple=True)
        if input is None or other is None:
            raise ArgumentError("where: takes a condition alone, or a condition and two values")
        return general(condition, input, other, **kwargs)

    functools.update_wrapper(where, general)
    return where


def _given(known: bool, op: str, tensor: Any, instead: str) -> Array | None:
    """The value of a tensor, unless the size of the result is known without it."""
    return None if known or not isinstance(tensor, Tensor) else look(op, tensor, instead)


def _repeat_interleave(general: Callable[..., Any]) -> Callable[..., Any]:
    def repeat_interleave(
        input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Any:
        if repeats is None:  # how often each index is to be repeated
            count = _as_tensor("repeat_interleave", input)
            if count.ndim != 1:
                raise ShapeError(f"repeat_interleave: repeats must have one dimension, got {tuple(count.shape)}")
            return repeat_interleave(wrap(iota(count.shape[0]), False), count, 0, output_size=output_size)
        value = _given(output_size is not None, "repeat_interleave", repeats, "give output_size, the sum of repeats")
        if value is not None and value.size != 1:
            output_size = int(value.sum())
        elif value is not None:
            repeats = int(value.item())
        return general(input, repeats, dim, output_size=output_size)

    return repeat_interleave


def _bincount(general: Callable[..., Any]) -> Callable[..., Any]:
    def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
        tensor = _as_tensor("bincount", input)
        if mode.trace is not None and tensor._traced():
            return general(tensor, weights, minlength)
        value = tensor._array()
        if value.ndim == 1 and value.dtype.kind in "iu":
            largest = int(value.max()) + 1 if value.size else 0
            if not max(minlength, largest):
                return wrap(cast(numpy_constant(np.zeros(0)), int64 if weights is None else weights.dtype), False)
            minlength = max(minlength, largest)
        return general(tensor, weights, minlength)

    return bincount


def _one_hot(general: Callable[..., Any]) -> Callable[..., Any]:
    def one_hot(tensor: Any, num_classes: int = -1) -> Any:
        value = _given(num_classes != -1, "one_hot", tensor, "give num_classes")
        if value is not None and value.size:
            num_classes = int(value.max()) + 1
        return general(tensor, num_classes)

    return one_hot


def _tensor_split(general: Callable[..., Any]) -> Callable[..., Any]:
    def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> Any:
        value = _given(False, "tensor_split", indices_or_sections, "pass an int or a list of ints")
        if value is not None:
            indices_or_sections = value.tolist()
        return general(input, indices_or_sections, dim)

    return tensor_split


def _index_put(general: Callable[..., Any]) -> Callable[..., Any]:
    def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
        return general(input, without_masks(input, indices, values, accumulate), values, accumulate)

    return index_put


def without_masks(input: Any, indices: Any, values: Any, accumulate: bool) -> tuple[Any, ...]:
    """Indices, masks among them replaced by the places that they pick; a single mask with one value may stay."""
    items = tuple(indices)
    if not any(isinstance(i, Tensor) and i.dtype is bool_ for i in items):
        return items
    if len(items) == 1 and not accumulate and getattr(values, "ndim", 0) == 0:
        return items
    found: list[Any] = []
    for item in items:
        if isinstance(item, Tensor) and item.dtype is bool_:
            places = mask_places(item, tuple(input.shape[len(found) :]))
            if places is None:
                return items
            found += [wrap(p, False) for p in places]
        else:
            found.append(item)
    return tuple(found)


def is_nonzero(input: Tensor) -> bool:
    """Whether the single element of a tensor is not zero."""
    return bool(input)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "argwhere": argwhere,
    "is_nonzero": is_nonzero,
    "masked_select": masked_select,
    "nonzero": nonzero,
    "nonzero_static": nonzero_static,
    "unique": unique,
    "unique_consecutive": unique_consecutive,
}
_REPLACED: dict[tuple[str, str], Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    ("", "bincount"): _bincount,
    ("", "index_put"): _index_put,
    ("", "repeat_interleave"): _repeat_interleave,
    ("", "tensor_split"): _tensor_split,
    ("nn.functional", "one_hot"): _one_hot,
}


def install(namespaces: dict[str, dict[str, Any]]) -> None:
    """Put these functions in the place of the generated ones, and give them to Tensor as methods."""
    top = namespaces[""]
    found = dict(_FUNCTIONS)
    for name in ("allclose", "equal"):
        found[name] = _python_result(name, top[name], "use isclose or ==, which give tensors")
    found["where"] = _where(top["where"])
    for (space, name), make in _REPLACED.items():
        general = namespaces[space][name]
        call = namespaces[space][name] = make(general)
        functools.update_wrapper(call, general)
        if space == "":
            found[name] = call
    for name, function in found.items():
        top[name] = function
        setattr(Tensor, name, function)
    Tensor.index_put_ = make_inplace(top["index_put"], "index_put_")  # type: ignore[attr-defined]
    Tensor.where = _where_method(top["where"])  # type: ignore[attr-defined]


def _where_method(where: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, condition: Any, other: Any) -> Any:
        """As `where(condition, self, other)`."""
        return where(condition, self, other)

    return method
