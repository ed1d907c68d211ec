"""Sets of values that arguments and samples may have, under PyTorch's names. `check` works on tensors and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias


class Constraint:
    """A set of values.

    Args:
        name: for messages.
        test: from a tensor (or array) to bools, one for each event.
        event_dim: how many dimensions at the end make one value.
        is_discrete: whether values are whole numbers.
    """

    def __init__(self, name: str, test: Callable[[Any], Any], event_dim: int = 0, is_discrete: bool = False) -> None:
        self.name, self._test, self.event_dim, self.is_discrete = name, test, event_dim, is_discrete

    def check(self, value: Any) -> Any:
        """Whether each value is in the set.

        >>> import onegraph as og
        >>> og.distributions.constraints.positive.check(og.tensor([1.0, -1.0]))
        tensor([ True, False])
        """
        return self._test(value)

    def __repr__(self) -> str:
        return self.name


Constraints: TypeAlias = Mapping[str, Constraint]
"""The sets that arguments are in, by their names."""


class Interval(Constraint):
    """Numbers between two bounds, which may be tensors."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        super().__init__(f"interval from {lower_bound} to {upper_bound}", self._inside)
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def _inside(self, value: Any) -> Any:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class GreaterThan(Constraint):
    """Numbers above a bound."""

    def __init__(self, lower_bound: Any) -> None:
        super().__init__(f"greater than {lower_bound}", lambda v: v > lower_bound)
        self.lower_bound = lower_bound


class GreaterThanEq(Constraint):
    """Numbers from a bound on."""

    def __init__(self, lower_bound: Any) -> None:
        super().__init__(f"at least {lower_bound}", lambda v: v >= lower_bound)
        self.lower_bound = lower_bound


class LessThan(Constraint):
    """Numbers below a bound."""

    def __init__(self, upper_bound: Any) -> None:
        super().__init__(f"less than {upper_bound}", lambda v: v < upper_bound)
        self.upper_bound = upper_bound


class IntegerInterval(Constraint):
    """Whole numbers between two bounds."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        super().__init__(f"whole number from {lower_bound} to {upper_bound}", self._inside, is_discrete=True)
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def _inside(self, value: Any) -> Any:
        return (value % 1 == 0) & (value >= self.lower_bound) & (value <= self.upper_bound)


class independent(Constraint):
    """A set for each of several elements, which together make one value."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        count = reinterpreted_batch_ndims
        super().__init__(
            f"{base_constraint} in the last {count} dimensions",
            lambda v: _all_of_last(base_constraint.check(v), count),
            base_constraint.event_dim + count,
            base_constraint.is_discrete,
        )
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, count


def _all_of_last(value: Any, count: int) -> Any:
    for _ in range(count):
        value = value.all(-1)
    return value


interval, greater_than, greater_than_eq, less_than = Interval, GreaterThan, GreaterThanEq, LessThan
half_open_interval, integer_interval = Interval, IntegerInterval
boolean = Constraint("0 or 1", lambda v: (v == 0) | (v == 1), is_discrete=True)
real = Constraint("number", lambda v: v == v)
real_vector = independent(real, 1)
positive = GreaterThan(0.0)
nonnegative = GreaterThanEq(0.0)
unit_interval = Interval(0.0, 1.0)
positive_integer = Constraint("whole number from 1 on", lambda v: (v % 1 == 0) & (v >= 1), is_discrete=True)
nonnegative_integer = Constraint("whole number from 0 on", lambda v: (v % 1 == 0) & (v >= 0), is_discrete=True)
simplex = Constraint(
    "probabilities that sum to 1", lambda v: (v >= 0).all(-1) & (abs(v.sum(-1) - 1) < 1e-6), event_dim=1
)
one_hot = Constraint(
    "one 1 among zeros", lambda v: ((v == 0) | (v == 1)).all(-1) & (v.sum(-1) == 1), 1, is_discrete=True
)
multinomial_counts = Constraint("counts", lambda v: ((v % 1 == 0) & (v >= 0)).all(-1), 1, is_discrete=True)
lower_cholesky = Constraint(
    "lower triangular matrix with a positive diagonal",
    lambda v: (v.diagonal(0, -2, -1) > 0).all(-1),
    event_dim=2,
)
square = Constraint("square matrix", lambda v: v.sum(-1).sum(-1) == v.sum(-1).sum(-1), event_dim=2)
positive_definite = Constraint(
    "symmetric matrix with a positive diagonal",
    lambda v: ((abs(v - v.swapaxes(-2, -1)) < 1e-4).all(-1).all(-1)) & (v.diagonal(0, -2, -1) > 0).all(-1),
    event_dim=2,
)
dependent = Constraint("value that depends on the other arguments", lambda v: v == v)
