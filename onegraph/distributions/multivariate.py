"""Distributions of vectors, and of distributions: MultivariateNormal, Independent, MixtureSameFamily.

Read first: `distribution.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.categorical import Categorical
from onegraph.distributions.constraints import Constraints
from onegraph.distributions.distribution import LOG_2PI, Distribution
from onegraph.distributions.shared import lazy_property, og, one_of, sum_rightmost
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.ops.shapes import show

_linalg = namespaces["linalg"]


def _solve_lower(matrix: Tensor, right: Tensor) -> Tensor:
    found: Tensor = _linalg["solve_triangular"](matrix, right, upper=False)
    return found


class MultivariateNormal(Distribution):
    """The normal distribution of vectors.

    Args:
        loc: mean, (..., n).
        covariance_matrix: (..., n, n), or
        precision_matrix: its inverse, or
        scale_tril: its Cholesky factor, which costs least.
    """

    arg_constraints: ClassVar[Constraints] = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix,
            "scale_tril": scale_tril,
            "precision_matrix": precision_matrix,
        }
        name = one_of(self, **given)
        matrix = given[name]
        assert matrix is not None
        if loc.ndim < 1 or matrix.ndim < 2 or loc.shape[-1] != matrix.shape[-1] != matrix.shape[-2]:
            raise ShapeError(
                f"MultivariateNormal: loc {show(loc.shape)} and {name} {show(matrix.shape)} do not fit",
                hint="loc is (..., n), the matrix (..., n, n)",
            )
        n = loc.shape[-1]
        batch = tuple(og.broadcast_shapes(tuple(matrix.shape)[:-2], tuple(loc.shape)[:-1]))
        self.loc = loc.expand((*batch, n))
        self.__dict__[name] = matrix.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args)
        if name == "covariance_matrix":
            self._unbroadcasted_scale_tril = _linalg["cholesky"](matrix)
        elif name == "precision_matrix":
            reverse = _linalg["cholesky"](matrix.flip((-2, -1))).flip((-2, -1)).mT
            self._unbroadcasted_scale_tril = _solve_lower(reverse, og.eye(n, dtype=loc.dtype).expand(reverse.shape))
        else:
            self._unbroadcasted_scale_tril = matrix
        self._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril.expand((*batch, n, n))

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        n = self.loc.shape[-1]
        inverse = _solve_lower(self.scale_tril, og.eye(n, dtype=self.loc.dtype).expand(self.scale_tril.shape))
        return inverse.mT @ inverse

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance of each element."""
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        noise = og.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        difference = (value - self.loc).unsqueeze(-1)
        factor = self.scale_tril.expand((*tuple(difference.shape)[:-2], *tuple(self.scale_tril.shape)[-2:]))
        distance = (_solve_lower(factor, difference) ** 2).sum((-1, -2))
        return -0.5 * (self._event_shape[0] * LOG_2PI + distance) - self._half_log_determinant()

    def _half_log_determinant(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self) -> Tensor:
        """The entropy."""
        return 0.5 * self._event_shape[0] * (1 + LOG_2PI) + self._half_log_determinant()


class LowRankMultivariateNormal(MultivariateNormal):
    """The normal distribution of vectors with covariance W W' + D. (Computed with the whole matrix.)

    Args:
        loc: mean, (..., n).
        cov_factor: W, (..., n, rank).
        cov_diag: the diagonal of D, (..., n).
    """

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        self.cov_factor, self.cov_diag = cov_factor, cov_diag
        covariance = cov_factor @ cov_factor.mT + og.diag_embed(cov_diag)
        super().__init__(loc, covariance, validate_args=validate_args)


class Independent(Distribution):
    """A distribution whose last batch dimensions make one event.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: how many of them.

    >>> import onegraph as og
    >>> d = og.distributions.Independent(og.distributions.Normal(og.zeros(3), og.ones(3)), 1)
    >>> d.batch_shape, d.event_shape, d.log_prob(og.zeros(3)).shape
    (onegraph.Size([]), onegraph.Size([3]), onegraph.Size([]))
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        count = reinterpreted_batch_ndims
        if not 0 <= count <= len(base_distribution.batch_shape):
            raise ArgumentError(
                f"Independent: {count} dimensions of a batch shape {show(base_distribution.batch_shape)}"
            )
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        events = count + len(base_distribution.event_shape)
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, count
        super().__init__(shape[: len(shape) - events], shape[len(shape) - events :], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The same distribution with a batch shape that its own broadcasts to."""
        inner = tuple(self._event_shape)[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand((*batch_shape, *inner)), self.reinterpreted_batch_ndims)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether gradients flow from samples."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> constraints.Constraint:
        """The set of possible values."""
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density, summed over the event."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The entropy, summed over the event."""
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamily(Distribution):
    """One of several distributions of the same family, chosen by another.

    Args:
        mixture_distribution: a `Categorical` over the last batch dimension of
        component_distribution: the distributions.
    """

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ArgumentError("MixtureSameFamily: the mixture must be a Categorical")
        shape = component_distribution.batch_shape
        if not shape or shape[-1] != mixture_distribution._num_events:
            raise ShapeError(
                f"MixtureSameFamily: {mixture_distribution._num_events} categories and components {show(shape)} do not fit"
            )
        self._mixture, self._components = mixture_distribution, component_distribution
        super().__init__(tuple(shape)[:-1], component_distribution.event_shape, validate_args)

    @property
    def mixture_distribution(self) -> Categorical:
        """What chooses."""
        return self._mixture

    @property
    def component_distribution(self) -> Distribution:
        """What is chosen from."""
        return self._components

    @property
    def support(self) -> constraints.Constraint:
        """The set of possible values."""
        return self._components.support

    def _weights(self) -> Tensor:
        probs = self._mixture.probs
        return probs.reshape(*probs.shape, *(1 for _ in self._event_shape))

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return (self._weights() * self._components.mean).sum(-1 - len(self._event_shape))

    @property
    def variance(self) -> Tensor:
        """The variance: that within components, and that of their means."""
        dim = -1 - len(self._event_shape)
        within = (self._weights() * self._components.variance).sum(dim)
        apart = (self._weights() * (self._components.mean - self.mean.unsqueeze(dim)) ** 2).sum(dim)
        return within + apart

    def _padded(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-1 - len(self._event_shape))

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return (self._components.cdf(self._padded(value)) * self._mixture.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density."""
        self._validate_sample(value)
        log_mix = self._mixture.logits.log_softmax(-1)
        return (self._components.log_prob(self._padded(value)) + log_mix).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values, without gradients."""
        with no_grad():
            chosen = self._mixture.expand(self._batch_shape).sample(sample_shape)
            drawn = self._components.sample(sample_shape)
            events = len(self._event_shape)
            dim = drawn.ndim - events - 1
            index = chosen.reshape(*chosen.shape, *(1 for _ in range(events + 1)))
            shape = list(drawn.shape)
            shape[dim] = 1
            return drawn.gather(dim, index.expand(shape)).squeeze(dim).detach()
