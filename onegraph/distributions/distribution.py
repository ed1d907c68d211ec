"""`Distribution`, the base: shapes, checks, and what follows from what a subclass defines. Read first: `shared.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.distributions import constraints
from onegraph.distributions.constraints import Constraint, Constraints
from onegraph.distributions.shared import known, lazy_property, og
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from onegraph.frontend.device import Size
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.ops.shapes import show


class Distribution:
    """Base of distributions.

    A subclass sets `arg_constraints` (the sets that its arguments are in) and `support`, and defines `rsample` or
    `sample`, `log_prob` and whatever else it knows. Its arguments are attributes; `expand` makes views of them.

    Its `batch_shape` says how many distributions stand side by side, its `event_shape` is that of one value, and `has_rsample`
    says whether gradients flow from samples to arguments.

    Values are checked where they are known already. A value that waits to be computed is left to wait, unless
    `validate_args=True` asks for it.
    """

    has_rsample: bool = False
    has_enumerate_support: bool = False
    arg_constraints: ClassVar[Constraints] = {}
    _validate_args: bool | None = None
    _alike: ClassVar[Sequence[str]] = ()  # arguments that are the same for the whole batch
    _checks: ClassVar[bool] = True

    def __init__(
        self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        self._validate_args = validate_args
        for name, constraint in self.arg_constraints.items():
            if isinstance(getattr(type(self), name, None), lazy_property) and name not in self.__dict__:
                continue  # follows from another argument
            value = getattr(self, name)
            if constraint is not constraints.dependent and isinstance(value, Tensor):
                self._check(value, constraint, f"the argument {name}")

    def _check(self, value: Tensor, constraint: Constraint, what: str) -> None:
        asked = self._validate_args
        if asked is False or (asked is None and not Distribution._checks):
            return
        found = value.detach()._array() if asked else known(value)
        if found is not None and not bool(constraint.check(found).all()):
            raise ArgumentError(
                f"{type(self).__name__}: {what} must be {constraint}, got {value!r:.200}",
                hint="validate_args=False leaves the check out",
            )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions made from now on check values."""
        if value not in (True, False):
            raise ArgumentTypeError(f"set_default_validate_args: expected a bool, got {value!r}")
        Distribution._checks = value

    # ---- shapes

    @property
    def batch_shape(self) -> Size:
        """The shape of the arguments."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return Size((*shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The same distribution with a batch shape that its own broadcasts to."""
        batch_shape = Size(batch_shape)
        new = type(self).__new__(type(self))
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor) and name not in self._alike:
                event = tuple(value.shape)[len(self._batch_shape) :]
                value = value.expand((*batch_shape, *event))
            elif isinstance(value, Distribution):
                value = value.expand((*batch_shape, *value.batch_shape[len(self._batch_shape) :]))
            new.__dict__[name] = value
        new._batch_shape = batch_shape
        return new

    # ---- what subclasses define

    @property
    def support(self) -> Constraint:
        """The set of possible values."""
        raise self._missing("support")

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise self._missing("mean")

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise self._missing("mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise self._missing("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape (*sample_shape, *batch_shape, *event_shape), without gradients."""
        with no_grad():
            return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values through which gradients flow to the arguments."""
        raise self._missing("rsample")

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log of the density, or of the probability, of a value; of shape (*sample_shape, *batch_shape)."""
        raise self._missing("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        raise self._missing("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is this."""
        raise self._missing("icdf")

    def entropy(self) -> Tensor:
        """The entropy, of shape batch_shape."""
        raise self._missing("entropy")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All possible values, along a new first dimension."""
        raise self._missing("enumerate_support")

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def _missing(self, name: str) -> UnsupportedError:
        return UnsupportedError(f"{type(self).__name__} has no {name}")

    # ---- help for subclasses

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"{type(self).__name__}: a value must be a tensor, got {type(value).__name__}")
        count = len(self._event_shape)
        if count and (value.ndim < count or tuple(value.shape)[value.ndim - count :] != tuple(self._event_shape)):
            raise ShapeError(
                f"{type(self).__name__}: a value of shape {show(value.shape)} does not end with the shape "
                f"{show(self._event_shape)} of one event"
            )
        outer = tuple(value.shape)[: value.ndim - count]
        for given, ours in zip(reversed(outer), reversed(self._batch_shape), strict=False):
            if 1 not in (given, ours) and given != ours:
                raise ShapeError(
                    f"{type(self).__name__}: a value of shape {show(value.shape)} does not broadcast with the batch "
                    f"shape {show(self._batch_shape)} and event shape {show(self._event_shape)}"
                )
        self._check(value, self.support, "the value")

    def _enumerated(self, count: int, expand: bool, dtype: Any) -> Tensor:
        values = og.arange(count, dtype=dtype).reshape(count, *(1 for _ in self._batch_shape))
        return values.expand((count, *self._batch_shape)) if expand else values

    def __repr__(self) -> str:
        shown = [
            f"{name}: {value if value.numel() == 1 else tuple(value.shape)}"
            for name in self.arg_constraints
            if isinstance(value := self.__dict__.get(name), Tensor)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class ExponentialFamily(Distribution):
    """Base of distributions of the exponential family; a name that programs ask for."""


LOG_2PI = math.log(2 * math.pi)
EULER = 0.57721566490153286060
