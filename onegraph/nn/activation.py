"""Activation functions as modules. The formulas are in `onegraph/ops/activation.py` and `softmax.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ShapeError
from onegraph.nn import functional
from onegraph.nn.init import constant_
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.nn.state import full
from onegraph.nn.wrapped import Wrapped
from onegraph.ops.random import floating_dtype
from onegraph.ops.shapes import show


class _Inplace(Wrapped):
    """An activation whose only argument is `inplace`: write the result into the input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)


class _Plain(Wrapped):
    """An activation without arguments."""

    def __init__(self) -> None:
        super().__init__()


class _Shrink(Wrapped):
    """An activation with one threshold, lambd."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        """The threshold."""
        return str(self.lambd)


class ReLU(_Inplace):
    """max(x, 0).

    >>> import onegraph as og
    >>> og.nn.ReLU()(og.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    _function = "relu"


class SiLU(_Inplace):
    """x * sigmoid(x)."""

    _function = "silu"


class Mish(_Inplace):
    """x * tanh(softplus(x))."""

    _function = "mish"


class SELU(_Inplace):
    """scale * (x where positive, else alpha * (exp(x) - 1)); Klambauer et al. 2017."""

    _function = "selu"


class Hardsigmoid(_Inplace):
    """min(max(x + 3, 0), 6) / 6."""

    _function = "hardsigmoid"


class Hardswish(_Inplace):
    """x * min(max(x + 3, 0), 6) / 6."""

    _function = "hardswish"


class Sigmoid(_Plain):
    """1 / (1 + exp(-x))."""

    _function = "sigmoid"


class Tanh(_Plain):
    """The hyperbolic tangent."""

    _function = "tanh"


class LogSigmoid(_Plain):
    """log(sigmoid(x))."""

    _function = "logsigmoid"


class Softsign(_Plain):
    """x / (1 + |x|)."""

    _function = "softsign"


class Tanhshrink(_Plain):
    """x - tanh(x)."""

    _function = "tanhshrink"


class Hardshrink(_Shrink):
    """x, and 0 where |x| <= lambd."""

    _function = "hardshrink"


class Softshrink(_Shrink):
    """x moved towards 0 by lambd."""

    _function = "softshrink"


class ELU(Wrapped):
    """x where positive, else alpha * (exp(x) - 1)."""

    _function = "elu"

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)


class CELU(Wrapped):
    """x where positive, else alpha * (exp(x / alpha) - 1)."""

    _function = "celu"

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)


class LeakyReLU(Wrapped):
    """x where positive, else negative_slope * x."""

    _function = "leaky_relu"

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class Hardtanh(Wrapped):
    """x within [min_val, max_val]."""

    _function = "hardtanh"

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        min_val = min_val if min_value is None else min_value
        max_val = max_val if max_value is None else max_value
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class ReLU6(Hardtanh):
    """min(max(x, 0), 6)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Whether it works in place."""
        return "inplace=True" if self.inplace else ""


class Threshold(Wrapped):
    """x where x > threshold, else value."""

    _function = "threshold"

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(threshold=threshold, value=value, inplace=inplace)


class Softplus(Wrapped):
    """log(1 + exp(beta * x)) / beta."""

    _function = "softplus"

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class GELU(Wrapped):
    """x times the normal distribution function at x; approximate='tanh' for the approximation."""

    _function = "gelu"

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    def extra_repr(self) -> str:
        """How it is approximated."""
        return f"approximate={self.approximate!r}"


class GLU(Wrapped):
    """The first half along a dimension times the sigmoid of the second half."""

    _function = "glu"

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmax(Wrapped):
    """exp(x) over the sum of exp(x) along a dimension."""

    _function = "softmax"

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class LogSoftmax(Wrapped):
    """The logarithm of softmax along a dimension."""

    _function = "log_softmax"

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class Softmin(Wrapped):
    """softmax(-x) along a dimension."""

    _function = "softmin"

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class Softmax2d(Module):
    """softmax over the channels of images (batch, channels, height, width), or without batch."""

    def forward(self, input: Any) -> Any:
        """The softmax at each place."""
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d: needs 3 or 4 dimensions, got {show(input.shape)}")
        return functional.softmax(input, -3)


class PReLU(Module):
    """x where positive, else weight * x; the weight is learned.

    Args:
        num_parameters: 1, or the number of channels.
        init: first value of the weight.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(full((num_parameters,), init, floating_dtype("PReLU", dtype)))

    def reset_parameters(self) -> None:
        """The first value again."""
        constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        """The activation."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The number of weights."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """x where positive, else a * x; a is drawn from [lower, upper] in training, and is their mean in evaluation."""

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Any) -> Any:
        """The activation."""
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The bounds."""
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")
