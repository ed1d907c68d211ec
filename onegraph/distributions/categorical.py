"""Distributions of categories: Categorical, OneHotCategorical, Multinomial, and relaxed ones.

Read first: `distribution.py`, `shared.py`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.discrete import _Binary
from onegraph.distributions.distribution import Distribution
from onegraph.distributions.shared import (
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    og,
    one_of,
    probs_to_logits,
    softplus,
)
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.device import Size
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor


class _Categories(Distribution):
    """Base of distributions with one probability (or logit) a category, in the last dimension."""

    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.Constraint("numbers from 0 on", lambda v: (v >= 0).all(-1), 1),
        "logits": constraints.real_vector,
    }

    def _set(self, probs: Any, logits: Any) -> None:
        self._given = one_of(self, probs=probs, logits=logits)
        given = probs if self._given == "probs" else logits
        if not isinstance(given, Tensor) or given.ndim < 1:
            raise ShapeError(f"{type(self).__name__}: {self._given} must be a tensor of at least one dimension")
        if self._given == "probs":
            self.__dict__["probs"] = given / given.sum(-1, keepdim=True)
        else:
            self.__dict__["logits"] = given - given.logsumexp(-1, keepdim=True)
        self._num_events = int(given.shape[-1])
        self._to_check = given

    @property
    def _param(self) -> Tensor:
        found: Tensor = self.__dict__[self._given]
        return found

    @property
    def param_shape(self) -> Size:
        """The shape of the argument."""
        return self._param.shape

    @lazy_property
    def logits(self) -> Tensor:
        """Log probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """Probabilities."""
        return logits_to_probs(self.logits)

    def _entropy(self) -> Tensor:
        kept = self.logits.clamp(min=og.finfo(self.logits.dtype).min)
        return -(kept * self.probs).sum(-1)

    def _draw(self, sample_shape: Any) -> Tensor:
        """Numbers of categories, of shape (*sample_shape, *batch_shape)."""
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        count = math.prod(shape)
        rows = self.probs.reshape(-1, self._num_events)
        drawn = og.multinomial(rows, count, True).t()
        return drawn.reshape(*shape, *self._batch_shape)


class Categorical(_Categories):
    """The number of a category.

    Args:
        probs: of shape (..., categories), from 0 on; divided by their sum. Or
        logits: log probabilities, up to a constant.

    >>> import onegraph as og
    >>> d = og.distributions.Categorical(probs=og.tensor([0.25, 0.75]))
    >>> action = d.sample()
    >>> d.log_prob(og.tensor(1)).exp()
    tensor(0.7500)
    """

    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        super().__init__(tuple(self._param.shape)[:-1], validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers below that of categories."""
        return constraints.IntegerInterval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """Not a number: categories have no order."""
        return og.full(tuple(self._batch_shape), math.nan, dtype=self._param.dtype)

    @property
    def mode(self) -> Tensor:
        """The most likely category."""
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        """Not a number: categories have no order."""
        return self.mean

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Numbers of categories, int64."""
        with no_grad():
            return self._draw(sample_shape).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability of a category."""
        self._validate_sample(value)
        index = value.long().unsqueeze(-1)
        shape = og.broadcast_shapes(tuple(index.shape), (*self._batch_shape, 1))
        index = index.expand(shape)
        logits = self.logits.expand((*shape[:-1], self._num_events))
        return logits.gather(-1, index).squeeze(-1)

    def entropy(self) -> Tensor:
        """The entropy."""
        return self._entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All categories, along a new first dimension."""
        return self._enumerated(self._num_events, expand, og.int64)


class OneHotCategorical(_Categories):
    """A category as a vector of zeros with a 1 at its place; arguments as for `Categorical`."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        shape = tuple(self._param.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The most likely category."""
        return self._one_hot(self.probs.argmax(-1))

    @property
    def variance(self) -> Tensor:
        """The variance of each element."""
        return self.probs * (1 - self.probs)

    def _one_hot(self, index: Tensor) -> Tensor:
        return (og.arange(self._num_events) == index.unsqueeze(-1)).to(self._param.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors of zeros with a 1, without gradients."""
        with no_grad():
            return self._one_hot(self._draw(sample_shape)).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability of a category."""
        self._validate_sample(value)
        kept = self.logits.clamp(min=og.finfo(self.logits.dtype).min)
        return (value * kept).sum(-1)

    def entropy(self) -> Tensor:
        """The entropy."""
        return self._entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All categories, along a new first dimension."""
        n = self._num_events
        values = og.eye(n, dtype=self._param.dtype).reshape(n, *(1 for _ in self._batch_shape), n)
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose samples pass gradients on to the probabilities as if they were these.

    Source: Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors of zeros with a 1, through which gradients flow."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(_Categories):
    """How often each category comes up in some draws.

    Args:
        total_count: how many draws.
        probs, logits: as for `Categorical`.
    """

    support = constraints.multinomial_counts

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int):
            raise ArgumentError(f"Multinomial: total_count must be an int, got {total_count!r}")
        self.total_count = total_count
        self._set(probs, logits)
        shape = tuple(self._param.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts, without gradients."""
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        with no_grad():
            drawn = self._draw((self.total_count, *shape))
            return (og.arange(self._num_events) == drawn.unsqueeze(-1)).sum(0).to(self._param.dtype).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability of counts."""
        self._validate_sample(value)
        kept = og.where((value == 0) & (self.logits == -math.inf), og.zeros_like(self.logits), self.logits)
        choices = og.lgamma(value.sum(-1) + 1) - og.lgamma(value + 1).sum(-1)
        return choices + (kept * value).sum(-1)

    def entropy(self) -> Tensor:
        """The entropy."""
        n, p = self.total_count, self.probs.unsqueeze(-1)
        k = og.arange(n + 1, dtype=self._param.dtype)
        log_choose = math.lgamma(n + 1) - og.lgamma(k + 1) - og.lgamma(n - k + 1)
        weight = (log_choose + og.xlogy(k, p) + og.xlogy(n - k, 1 - p)).exp()
        return n * self._entropy() - math.lgamma(n + 1) + (weight * og.lgamma(k + 1)).sum((-1, -2))


class RelaxedOneHotCategorical(_Categories):
    """Probabilities near a corner: a category through which gradients flow.

    Args:
        temperature: how far from a corner.
        probs, logits: as for `Categorical`.

    Sources: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017; Maddison et al., "The concrete
    distribution", 2017.
    """

    support = constraints.simplex
    has_rsample = True
    _alike = ("temperature",)

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        self._set(probs, logits)
        shape = tuple(self._param.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        uniform = clamp_probs(og.rand(self._extended_shape(sample_shape), dtype=self._param.dtype))
        scores = (self.logits - (-uniform.log()).log()) / self.temperature
        return scores.softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        count, t = self._num_events, og.as_tensor(self.temperature, dtype=self._param.dtype)
        score = self.logits - value.log() * t
        scale = math.lgamma(count) + (count - 1) * t.log()
        return (score - score.logsumexp(-1, keepdim=True)).sum(-1) + scale - value.log().sum(-1)


class RelaxedBernoulli(_Binary):
    """Numbers near 0 or 1: a Bernoulli through which gradients flow.

    Args:
        temperature: how far from 0 and 1.
        probs: the probability of 1, or
        logits: its logit.

    Source: Maddison et al., "The concrete distribution", 2017.
    """

    support = constraints.unit_interval
    has_rsample = True
    _alike = ("temperature",)

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        (probs,) = broadcast_all(clamp_probs(self.probs))
        uniform = clamp_probs(self._uniform(self._extended_shape(sample_shape)))
        scores = uniform.log() - (-uniform).log1p() + probs.log() - (-probs).log1p()
        return clamp_probs((scores / self.temperature).sigmoid())

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        t = og.as_tensor(self.temperature, dtype=self._param.dtype)
        logit = probs_to_logits(value, is_binary=True)
        difference = self.logits - logit * t
        of_logit = t.log() + difference - 2 * softplus(difference)
        return of_logit + softplus(logit) + softplus(-logit)
