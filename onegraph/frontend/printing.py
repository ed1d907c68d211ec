"""Tensors as text, laid out as users of PyTorch expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onegraph.ir.dtype import bool_, get_default_dtype, int64

if TYPE_CHECKING:
    from onegraph.frontend.tensor import Tensor


def tensor_text(tensor: Tensor) -> str:
    """`tensor([1., 2.])` and the like."""
    array = tensor._array()
    body = np.array2string(
        array, separator=", ", precision=4, threshold=1000, edgeitems=3, max_line_width=73, prefix="tensor("
    )
    parts = [body]
    if not array.size and array.ndim != 1:
        parts = ["[]", f"size={tuple(tensor.shape)}"]
    if tensor.dtype not in (get_default_dtype(), int64, bool_) or (not array.size and tensor.dtype is int64):
        parts.append(f"dtype={tensor.dtype!r}")
    if tensor.requires_grad:
        parts.append("requires_grad=True" if tensor.is_leaf else f"grad_fn={tensor.grad_fn!r}")  # type: ignore[attr-defined]
    return f"tensor({', '.join(parts)})"
