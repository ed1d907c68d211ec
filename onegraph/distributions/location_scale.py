"""Distributions with a location and a scale, or bounds: Normal, Laplace, Cauchy, Gumbel, Uniform, Exponential, ...

Formulas: Forbes et al., Statistical Distributions, 4th edition, 2011. Read first: `distribution.py`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.distribution import EULER, LOG_2PI, Distribution, ExponentialFamily
from onegraph.distributions.shared import broadcast_all, og
from onegraph.frontend.tensor import Tensor


class _LocationScale(Distribution):
    """loc + scale * a standard distribution."""

    arg_constraints: ClassVar[Constraints] = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _standard(self, value: Any) -> Tensor:
        return (value - self.loc) / self.scale

    def _uniform(self, sample_shape: Any) -> Tensor:
        """Numbers from the open interval (0, 1)."""
        tiny = og.finfo(self.loc.dtype).tiny
        return og.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype).clamp(min=tiny)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.loc

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow: the quantiles of even numbers."""
        return self.icdf(self._uniform(sample_shape))


class Normal(_LocationScale, ExponentialFamily):
    """The normal distribution.

    Args:
        loc: mean.
        scale: standard deviation.

    >>> import onegraph as og
    >>> d = og.distributions.Normal(og.tensor([0.0, 1.0]), 2.0)
    >>> d.log_prob(og.tensor(0.0))
    tensor([-1.6121, -1.7371])
    """

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(loc, scale, validate_args)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow (Kingma and Welling, "Auto-encoding variational Bayes", 2014)."""
        return self.loc + og.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return -0.5 * self._standard(value) ** 2 - self.scale.log() - 0.5 * LOG_2PI

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return 0.5 * (1 + og.erf(self._standard(value) / math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return self.loc + self.scale * og.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        """The entropy."""
        return 0.5 + 0.5 * LOG_2PI + self.scale.log()


class Laplace(_LocationScale):
    """The Laplace distribution: exponential on both sides.

    Args:
        loc: mean.
        scale: mean distance from it.
    """

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return 2 * self.scale**2

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return -(2 * self.scale).log() - self._standard(value).abs()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        z = self._standard(value)
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Tensor:
        """The entropy."""
        return 1 + (2 * self.scale).log()


class Cauchy(_LocationScale):
    """The Cauchy distribution, which has no mean.

    Args:
        loc: median.
        scale: half the width at half the height.
    """

    @property
    def mean(self) -> Tensor:
        """Not a number."""
        return og.full_like(self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return og.full_like(self.loc, math.inf)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - (self._standard(value) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return og.atan(self._standard(value)) / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return og.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        """The entropy."""
        return math.log(4 * math.pi) + self.scale.log()


class Gumbel(_LocationScale):
    """The Gumbel distribution, of maxima.

    Args:
        loc: mode.
        scale: width.
    """

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return (math.pi**2 / 6) * self.scale**2

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        y = -self._standard(value)
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return (-(-self._standard(value)).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        """The entropy."""
        return self.scale.log() + (1 + EULER)


class _Half(Distribution):
    """The absolute value of a distribution around 0."""

    arg_constraints: ClassVar[Constraints] = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _whole: type[_LocationScale]

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = broadcast_all(scale)
        self._base = self._whole(og.zeros_like(self.scale), self.scale, validate_args=False)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return og.zeros_like(self.scale)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self._base.rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        inside = self._base.log_prob(value) + math.log(2)
        return og.where(value >= 0, inside, og.full_like(inside, -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return 2 * self._base.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return self._base.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """The entropy."""
        return self._base.entropy() - math.log(2)


class HalfNormal(_Half):
    """The absolute value of a normal distribution around 0.

    Args:
        scale: standard deviation of that.
    """

    _whole = Normal

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.scale**2 * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """The absolute value of a Cauchy distribution around 0.

    Args:
        scale: half the width at half the height of that.
    """

    _whole = Cauchy

    @property
    def mean(self) -> Tensor:
        """Infinite."""
        return og.full_like(self.scale, math.inf)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return og.full_like(self.scale, math.inf)


class Uniform(Distribution):
    """Numbers from [low, high), all as likely.

    Args:
        low, high: the bounds.
    """

    arg_constraints: ClassVar[Constraints] = {"low": constraints.dependent, "high": constraints.dependent}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        self._check(self.high - self.low if validate_args else self.high, constraints.real, "the argument high")

    @property
    def support(self) -> constraints.Constraint:
        """Numbers between the bounds."""
        return constraints.Constraint("number", lambda v: v == v)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        """Not a number: all are as likely."""
        return og.full_like(self.low, math.nan)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self.icdf(og.rand(self._extended_shape(sample_shape), dtype=self.low.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density, minus infinity outside of the bounds."""
        self._validate_sample(value)
        inside = (self.low <= value) & (self.high > value)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """The entropy."""
        return (self.high - self.low).log()


class Exponential(ExponentialFamily):
    """The exponential distribution.

    Args:
        rate: one over the mean.
    """

    arg_constraints: ClassVar[Constraints] = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return og.zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.rate**-2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self.icdf(og.rand(self._extended_shape(sample_shape), dtype=self.rate.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        """The entropy."""
        return 1 - self.rate.log()


class GeneralizedPareto(Distribution):
    """The generalized Pareto distribution, of what exceeds a bound.

    Args:
        loc: the bound.
        scale: width.
        concentration: weight of the tail.
    """

    arg_constraints: ClassVar[Constraints] = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _split(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is 0, and one that may be divided by."""
        zero = self.concentration.abs() < 1e-7
        return zero, og.where(zero, og.ones_like(self.concentration), self.concentration)

    @property
    def mean(self) -> Tensor:
        """The mean; infinite for concentrations from 1 on."""
        found = self.loc + self.scale / (1 - self.concentration)
        return og.where(self.concentration < 1, found, og.full_like(found, math.inf))

    @property
    def variance(self) -> Tensor:
        """The variance; infinite for concentrations from one half on."""
        c = self.concentration
        found = self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c))
        return og.where(c < 0.5, found, og.full_like(found, math.inf))

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.loc

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self.icdf(og.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, c = self._split()
        return -self.scale.log() - og.where(zero, z, (1 + 1 / c) * (c * z).log1p())

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        z = (value - self.loc) / self.scale
        zero, c = self._split()
        return 1 - og.where(zero, (-z).exp(), ((c * z).log1p() / -c).exp())

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        rest = (-value).log1p()
        zero, c = self._split()
        return self.loc + self.scale * og.where(zero, -rest, (-c * rest).expm1() / c)

    def entropy(self) -> Tensor:
        """The entropy."""
        return self.scale.log() + self.concentration + 1
