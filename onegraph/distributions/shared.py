"""What all distributions use: functions on tensors, numbers to tensors, probabilities and logits, standard gammas.

Distributions are written as a user would write them, on tensors, so that they are recorded, traced and differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import float64
from onegraph.ir.node import Node
from onegraph.ops.cast import cast
from onegraph.ops.custom import with_gradient

og: Any = SimpleNamespace(**EXPORTS)
"""The functions of the top level, as a user calls them."""


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the tensors."""
    for value in values:
        if not isinstance(value, (Tensor, int, float)):
            raise ArgumentTypeError(f"a distribution takes tensors and numbers, got {type(value).__name__}")
    given = [v for v in values if isinstance(v, Tensor)]
    dtype = given[0].dtype if given else og.get_default_dtype()
    if not dtype.is_floating_point and not all(isinstance(v, Tensor) for v in values):
        dtype = og.get_default_dtype()
    made = [v if isinstance(v, Tensor) else og.tensor(v, dtype=dtype) for v in values]
    return tuple(og.broadcast_tensors(*made))


def known(value: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a tensor that is there already; None for one that waits to be computed, which is left to wait."""
    node = value.node
    return value.detach()._array() if type(node.value) is Buffer else None


class lazy_property:
    """A property that is computed once."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.function(instance)
        return value


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept a rounding step away from 0 and 1."""
    eps = og.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Logits that give probabilities."""
    kept = clamp_probs(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities that logits give."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def one_of(owner: Any, **given: Any) -> str:
    """The name of the only argument that is there.

    Raises:
        ArgumentError: none or several are.
    """
    there = [name for name, value in given.items() if value is not None]
    if len(there) != 1:
        raise ArgumentError(f"{type(owner).__name__}: give one of {', '.join(given)}, got {', '.join(there) or 'none'}")
    return there[0]


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow."""
    return og.logaddexp(x, og.zeros_like(x))


def binary_cross_entropy(logits: Tensor, value: Tensor) -> Tensor:
    """-log of the probability of a value of 0 or 1."""
    return softplus(logits) - value * logits


def sum_rightmost(value: Tensor, count: int) -> Tensor:
    """The sum over the last dimensions."""
    return value if count == 0 else value.sum(tuple(range(-count, 0)))


# ---- gammas

_PROPOSALS = 12  # each is accepted with a probability of at least 0.95


def standard_gamma(concentration: Tensor) -> Tensor:
    """Numbers from the gamma distribution with rate 1, through which gradients flow to the concentration.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000, with all proposals drawn at
    once; gradients: Figurnov et al., "Implicit reparameterization gradients", 2018.
    """
    with no_grad():
        shape = concentration.detach().double()
        value = _draw_gamma(shape)
        value = value.clamp(min=og.finfo(concentration.dtype).tiny).to(concentration.dtype)
    if not concentration.requires_grad or not og.is_grad_enabled():
        return value
    derivative = _gamma_derivative(shape, value.double())

    def rule(g: Node) -> list[Node]:
        found: Tensor = wrap(cast(g, float64), False) * derivative
        return [cast(found.node, concentration.dtype)]

    return wrap(with_gradient(value.node, [concentration.node], rule), True)


def _draw_gamma(shape: Tensor) -> Tensor:
    """Marsaglia and Tsang's method for shapes from 1 on; smaller ones are drawn one higher, times u ** (1 / shape)."""
    small = shape < 1
    d = og.where(small, shape + 1, shape) - 1 / 3
    c = 1 / (9 * d).sqrt()
    sizes = (_PROPOSALS, *shape.shape)
    x = og.randn(sizes, dtype=float64)
    v = (1 + c * x) ** 3
    u = og.rand(sizes, dtype=float64)
    safe = og.where(v > 0, v, og.ones_like(v))
    accepted = (v > 0) & (u.log() < 0.5 * x * x + d - d * safe + d * safe.log())
    found = safe[-1]
    for i in range(_PROPOSALS - 2, -1, -1):  # the first that was accepted stays
        found = og.where(accepted[i], safe[i], found)
    boost = og.where(small, (1 - og.rand(tuple(shape.shape), dtype=float64)).log() / shape, og.zeros_like(shape)).exp()
    return d * found * boost


_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(48)


def _gamma_derivative(a: Tensor, x: Tensor) -> Tensor:
    """dx/da where x is a quantile of the gamma distribution with shape a: minus dF/da over the density.

    For small x by the power series of the lower incomplete gamma function; otherwise the upper one's integral,
    of (1 + s/x)**(a-1) * exp(-s) * (log(x + s) - digamma(a)) over s from 0, by Gauss and Laguerre.
    """
    row, low = a.unsqueeze(-1), x.clamp(max=2.0).unsqueeze(-1)
    k = og.arange(40, dtype=float64)
    size = (k * low.log() - (row + 1 + k).lgamma() + (row + 1).lgamma()).exp()
    below = -(low / row).squeeze(-1) * (size * (low.log() - (row + 1 + k).digamma())).sum(-1)
    s, weights = og.tensor(_NODES, dtype=float64), og.tensor(_WEIGHTS, dtype=float64)
    high = x.clamp(min=0.5).unsqueeze(-1)
    kernel = ((row - 1) * (s / high).log1p()).exp() * ((high + s).log() - row.digamma())
    above = (kernel * weights).sum(-1)
    z = ((x / a) ** (1 / 3) - 1 + 1 / (9 * a)) * 3 * a.sqrt()  # Wilson and Hilferty, for shapes that need wider sums
    root = 1 - 1 / (9 * a) + z / (3 * a.sqrt())
    wide = root**3 + 3 * root**2 * (1 / (9 * a) - z / (6 * a.sqrt()))
    return og.where(x < 1, below, og.where(a > 300, wide, above))


def gamma_cdf(a: Tensor, x: Tensor) -> Tensor:
    """The probability that a number of the gamma distribution with shape a and rate 1 is at most x.

    For small x by the power series of the lower incomplete gamma function, otherwise by the upper one's integral
    (see `_gamma_derivative`).
    """
    dtype = x.dtype
    a, x = a.double(), x.double().clamp(min=1e-300)
    row, low = a.unsqueeze(-1), x.clamp(max=2.0).unsqueeze(-1)
    k = og.arange(40, dtype=float64)
    below = ((k + row) * low.log() - low - (row + 1 + k).lgamma()).exp().sum(-1)
    s, weights = og.tensor(_NODES, dtype=float64), og.tensor(_WEIGHTS, dtype=float64)
    high = x.clamp(min=0.5)
    kernel = ((row - 1) * (s / high.unsqueeze(-1)).log1p()).exp()
    above = 1 - ((a - 1) * high.log() - high - a.lgamma()).exp() * (kernel * weights).sum(-1)
    z = ((x / a) ** (1 / 3) - 1 + 1 / (9 * a)) * 3 * a.sqrt()
    wide = 0.5 * (1 + og.erf(z / 2**0.5))
    found: Tensor = og.where(x < 1, below, og.where(a > 300, wide, above)).to(dtype)
    return found
