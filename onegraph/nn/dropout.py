"""Dropout as modules: active in training mode, the identity in evaluation. The formulas are in `onegraph/ops/dropout.py`."""

from __future__ import annotations

from typing import Any

from onegraph.nn import functional
from onegraph.nn.module import Module
from onegraph.ops.random import check_probability


class AnyDropout(Module):
    """Base: probability p, and `inplace`."""

    _function = ""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(type(self).__name__, p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Any:
        """The input with a part set to zero, in training."""
        return getattr(functional, self._function)(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(AnyDropout):
    """Each element set to 0 with probability p, the others divided by 1 - p.

    >>> import onegraph as og
    >>> og.nn.Dropout(0.2).eval()(og.ones(3))
    tensor([1., 1., 1.])
    """

    _function = "dropout"


class Dropout1d(AnyDropout):
    """Whole channels of (batch, channels, length) set to 0 with probability p."""

    _function = "dropout1d"


class Dropout2d(AnyDropout):
    """Whole channels of (batch, channels, height, width) set to 0 with probability p."""

    _function = "dropout2d"


class Dropout3d(AnyDropout):
    """Whole channels of (batch, channels, depth, height, width) set to 0 with probability p."""

    _function = "dropout3d"


class AlphaDropout(AnyDropout):
    """Dropout that keeps the mean and variance of SELU networks."""

    _function = "alpha_dropout"


class FeatureAlphaDropout(AnyDropout):
    """As AlphaDropout, for whole channels."""

    _function = "feature_alpha_dropout"
