"""Distributions made of gammas: Gamma, Chi2, Beta, Dirichlet, StudentT, FisherSnedecor, InverseGamma.

Formulas: Forbes et al., Statistical Distributions, 4th edition, 2011. Read first: `distribution.py`, `shared.py`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.distribution import Distribution, ExponentialFamily
from onegraph.distributions.shared import broadcast_all, gamma_cdf, og, standard_gamma
from onegraph.errors import ShapeError
from onegraph.frontend.tensor import Tensor


class Gamma(ExponentialFamily):
    """The gamma distribution.

    Args:
        concentration: shape.
        rate: one over the scale.
    """

    arg_constraints: ClassVar[Constraints] = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        a, b = self.concentration, self.rate
        return og.xlogy(a, b) + og.xlogy(a - 1, value) - b * value - og.lgamma(a)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        self._validate_sample(value)
        a, x = og.broadcast_tensors(self.concentration, self.rate * value)
        return gamma_cdf(a, x)

    def entropy(self) -> Tensor:
        """The entropy."""
        a = self.concentration
        return a - self.rate.log() + og.lgamma(a) + (1 - a) * og.digamma(a)


class Chi2(Gamma):
    """The chi-squared distribution: the sum of squares of standard normals.

    Args:
        df: how many.
    """

    arg_constraints: ClassVar[Constraints] = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (value,) = broadcast_all(df)
        super().__init__(0.5 * value, og.full_like(value, 0.5), validate_args)

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return self.concentration * 2


class InverseGamma(Distribution):
    """One over a gamma.

    Args:
        concentration: shape of the gamma.
        rate: one over its scale.
    """

    arg_constraints: ClassVar[Constraints] = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        self._base = Gamma(self.concentration, self.rate, validate_args=False)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean; infinite for concentrations up to 1."""
        found = self.rate / (self.concentration - 1)
        return og.where(self.concentration > 1, found, og.full_like(found, math.inf))

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """The variance; infinite for concentrations up to 2."""
        a = self.concentration
        found = self.rate**2 / ((a - 1) ** 2 * (a - 2))
        return og.where(a > 2, found, og.full_like(found, math.inf))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return 1 / self._base.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return self._base.log_prob(1 / value) - 2 * value.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return 1 - self._base.cdf(1 / value)

    def entropy(self) -> Tensor:
        """The entropy."""
        a = self.concentration
        return a + self.rate.log() + og.lgamma(a) - (1 + a) * og.digamma(a)


class Dirichlet(ExponentialFamily):
    """The Dirichlet distribution, of probabilities that sum to 1.

    Args:
        concentration: of shape (..., number of probabilities).
    """

    arg_constraints: ClassVar[Constraints] = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ShapeError("Dirichlet: the concentration must have at least one dimension")
        self.concentration = concentration
        shape = tuple(concentration.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """The most likely value; for concentrations below 1, a corner."""
        above = (self.concentration - 1).clamp(min=0)
        inside = above / above.sum(-1, keepdim=True)
        places = og.arange(self.concentration.shape[-1])
        corner = (places == self.concentration.argmax(-1, keepdim=True)).to(self.concentration.dtype)
        outside = (self.concentration < 1).all(-1, keepdim=True)
        return og.where(outside, corner, inside)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow: gammas over their sum."""
        gammas = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return gammas / gammas.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        a = self.concentration
        return og.xlogy(a - 1, value).sum(-1) + og.lgamma(a.sum(-1)) - og.lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        """The entropy."""
        a, count = self.concentration, self.concentration.shape[-1]
        total = a.sum(-1)
        normalizer = og.lgamma(a).sum(-1) - og.lgamma(total)
        return normalizer - (count - total) * og.digamma(total) - ((a - 1) * og.digamma(a)).sum(-1)


class Beta(ExponentialFamily):
    """The beta distribution, of numbers between 0 and 1.

    Args:
        concentration1: weight of 1 (alpha).
        concentration0: weight of 0 (beta).
    """

    arg_constraints: ClassVar[Constraints] = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return (self.concentration1 - 1) / (self.concentration1 + self.concentration0 - 2)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow: a gamma over the sum of two."""
        shape = self._extended_shape(sample_shape)
        one, zero = (standard_gamma(c.expand(shape)) for c in (self.concentration1, self.concentration0))
        return one / (one + zero)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return og.xlogy(a - 1, value) + og.xlogy(b - 1, 1 - value) - _log_beta(a, b)

    def entropy(self) -> Tensor:
        """The entropy."""
        a, b = self.concentration1, self.concentration0
        digammas = (a - 1) * og.digamma(a) + (b - 1) * og.digamma(b)
        return _log_beta(a, b) - digammas + (a + b - 2) * og.digamma(a + b)


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    result: Tensor = og.lgamma(a) + og.lgamma(b) - og.lgamma(a + b)
    return result


class StudentT(Distribution):
    """Student's t distribution.

    Args:
        df: degrees of freedom.
        loc: median.
        scale: width.
    """

    arg_constraints: ClassVar[Constraints] = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean; not a number for up to 1 degree of freedom."""
        return og.where(self.df > 1, self.loc, og.full_like(self.loc, math.nan))

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance; infinite for up to 2 degrees of freedom, not a number for up to 1."""
        found = self.scale**2 * self.df / (self.df - 2)
        found = og.where(self.df > 2, found, og.full_like(found, math.inf))
        return og.where(self.df > 1, found, og.full_like(found, math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow: a normal over the root of a mean chi-squared."""
        shape = self._extended_shape(sample_shape)
        normal = og.randn(shape, dtype=self.df.dtype)
        squares = 2 * standard_gamma((self.df / 2).expand(shape))
        return self.loc + self.scale * normal * (self.df / squares).sqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        y = (value - self.loc) / self.scale
        half = 0.5 * self.df
        normalizer = self.scale.log() + 0.5 * (self.df * math.pi).log() + og.lgamma(half) - og.lgamma(half + 0.5)
        return -(half + 0.5) * (y**2 / self.df).log1p() - normalizer

    def entropy(self) -> Tensor:
        """The entropy."""
        half = 0.5 * self.df
        beta = og.lgamma(half) + math.lgamma(0.5) - og.lgamma(half + 0.5)
        change = (half + 0.5) * (og.digamma(half + 0.5) - og.digamma(half))
        return self.scale.log() + change + 0.5 * self.df.log() + beta


class FisherSnedecor(Distribution):
    """The F distribution: the quotient of two mean chi-squareds.

    Args:
        df1, df2: their degrees of freedom.
    """

    arg_constraints: ClassVar[Constraints] = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean; not a number for df2 up to 2."""
        found = self.df2 / (self.df2 - 2)
        return og.where(self.df2 > 2, found, og.full_like(found, math.nan))

    @property
    def mode(self) -> Tensor:
        """The most likely value; not a number for df1 up to 2."""
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return og.where(self.df1 > 2, found, og.full_like(found, math.nan))

    @property
    def variance(self) -> Tensor:
        """The variance; not a number for df2 up to 4."""
        a, b = self.df1, self.df2
        found = 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4))
        return og.where(b > 4, found, og.full_like(found, math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        shape = self._extended_shape(sample_shape)
        a = standard_gamma((self.df1 / 2).expand(shape)) / self.df1
        b = standard_gamma((self.df2 / 2).expand(shape)) / self.df2
        return a / b

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        a, b = self.df1 / 2, self.df2 / 2
        ratio = self.df1 / self.df2
        return a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p() - _log_beta(a, b)
