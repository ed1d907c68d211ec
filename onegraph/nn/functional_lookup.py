"""The functions of `nn.functional` that may rewrite a table before they read it, and `linear_cross_entropy`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.nodes import node_of
from onegraph.ops.embedding_bag import renormalized
from onegraph.ops.shapes import show

_generated = namespaces["nn.functional"]


def _renormalize(table: Tensor, index: Tensor, max_norm: float | None, norm_type: float) -> None:
    """Scale the rows that are looked up down to a norm, in the table itself."""
    if max_norm is not None:
        with no_grad():
            table._assign(renormalized(node_of(table), node_of(index), float(max_norm), float(norm_type)))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of a table that indices list.

    Args:
        input: int64 or int32 of any shape.
        weight: table of shape (rows, width).
        padding_idx: a row that gets no gradient.
        max_norm, norm_type: scale the rows that are listed down to this norm first, in the table itself.
        scale_grad_by_freq: divide a row's gradient by how often the row is listed.
        sparse: accepted; gradients are dense.

    Returns:
        The shape of `input`, then the width.
    """
    _renormalize(weight, input, max_norm, norm_type)
    result: Tensor = _generated["embedding"](input, weight, padding_idx, None, norm_type, scale_grad_by_freq, sparse)
    return result


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of a table that each bag lists; see `onegraph/ops/embedding_bag.py`."""
    _renormalize(weight, input, max_norm, norm_type)
    options = (mode, sparse, per_sample_weights, include_last_offset, padding_idx)
    result: Tensor = _generated["embedding_bag"](input, weight, offsets, None, norm_type, scale_grad_by_freq, *options)
    return result


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Cross entropy of the logits that a linear layer gives.

    Args:
        input: (batch, in_features) or (in_features,).
        linear_weight: (classes, in_features), or (classes, d1, ..., in_features) for logits (batch, classes, d1, ...).
        target: classes (batch, d1, ...), or probabilities shaped like the logits.
        linear_bias: (classes, d1, ...) or None.
        weight, reduction, label_smoothing: as for `cross_entropy`.
        ignore_index: a target that does not count; -100 when None.
        options: accepted: the compiler plans the memory itself.
    """
    shapes = f"linear_cross_entropy: input {show(input.shape)}, weight {show(linear_weight.shape)}"
    if input.ndim not in (1, 2) or linear_weight.ndim < 2 or input.shape[-1] != linear_weight.shape[-1]:
        raise ShapeError(f"{shapes}: needed are (batch, features) or (features,), and (classes, ..., features)")
    sizes = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != sizes:
        raise ShapeError(f"{shapes}: the bias {show(linear_bias.shape)} must be {show(sizes)}")
    if len(sizes) > 1 and input.ndim == 1:
        raise ShapeError(f"{shapes}: more dimensions than one need an input with a batch")
    logits = _generated["linear"](
        input,
        linear_weight.reshape(-1, linear_weight.shape[-1]),
        None if linear_bias is None else linear_bias.reshape(-1),
    ).reshape(*input.shape[:-1], *sizes)
    if ignore_index is not None and target.shape == logits.shape and target.dtype.is_floating_point:
        raise ArgumentError("linear_cross_entropy: ignore_index does not go with targets that are probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    result: Tensor = _generated["cross_entropy"](
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )
    return result
