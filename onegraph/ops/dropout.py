"""Dropout and its relatives. Each draws its mask from a key; front ends pass the input on unchanged in
evaluation.

Read next: `random.py` (keys and uniform numbers).
"""

from __future__ import annotations

import math

from onegraph.errors import DTypeError, ShapeError
from onegraph.ir.dtype import float32
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import GE, MUL, add, mul
from onegraph.ops.elementwise import WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to
from onegraph.ops.random import check_probability, unit
from onegraph.ops.shapes import show

SATURATION = -1.7580993408473766
"""What SELU tends to for very negative inputs, -scale * alpha (Klambauer et al. 2017)."""


def _check(op: str, x: Node, p: float) -> None:
    if not x.dtype.is_floating_point:
        raise DTypeError(f"{op}: needs floating numbers, got {x.dtype.name} {show(x.shape)}")
    check_probability(op, p)


def _kept(key: Node, shape: Shape, p: float) -> Node:
    """Where a uniform number is not below p."""
    return GE(unit(key, shape), constant(p, float32))


def _feature_shape(op: str, x: Node, leading: int) -> Shape:
    if len(x.shape) < leading:
        raise ShapeError(f"{op}: needs at least {leading} dimensions (batch, channel, ...), got {show(x.shape)}")
    return (*x.shape[:leading], *[1] * (len(x.shape) - leading))


def _drop(key: Node, x: Node, p: float, mask_shape: Shape) -> Node:
    zero = constant(0, x.dtype)
    if p == 0:
        return x
    if p == 1:
        return expand_to(zero, x.shape)
    return WHERE(_kept(key, mask_shape, p), mul(x, 1 / (1 - p)), zero)


def dropout(key: Node, x: Node, p: float = 0.5) -> Node:
    """Each element set to 0 with probability p, the others divided by 1 - p.

    Source: Srivastava et al., "Dropout", JMLR 2014, in the form that needs no scaling at evaluation.

    Args:
        key: int64 of shape (2,).
        x: floating numbers of any shape.
        p: from 0 to 1; resolved to 2**-24.
    """
    _check("dropout", x, p)
    return _drop(key, x, p, x.shape)


def feature_dropout(key: Node, x: Node, p: float = 0.5, leading: int = 2) -> Node:
    """Whole channels set to 0 with probability p, the others divided by 1 - p.

    Source: Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.

    Args:
        key: int64 of shape (2,).
        x: (batch, channel, ...).
        p: from 0 to 1.
        leading: dimensions that tell channels apart: 2, or 1 for an input without a batch.
    """
    _check("feature_dropout", x, p)
    return _drop(key, x, p, _feature_shape("feature_dropout", x, leading))


def _drop_to_saturation(key: Node, x: Node, p: float, mask_shape: Shape) -> Node:
    if p == 0:
        return x
    if p == 1:
        return expand_to(constant(0, x.dtype), x.shape)
    # a and b keep mean 0 and variance 1 (equation 9 of the paper, with 1 - p for its q).
    a = 1 / math.sqrt((1 - p) * (1 + p * SATURATION**2))
    b = -a * p * SATURATION
    chosen = WHERE(_kept(key, mask_shape, p), x, constant(SATURATION, x.dtype))
    return add(MUL(chosen, constant(a, x.dtype)), b)


def alpha_dropout(key: Node, x: Node, p: float = 0.5) -> Node:
    """Each element set to SELU's limit with probability p, then all scaled to keep mean 0 and variance 1.

    Source: Klambauer et al., "Self-normalizing neural networks", NIPS 2017, section 3.

    Args:
        key: int64 of shape (2,).
        x: floating numbers of any shape.
        p: from 0 to 1; 1 gives zeros, as PyTorch does.
    """
    _check("alpha_dropout", x, p)
    return _drop_to_saturation(key, x, p, x.shape)


def feature_alpha_dropout(key: Node, x: Node, p: float = 0.5, leading: int = 2) -> Node:
    """As `alpha_dropout`, for whole channels; arguments as in `feature_dropout`."""
    _check("feature_alpha_dropout", x, p)
    return _drop_to_saturation(key, x, p, _feature_shape("feature_alpha_dropout", x, leading))
