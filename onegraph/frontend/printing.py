"""Tensors as text, laid out as users of PyTorch expect: the same digits, columns, line breaks and suffixes.

`set_printoptions` changes how much is shown. Read next: `tensor.py`, whose `__repr__` calls this.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import bool_, get_default_dtype, int64

if TYPE_CHECKING:
    from onegraph.frontend.tensor import Tensor

_PREFIX = "tensor("
_LARGEST_RATIO = 1000.0  # beyond these, a column of plain decimals is hard to read: digits and exponents then
_LARGEST, _SMALLEST = 1e8, 1e-4

Format = Callable[[Any], str]


@dataclass(frozen=True)
class PrintOptions:
    """How tensors are shown.

    Attributes:
        precision: digits after the point.
        threshold: tensors with more elements than this show only their edges.
        edgeitems: how many elements at each end of a dimension are shown then.
        linewidth: characters of a line.
        sci_mode: digits and exponents always (True), never (False), or when the range of the values asks for it (None).
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

options = PrintOptions()
"""The options in force."""


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are shown; what is left out stays as it is, except sci_mode, which goes back to automatic.

    Args:
        precision: digits after the point.
        threshold: tensors with more elements than this show only their edges.
        edgeitems: elements shown at each end of a dimension.
        linewidth: characters of a line.
        profile: "default", "short" or "full": values for all of the above, which the others then change.
        sci_mode: digits and exponents always (True), never (False), or when the range asks for it (None).

    Raises:
        ArgumentError: for a profile of another name.

    >>> import onegraph as og
    >>> og.set_printoptions(precision=2)
    >>> og.tensor([1 / 3, 2.0])
    tensor([0.33, 2.00])
    >>> og.set_printoptions(profile="default")
    """
    global options
    if profile is not None and profile not in _PROFILES:
        raise ArgumentError(f"set_printoptions: there is no profile {profile!r}", hint="use default, short or full")
    chosen = options if profile is None else _PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options = replace(chosen, sci_mode=sci_mode, **changes)


def tensor_text(tensor: Tensor) -> str:
    """`tensor([1., 2.])` and the like.

    >>> import onegraph as og
    >>> og.tensor([[0.5, float("inf")], [-2.0, 0.0]])
    tensor([[ 0.5000,     inf],
            [-2.0000,  0.0000]])
    """
    array = tensor._array()
    suffixes = []
    if array.size:
        body = array_text(array)
        if tensor.dtype not in (get_default_dtype(), int64, bool_):
            suffixes.append(f"dtype={tensor.dtype!r}")
    else:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        if tensor.dtype is not get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype!r}")
    if tensor.requires_grad:
        suffixes.append("requires_grad=True" if tensor.is_leaf else f"grad_fn={tensor.grad_fn!r}")
    return _with_suffixes(_PREFIX + body, suffixes)


def array_text(array: np.ndarray[Any, Any], indent: int = len(_PREFIX)) -> str:
    """The elements in brackets; lines after the first are indented."""
    shorten = array.size > options.threshold
    shown = _edges(array) if shorten else array
    form, width = _number_format(shown)
    if array.ndim == 0:
        return form(array.item())
    return _nested(array, indent, form, width, shorten)


def _with_suffixes(text: str, suffixes: list[str]) -> str:
    """The text, with what is to be known besides the values, on a line of its own where the last one is full."""
    used = len(text) - text.rfind("\n") + 1  # PyTorch leaves two characters of the first such line free
    for suffix in suffixes:
        if used + len(suffix) + 2 > options.linewidth:
            text += ",\n" + " " * len(_PREFIX) + suffix
            used = len(_PREFIX) + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text + ")"


def _edges(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements that are shown of an array too large to show."""
    edge = options.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis)
    return array


def _nested(array: np.ndarray[Any, Any], indent: int, form: Format, width: int, shorten: bool) -> str:
    """One pair of brackets and what is in it."""
    edge = options.edgeitems
    skip = shorten and len(array) > 2 * edge
    kept = [*range(edge), *range(len(array) - edge, len(array))] if skip else list(range(len(array)))
    if array.ndim == 1:
        items = [form(array[i].item()) for i in kept]
        if skip:
            items.insert(edge, " ...")
        per_line = max(1, (options.linewidth - indent) // (width + 2))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [_nested(array[i], indent + 1, form, width, shorten) for i in kept]
    if skip:
        parts.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _number_format(shown: np.ndarray[Any, Any]) -> tuple[Format, int]:
    """How one element is written, and the width of a column."""
    if shown.dtype.kind != "f":
        width = max((len(str(v)) for v in shown.ravel().tolist()), default=0)
        return lambda v: str(v).rjust(width), width
    values = shown.astype(np.float64).ravel()
    values = values[np.isfinite(values) & (values != 0)]
    whole = bool((values == np.ceil(values)).all())
    exponents = _needs_exponents(np.abs(values), whole)
    width = max((len(_float_text(v, whole, exponents)) for v in values.tolist()), default=1)
    return lambda v: _float_text(v, whole, exponents).rjust(width), width


def _needs_exponents(sizes: np.ndarray[Any, Any], whole: bool) -> bool:
    if not sizes.size:  # nothing but zeros, infinities and nan, which stay short
        return False
    if options.sci_mode is not None:
        return options.sci_mode
    largest, smallest = float(sizes.max()), float(sizes.min())
    return largest / smallest > _LARGEST_RATIO or largest > _LARGEST or (not whole and smallest < _SMALLEST)


def _float_text(value: float, whole: bool, exponents: bool) -> str:
    if exponents:
        return f"{value:.{options.precision}e}"
    if whole:
        return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
    return f"{value:.{options.precision}f}"
