"""`kl_divergence`: for pairs of distributions with a formula, found by their classes. More with `register_kl`.

Formulas: Gil, Alajaji and Linder, "Rényi divergence measures for commonly used univariate continuous distributions", 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.distributions.categorical import Categorical, OneHotCategorical
from onegraph.distributions.discrete import Bernoulli, Binomial, ContinuousBernoulli, Geometric, Poisson
from onegraph.distributions.distribution import Distribution
from onegraph.distributions.gamma_family import Beta, Dirichlet, Gamma
from onegraph.distributions.location_scale import Cauchy, Exponential, Gumbel, HalfNormal, Laplace, Normal, Uniform
from onegraph.distributions.multivariate import Independent, MultivariateNormal, _solve_lower
from onegraph.distributions.shared import binary_cross_entropy, og, sum_rightmost
from onegraph.distributions.transformed import Pareto, TransformedDistribution
from onegraph.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from onegraph.frontend.tensor import Tensor

Formula = Callable[[Any, Any], Tensor]
_FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """Say how to compute the divergence of two classes of distributions (and of their subclasses).

    >>> import onegraph as og
    >>> class Mine(og.distributions.Normal): pass
    >>> @og.distributions.register_kl(Mine, Mine)
    ... def _(p, q):
    ...     return og.zeros_like(p.loc)
    >>> og.distributions.kl_divergence(Mine(0.0, 1.0), Mine(1.0, 1.0))
    tensor(0.)
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise ArgumentTypeError(f"register_kl: expected a class of distributions, got {kind!r}")

    def register(function: Formula) -> Formula:
        _FORMULAS[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of q from p: the mean, under p, of log p - log q.

    Args:
        p, q: distributions of the same values.

    Returns:
        A tensor of their batch shape.

    Raises:
        UnsupportedError: there is no formula for the two.

    >>> import onegraph as og
    >>> D = og.distributions
    >>> D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 1.0))
    tensor(0.5000)
    """
    best: tuple[int, Formula] | None = None
    for (a, b), formula in _FORMULAS.items():
        if isinstance(p, a) and isinstance(q, b):
            distance = type(p).__mro__.index(a) + type(q).__mro__.index(b)
            if best is None or distance < best[0]:
                best = distance, formula
    if best is None:
        raise UnsupportedError(
            f"kl_divergence: there is no formula for {type(p).__name__} and {type(q).__name__}",
            hint="estimate it: (p.log_prob(x) - q.log_prob(x)).mean(0) with x = p.rsample((1000,)); or register_kl",
        )
    return best[1](p, q)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return kl_divergence(p._base, q._base)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    above = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    return above.log() - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, euler = p.scale / q.scale, 0.57721566490153286060
    away = (q.loc - p.loc) / q.scale
    return -ratio.log() - away + ratio * euler + (away + og.lgamma(1 + ratio)).exp() - (1 + euler)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return og.where((q.low > p.low) | (q.high < p.high), og.full_like(found, math.inf), found)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    spread = (width**2 / 12 + (p.mean - q.loc) ** 2) / (2 * q.scale**2)
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + spread


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log()
        + og.lgamma(b)
        - og.lgamma(a)
        + (a - b) * og.digamma(a)
        + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _gamma(Gamma(og.ones_like(p.rate), p.rate, validate_args=False), q)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return _gamma(p, Gamma(og.ones_like(q.rate), q.rate, validate_args=False))


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    one, zero = p.concentration1, p.concentration0
    q_one, q_zero = q.concentration1, q.concentration0
    total, q_total = one + zero, q_one + q_zero
    ours = og.lgamma(q_one) + og.lgamma(q_zero) + og.lgamma(total)
    theirs = og.lgamma(one) + og.lgamma(zero) + og.lgamma(q_total)
    moved = (one - q_one) * og.digamma(one) + (zero - q_zero) * og.digamma(zero)
    return ours - theirs + moved + (q_total - total) * og.digamma(total)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    totals = og.lgamma(a.sum(-1)) - og.lgamma(b.sum(-1))
    parts = (og.lgamma(a) - og.lgamma(b)).sum(-1)
    moved = ((a - b) * (og.digamma(a) - og.digamma(a.sum(-1, keepdim=True)))).sum(-1)
    return totals - parts + moved


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    return binary_cross_entropy(q.logits, p.probs) - p.entropy()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    logs = (-p.probs).log1p() - (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + p._log_normalizer() - q._log_normalizer() + logs


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    found = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return og.where(p.total_count > q.total_count, og.full_like(found, math.inf), found)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    each = p.probs * (p.logits - q.logits)
    each = og.where((q.probs == 0).expand(each.shape), og.full_like(each, math.inf), each)
    each = og.where((p.probs == 0).expand(each.shape), og.zeros_like(each), each)
    return each.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p, q)  # type: ignore[arg-type]


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    scale, ratio = p.scale / q.scale, q.alpha / p.alpha
    found = q.alpha * scale.log() - ratio.log() + ratio - 1
    return og.where(p.scale < q.scale, og.full_like(found, math.inf), found)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ArgumentError(f"kl_divergence: event shapes {tuple(p.event_shape)} and {tuple(q.event_shape)} differ")
    n = p.event_shape[0]
    batch = tuple(og.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape)))
    factor = q.scale_tril.expand((*batch, n, n))
    spread = (_solve_lower(factor, p.scale_tril.expand((*batch, n, n))) ** 2).sum((-1, -2))
    away = (_solve_lower(factor, (q.loc - p.loc).expand((*batch, n)).unsqueeze(-1)) ** 2).sum((-1, -2))
    return q._half_log_determinant() - p._half_log_determinant() + 0.5 * (spread + away - n)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UnsupportedError("kl_divergence: Independent distributions of different numbers of dimensions")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if [type(t) for t in p.transforms] != [type(t) for t in q.transforms] or p.event_shape != q.event_shape:
        raise UnsupportedError("kl_divergence: distributions with different transforms")
    return kl_divergence(p.base_dist, q.base_dist)


# ---- other families: the entropy of p, and the mean of -log q, which needs only mean and variance of p


def _to_normal(p: Any, q: Normal) -> Tensor:
    spread = (p.variance + (p.mean - q.loc) ** 2) / (2 * q.scale**2)
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + spread - p.entropy()


def _to_exponential(p: Any, q: Exponential) -> Tensor:
    found = q.rate * p.mean - q.rate.log() - p.entropy()
    return og.where(p.low < 0, og.full_like(found, math.inf), found) if isinstance(p, Uniform) else found


_with_moments: tuple[type, ...] = (Laplace, Gumbel, Exponential, Gamma, Beta, ContinuousBernoulli, Pareto)
for _kind in _with_moments:
    register_kl(_kind, Normal)(_to_normal)
_with_moments = (Uniform, Beta, ContinuousBernoulli, Pareto)
for _kind in _with_moments:
    register_kl(_kind, Exponential)(_to_exponential)
