"""`TransformedDistribution` and what is made of it: LogNormal, LogisticNormal, Weibull, Pareto, Kumaraswamy.

Read first: `transforms.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.distribution import EULER, Distribution
from onegraph.distributions.location_scale import Exponential, Normal, Uniform
from onegraph.distributions.multivariate import Independent
from onegraph.distributions.shared import broadcast_all, og, sum_rightmost
from onegraph.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    StickBreakingTransform,
    Transform,
)
from onegraph.errors import ArgumentError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor


class TransformedDistribution(Distribution):
    """The distribution of transformed values of another.

    Args:
        base_distribution: the other.
        transforms: one, or several that are done one after the other.

    >>> import onegraph as og
    >>> D = og.distributions
    >>> d = D.TransformedDistribution(D.Uniform(0.0, 1.0), [D.SigmoidTransform().inv, D.AffineTransform(1.0, 2.0)])
    >>> d.log_prob(og.tensor(1.0))
    tensor(-2.0794)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ArgumentError("TransformedDistribution: transforms must be a Transform or a list of them")
        whole = ComposeTransform(self.transforms)
        events = max(whole.event_dim, len(base_distribution.event_shape))
        missing = whole.event_dim - len(base_distribution.event_shape)
        if missing > 0:  # the transform takes several elements as one value
            base_distribution = Independent(base_distribution, missing)
        self.base_dist = base_distribution
        shape = whole.forward_shape((*base_distribution.batch_shape, *base_distribution.event_shape))
        super().__init__(shape[: len(shape) - events], shape[len(shape) - events :], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The same distribution with a batch shape that its own broadcasts to."""
        new = TransformedDistribution.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.base_dist = self.base_dist.expand(batch_shape)
        new._batch_shape = type(self._batch_shape)(batch_shape)
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether gradients flow from samples."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> constraints.Constraint:
        """The set of possible values."""
        return self.transforms[-1].codomain if self.transforms else self.base_dist.support

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients."""
        with no_grad():
            value = self.base_dist.sample(sample_shape)
            for transform in self.transforms:
                value = transform(value)
            return value

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        value = self.base_dist.rsample(sample_shape)
        for transform in self.transforms:
            value = transform(value)
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density: that of the value before the transforms, less the log of their derivatives."""
        self._validate_sample(value)
        events, total = len(self._event_shape), None
        for transform in reversed(self.transforms):
            before = transform._invert(value)
            events += transform.domain.event_dim - transform.codomain.event_dim
            change = sum_rightmost(transform.log_abs_det_jacobian(before, value), events - transform.domain.event_dim)
            total = -change if total is None else total - change
            value = before
        found = sum_rightmost(self.base_dist.log_prob(value), events - len(self.base_dist.event_shape))
        return found if total is None else total + found

    def _monotonic(self, value: Tensor) -> Tensor:
        """A probability turned round where the transforms fall."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return value if isinstance(sign, int) and sign == 1 else sign * (value - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        for transform in reversed(self.transforms):
            value = transform._invert(value)
        return self._monotonic(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        value = self.base_dist.icdf(self._monotonic(value))
        for transform in self.transforms:
            value = transform(value)
        return value


class LogNormal(TransformedDistribution):
    """exp of a normal.

    Args:
        loc, scale: mean and standard deviation of the normal.
    """

    arg_constraints: ClassVar[Constraints] = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args=validate_args), ExpTransform(), validate_args)

    @property
    def loc(self) -> Tensor:
        """Mean of the normal."""
        return self.base_dist.loc  # type: ignore[attr-defined, no-any-return]

    @property
    def scale(self) -> Tensor:
        """Standard deviation of the normal."""
        return self.base_dist.scale  # type: ignore[attr-defined, no-any-return]

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        """The variance."""
        square = self.scale**2
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self) -> Tensor:
        """The entropy."""
        return self.base_dist.entropy() + self.loc


class LogisticNormal(TransformedDistribution):
    """Probabilities made of normals by breaking a stick.

    Args:
        loc, scale: means and standard deviations of the normals, (..., n); there are n + 1 probabilities.
    """

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args=validate_args), StickBreakingTransform(), validate_args)


class Weibull(TransformedDistribution):
    """The Weibull distribution, of lifetimes.

    Args:
        scale: width.
        concentration: shape.
    """

    arg_constraints: ClassVar[Constraints] = {"scale": constraints.positive, "concentration": constraints.positive}

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        base = Exponential(og.ones_like(self.scale), validate_args=validate_args)
        power = PowerTransform(1 / self.concentration)
        super().__init__(base, [power, AffineTransform(0, self.scale)], validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Positive numbers."""
        return constraints.positive

    def _moment(self, n: int) -> Tensor:
        found: Tensor = og.lgamma(1 + n / self.concentration).exp()
        return found

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.scale * self._moment(1)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        c = self.concentration
        return self.scale * ((c - 1) / c) ** (1 / c)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.scale**2 * (self._moment(2) - self._moment(1) ** 2)

    def entropy(self) -> Tensor:
        """The entropy."""
        return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration).log() + 1


class Pareto(TransformedDistribution):
    """The Pareto distribution.

    Args:
        scale: smallest value.
        alpha: weight of the tail; larger is lighter.
    """

    arg_constraints: ClassVar[Constraints] = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        super().__init__(base, [ExpTransform(), AffineTransform(0, self.scale)], validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Numbers from the smallest value on."""
        return constraints.positive

    @property
    def mean(self) -> Tensor:
        """The mean; infinite for alpha up to 1."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The variance; infinite for alpha up to 2."""
        a = self.alpha.clamp(min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def entropy(self) -> Tensor:
        """The entropy."""
        return (self.scale / self.alpha).log() + (1 + 1 / self.alpha)


class Kumaraswamy(TransformedDistribution):
    """The Kumaraswamy distribution, of numbers between 0 and 1.

    Args:
        concentration1, concentration0: shapes.
    """

    arg_constraints: ClassVar[Constraints] = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        ones = og.ones_like(self.concentration0)
        parts = [
            PowerTransform(1 / self.concentration0),
            AffineTransform(1.0, -1.0),
            PowerTransform(1 / self.concentration1),
        ]
        super().__init__(Uniform(og.zeros_like(ones), ones, validate_args=validate_args), parts, validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Numbers between 0 and 1."""
        return constraints.unit_interval

    def _moment(self, n: int) -> Tensor:
        a, b = 1 + n / self.concentration1, self.concentration0
        found: Tensor = (og.lgamma(a) + og.lgamma(b) - og.lgamma(a + b)).exp() * b
        return found

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """The most likely value; not a number for shapes below 1."""
        a, b = self.concentration1, self.concentration0
        found = ((a - 1) / (a * b - 1)) ** (1 / a)
        return og.where((a < 1) | (b < 1), og.full_like(found, math.nan), found)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self._moment(2) - self._moment(1) ** 2

    def entropy(self) -> Tensor:
        """The entropy."""
        a, b = self.concentration1, self.concentration0
        harmonic = og.digamma(b + 1) + EULER
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()
