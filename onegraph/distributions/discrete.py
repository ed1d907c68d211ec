"""Distributions of whole numbers: Bernoulli, Geometric, Poisson, Binomial, NegativeBinomial.

Those of categories are in `categorical.py`. Read first: `distribution.py`, `shared.py`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.distribution import Distribution, ExponentialFamily
from onegraph.distributions.shared import (
    binary_cross_entropy,
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    og,
    one_of,
    probs_to_logits,
    softplus,
    standard_gamma,
)
from onegraph.errors import ArgumentError
from onegraph.frontend.dynamic import look
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor


class _Binary(Distribution):
    """Base of distributions with a probability of success, or the logit of it."""

    arg_constraints: ClassVar[Constraints] = {"probs": constraints.unit_interval, "logits": constraints.real}

    def _set(self, probs: Any, logits: Any) -> None:
        name = one_of(self, probs=probs, logits=logits)
        self._given = name
        (self.__dict__[name],) = broadcast_all(probs if name == "probs" else logits)

    @property
    def _param(self) -> Tensor:
        found: Tensor = self.__dict__[self._given]
        return found

    @lazy_property
    def logits(self) -> Tensor:
        """log(p / (1 - p)) of the probabilities."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities of success."""
        return logits_to_probs(self.logits, is_binary=True)

    def _uniform(self, shape: Any) -> Tensor:
        drawn: Tensor = og.rand(shape, dtype=self._param.dtype)
        return drawn


class Bernoulli(_Binary, ExponentialFamily):
    """1 with a probability, else 0.

    Args:
        probs: the probability, or
        logits: its logit.
    """

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The most likely value; not a number where both are as likely."""
        found = (self.probs >= 0.5).to(self.probs.dtype)
        return og.where(self.probs == 0.5, og.full_like(found, math.nan), found)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.probs * (1 - self.probs)

    @property
    def param_shape(self) -> Any:
        """The shape of the argument."""
        return self._param.shape

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            return (self._uniform(shape) < self.probs.expand(shape)).to(self._param.dtype).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability."""
        self._validate_sample(value)
        return -binary_cross_entropy(self.logits, value)

    def entropy(self) -> Tensor:
        """The entropy."""
        return binary_cross_entropy(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1, along a new first dimension."""
        return self._enumerated(2, expand, self._param.dtype)


class Geometric(_Binary):
    """The number of failures before the first success.

    Args:
        probs: the probability of success, or
        logits: its logit.
    """

    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return og.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            u = self._uniform(shape).clamp(min=og.finfo(self._param.dtype).tiny)
            return (u.log() / (-self.probs.expand(shape)).log1p()).floor().detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability."""
        self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        sure = (probs == 1) & (value == 0)
        rest = og.where(sure, og.zeros_like(probs), probs)
        return value * (-rest).log1p() + probs.log()

    def entropy(self) -> Tensor:
        """The entropy."""
        return binary_cross_entropy(self.logits, self.probs) / self.probs


class Binomial(_Binary):
    """The number of successes in some trials.

    Args:
        total_count: how many trials.
        probs: the probability of success, or
        logits: its logit.
    """

    arg_constraints: ClassVar[Constraints] = {"total_count": constraints.nonnegative_integer, **_Binary.arg_constraints}
    has_enumerate_support = True

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        name = one_of(self, probs=probs, logits=logits)
        self._given = name
        count, self.__dict__[name] = broadcast_all(total_count, probs if name == "probs" else logits)
        self.total_count = count.to(self._param.dtype)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers up to the number of trials."""
        return constraints.nonnegative_integer

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.total_count * self.probs * (1 - self.probs)

    @property
    def param_shape(self) -> Any:
        """The shape of the argument."""
        return self._param.shape

    def _highest(self, name: str) -> int:
        return int(look(name, self.total_count.max(), "give total_count before tracing"))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients. Looks at the largest number of trials."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            return og.binomial(self.total_count.expand(shape), self.probs.expand(shape)).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability."""
        self._validate_sample(value)
        n = self.total_count
        return _log_choose(n, value, n - value) + value * self.logits - n * softplus(self.logits)

    def entropy(self) -> Tensor:
        """The entropy, for the same number of trials everywhere."""
        self._check_same_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All counts, along a new first dimension, for the same number of trials everywhere."""
        return self._enumerated(1 + self._check_same_count("enumerate_support"), expand, self._param.dtype)

    def _check_same_count(self, name: str) -> int:
        highest = self._highest(name)
        if int(look(name, self.total_count.min(), "give total_count before tracing")) != highest:
            raise ArgumentError(f"Binomial.{name}: the numbers of trials differ")
        return highest


def _log_choose(n: Tensor, k: Tensor, rest: Tensor) -> Tensor:
    found: Tensor = og.lgamma(n + 1) - og.lgamma(k + 1) - og.lgamma(rest + 1)
    return found


class NegativeBinomial(_Binary):
    """The number of successes before some failures.

    Args:
        total_count: how many failures; need not be whole.
        probs: the probability of success, below 1, or
        logits: its logit.
    """

    arg_constraints: ClassVar[Constraints] = {"total_count": constraints.nonnegative, **_Binary.arg_constraints}
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        name = one_of(self, probs=probs, logits=logits)
        self._given = name
        count, self.__dict__[name] = broadcast_all(total_count, probs if name == "probs" else logits)
        self.total_count = count.to(self._param.dtype)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients: Poisson numbers of gamma rates."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            rate = standard_gamma(self.total_count.expand(shape)) * self.logits.exp()
            return Poisson(rate, validate_args=False).sample()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability."""
        self._validate_sample(value)
        n = self.total_count
        outcome = -n * softplus(self.logits) - value * softplus(-self.logits)
        choices = og.lgamma(n + value) - og.lgamma(1 + value) - og.lgamma(n)
        return outcome + og.where(n + value == 0, og.zeros_like(choices), choices)


class Poisson(ExponentialFamily):
    """The number of events that come at a rate.

    Args:
        rate: the mean.
    """

    arg_constraints: ClassVar[Constraints] = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients. Looks at the largest rate."""
        with no_grad():
            return og.poisson(self.rate.expand(self._extended_shape(sample_shape))).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability."""
        self._validate_sample(value)
        return og.xlogy(value, self.rate) - self.rate - og.lgamma(value + 1)


class ContinuousBernoulli(_Binary, ExponentialFamily):
    """Numbers between 0 and 1 with a density proportional to p**x * (1 - p)**(1 - x).

    Args:
        probs: p, or
        logits: its logit.
        lims: between these, series are used.

    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019.
    """

    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._set(probs, logits)
        if self._given == "probs":
            self.__dict__["probs"] = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(self._param.shape, validate_args=validate_args)

    def _middle(self) -> tuple[Tensor, Tensor]:
        """Where p is too near one half for the formulas, and a p that is not."""
        near = (self.probs > self._lims[0]) & (self.probs <= self._lims[1])
        return near, og.where(near, og.full_like(self.probs, self._lims[0]), self.probs)

    def _log_normalizer(self) -> Tensor:
        near, p = self._middle()
        away = (((-p).log1p() - p.log()).abs() / (1 - 2 * p).abs()).log()
        x = (self.probs - 0.5) ** 2
        return og.where(near, math.log(2.0) + (4 / 3 + 104 / 45 * x) * x, away)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        near, p = self._middle()
        away = p / (2 * p - 1) + 1 / ((-p).log1p() - p.log())
        x = self.probs - 0.5
        return og.where(near, 0.5 + (1 / 3 + 16 / 45 * x**2) * x, away)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        near, p = self._middle()
        away = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / ((-p).log1p() - p.log()) ** 2
        x = (self.probs - 0.5) ** 2
        return og.where(near, 1 / 12 - (1 / 15 - 128 / 945 * x) * x, away)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self.icdf(clamp_probs(self._uniform(self._extended_shape(sample_shape))))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        return -binary_cross_entropy(self.logits, value) + self._log_normalizer()

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        near, p = self._middle()
        away = ((-p + value * (2 * p - 1)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return og.where(near, value, away)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        near, p = self._middle()
        away = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return og.where(near, value, away).clamp(min=0, max=1)

    def entropy(self) -> Tensor:
        """The entropy."""
        one, zero = self.probs.log(), (-self.probs).log1p()
        return self.mean * (zero - one) - self._log_normalizer() - zero
