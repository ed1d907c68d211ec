"""From a set of values to a transform onto it: `transform_to` for optimizing, `biject_to` for densities."""

from __future__ import annotations

from onegraph.distributions import constraints, transforms
from onegraph.distributions.constraints import Constraint
from onegraph.distributions.transforms import Transform
from onegraph.errors import UnsupportedError

__all__ = ["biject_to", "transform_to"]


def _find(constraint: Constraint, bijective: bool) -> Transform:
    if isinstance(constraint, constraints.independent):
        inner = _find(constraint.base_constraint, bijective)
        return transforms.IndependentTransform(inner, constraint.reinterpreted_batch_ndims)
    if isinstance(constraint, (constraints.GreaterThan, constraints.GreaterThanEq)):
        return transforms.ComposeTransform(
            [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
        )
    if isinstance(constraint, constraints.LessThan):
        return transforms.ComposeTransform(
            [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
        )
    if isinstance(constraint, constraints.Interval):
        low, high = constraint.lower_bound, constraint.upper_bound
        if (low, high) == (0, 1):
            return transforms.SigmoidTransform()
        return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])
    if constraint is constraints.real:
        return transforms.identity_transform
    if constraint is constraints.simplex:
        return transforms.StickBreakingTransform() if bijective else transforms.SoftmaxTransform()
    if constraint is constraints.lower_cholesky:
        return transforms.LowerCholeskyTransform()
    if constraint is constraints.positive_definite:
        return transforms.PositiveDefiniteTransform()
    raise UnsupportedError(f"there is no transform to: {constraint}")


def transform_to(constraint: Constraint) -> Transform:
    """A transform from all numbers onto a set, for parameters that must stay inside.

    >>> import onegraph as og
    >>> D = og.distributions
    >>> D.transform_to(D.constraints.positive)(og.tensor(0.0))
    tensor(1.)
    """
    return _find(constraint, bijective=False)


def biject_to(constraint: Constraint) -> Transform:
    """A transform from all numbers onto a set, with an inverse."""
    return _find(constraint, bijective=True)
