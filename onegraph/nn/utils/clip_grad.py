"""Clipping gradients by norm or by value, as pending work that the optimizer's step computes in its plan."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

from onegraph.errors import NotFiniteError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import float32
from onegraph.ir.node import Node
from onegraph.nn.nodes import node_of
from onegraph.ops.binary import ADD, DIV, MAXIMUM, MUL, POW, add, clamp
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import ABS, SQRT
from onegraph.ops.leaf import constant
from onegraph.ops.movement import reshape_to
from onegraph.ops.reduction import MAX, SUM
from onegraph.ops.statistics import widened


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in tensors if p.grad is not None]


def _norm(x: Node, norm_type: float) -> Node:
    """The p-norm of all elements, in float32 or wider."""
    flat = reshape_to(widened(x), (x.size,))
    if norm_type == math.inf:
        return MAX(ABS(flat), dims=(0,), keepdim=False)
    if norm_type == 2:
        return SQRT(SUM(MUL(flat, flat), dims=(0,), keepdim=False))
    powers = POW(ABS(flat), constant(norm_type, flat.dtype))
    return POW(SUM(powers, dims=(0,), keepdim=False), constant(1 / norm_type, flat.dtype))


def _join(norms: list[Node], norm_type: float) -> Node:
    """The norm of norms."""
    if norm_type == math.inf:
        total = norms[0]
        for n in norms[1:]:
            total = MAXIMUM(total, n)
        return total
    powers = [MUL(n, n) if norm_type == 2 else POW(n, constant(norm_type, n.dtype)) for n in norms]
    total = powers[0]
    for p in powers[1:]:
        total = ADD(total, p)
    return SQRT(total) if norm_type == 2 else POW(total, constant(1 / norm_type, total.dtype))


def _total_norm(gradients: list[Tensor], norm_type: float) -> Node:
    norms = [_norm(node_of(g), norm_type) for g in gradients]
    wide = next((n.dtype for n in norms if n.dtype is not float32), float32)
    return _join([cast(n, wide) for n in norms], norm_type)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors together."""
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    total = wrap(_total_norm(found, float(norm_type)), False) if found else Tensor(0.0)
    _check(total, error_if_nonfinite)
    return total


def _check(total: Tensor, error_if_nonfinite: bool) -> None:
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise NotFiniteError(
            f"the norm of the gradients is {total.item()}, so they cannot be clipped",
            hint="look for NaN in the loss and the inputs",
        )


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale gradients so that their common norm is at most `max_norm`; returns the norm before.

    Args:
        parameters: tensors whose `.grad` is scaled.
        max_norm: the largest norm.
        norm_type: p of the norm; infinity for the largest magnitude.
        error_if_nonfinite: raise NotFiniteError for a NaN or an infinity (this computes the gradients now).
        foreach: accepted; the gradients are always clipped together.

    Source: Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor(0.0)
    with no_grad():
        total = wrap(_total_norm(gradients, float(norm_type)), False)
        _check(total, error_if_nonfinite)
        _scale(gradients, float(max_norm), total)
    return total


def _scale(gradients: list[Tensor], max_norm: float, total: Tensor) -> None:
    """Scale gradients whose common norm is known."""
    node = node_of(total)
    factor = clamp(DIV(constant(max_norm, node.dtype), add(node, 1e-6)), max=1.0)
    for gradient in gradients:
        gradient._assign(MUL(node_of(gradient), cast(factor, gradient.dtype)))


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients whose common norm is known, so that it is at most `max_norm`.

    Args:
        parameters: tensors whose `.grad` is scaled.
        max_norm: the largest norm.
        total_norm: what `get_total_norm` gave for the gradients.
        foreach: accepted; the gradients are always clipped together.
    """
    with no_grad():
        _scale(_gradients(parameters), float(max_norm), total_norm)


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """As `clip_grad_norm_`; an old name."""
    warnings.warn("clip_grad_norm is deprecated: use clip_grad_norm_", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: Any = None) -> None:
    """Limit each element of the gradients to [-clip_value, clip_value]."""
    limit = float(clip_value)
    with no_grad():
        for gradient in _gradients(parameters):
            gradient._assign(clamp(node_of(gradient), -limit, limit))
