"""`signal.windows`: windows of signals, each one constant of the graph; symmetric unless `sym` is false.

A window of M points is a function of the place k = 0 .. M - 1; a periodic one (`sym=False`) is the symmetric one of M + 1
points without its last. Formulas: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier
transform" (Proc. IEEE 66, 1978); for Nuttall's, A. H. Nuttall, "Some windows with very good sidelobe behavior" (1981).

Read next: `signals.py` (the older names, such as `hann_window`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import as_dtype, float32, float64, get_default_dtype
from onegraph.ir.node import Node
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.public import public
from onegraph.ops.record import Array

_NAMESPACE = "signal.windows"
_NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)


def _window(name: str, M: Any, sym: bool, dtype: Any, values: Callable[[Array, int], Array]) -> Node:
    """The values of a function of the places and of how many of them a symmetric window has."""
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    if isinstance(M, bool) or not isinstance(M, int) or M < 0:
        raise ArgumentError(f"{name}: the number of points must be an int from 0 on, got {M!r}")
    if kind not in (float32, float64):
        raise ArgumentError(f"{name}: needs float32 or float64, got {kind.name}", hint="cast the window afterwards")
    places, points = np.arange(M, dtype=np.float64), M if sym else M + 1
    found = np.ones(M) if M < 2 else values(places, points)
    return cast(numpy_constant(np.asarray(found, np.float64)), kind)


def _sum_of_cosines(name: str, M: Any, sym: bool, dtype: Any, factors: Iterable[float]) -> Node:
    weights = [float(a) * (-1) ** i for i, a in enumerate(factors)]
    if not weights:
        raise ArgumentError(f"{name}: needs at least one factor")

    def values(k: Array, points: int) -> Array:
        angle = 2 * np.pi * k / (points - 1)
        return np.asarray(np.sum([w * np.cos(i * angle) for i, w in enumerate(weights)], axis=0))

    return _window(name, M, sym, dtype, values)


@public(namespace=_NAMESPACE)
def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, dtype: Any = None) -> Node:
    """A sum of cosines with alternating signs: a[0] - a[1] cos(t) + a[2] cos(2 t) - ..., t from 0 to 2 pi.

    Args:
        M: number of points.
        a: the factors, at least one.
        sym: whether the window is symmetric; else its next point would be the first again.
        dtype: float32 or float64, by default the default dtype.

    Raises:
        ArgumentError: M is negative or no int, `a` is empty, or the dtype is neither float32 nor float64.

    >>> general_cosine(4, a=[0.5, 0.5]).shape
    (4,)
    """
    return _sum_of_cosines("general_cosine", M, sym, dtype, a)


@public(namespace=_NAMESPACE)
def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None) -> Node:
    """alpha - (1 - alpha) cos(t), t from 0 to 2 pi; other arguments as for `general_cosine`."""
    return _sum_of_cosines("general_hamming", M, sym, dtype, (alpha, 1 - alpha))


@public(namespace=_NAMESPACE)
def hamming(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """A raised cosine that does not go down to 0; arguments as for `general_cosine`."""
    return _sum_of_cosines("hamming", M, sym, dtype, (0.54, 0.46))


@public(namespace=_NAMESPACE)
def hann(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """A raised cosine; arguments as for `general_cosine`."""
    return _sum_of_cosines("hann", M, sym, dtype, (0.5, 0.5))


@public(namespace=_NAMESPACE)
def blackman(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """A sum of two cosines; arguments as for `general_cosine`."""
    return _sum_of_cosines("blackman", M, sym, dtype, (0.42, 0.5, 0.08))


@public(namespace=_NAMESPACE)
def nuttall(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """A sum of three cosines with very low side lobes; arguments as for `general_cosine`."""
    return _sum_of_cosines("nuttall", M, sym, dtype, _NUTTALL)


@public(namespace=_NAMESPACE)
def bartlett(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """A triangle that goes down to 0 at both ends; arguments as for `general_cosine`."""
    return _window("bartlett", M, sym, dtype, lambda k, points: 1 - np.abs(2 * k / (points - 1) - 1))


@public(namespace=_NAMESPACE)
def cosine(M: int, *, sym: bool = True, dtype: Any = None) -> Node:
    """Half a period of a sine, which does not reach 0; arguments as for `general_cosine`."""
    return _window("cosine", M, sym, dtype, lambda k, points: np.sin(np.pi * (k + 0.5) / points))


@public(namespace=_NAMESPACE)
def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None) -> Node:
    """The density of a normal distribution with standard deviation `std`, 1 at its middle.

    Raises:
        ArgumentError: `std` is not positive, or as for `general_cosine`.
    """
    if std <= 0:
        raise ArgumentError(f"gaussian: std must be positive, got {std}")
    return _window("gaussian", M, sym, dtype, lambda k, points: np.exp(-(((k - (points - 1) / 2) / std) ** 2) / 2))


@public(namespace=_NAMESPACE)
def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: Any = None) -> Node:
    """exp(-|k - center| / tau); in the middle when no center is given.

    Raises:
        ArgumentError: `tau` is not positive, a symmetric window has a center given, or as for `general_cosine`.
    """
    if tau <= 0:
        raise ArgumentError(f"exponential: tau must be positive, got {tau}")
    if sym and center is not None:
        raise ArgumentError("exponential: a symmetric window has its center in the middle", hint="leave center out")

    def values(k: Array, points: int) -> Array:
        middle = (points - 1) / 2 if center is None else center
        return np.asarray(np.exp(-np.abs(k - middle) / tau))

    return _window("exponential", M, sym, dtype, values)


@public(namespace=_NAMESPACE)
def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None) -> Node:
    """Kaiser's window I0(beta sqrt(1 - x^2)) / I0(beta), x from -1 to 1.

    Raises:
        ArgumentError: `beta` is negative, or as for `general_cosine`.
    """
    if beta < 0:
        raise ArgumentError(f"kaiser: beta must not be negative, got {beta}")

    def values(k: Array, points: int) -> Array:
        x = 2 * k / (points - 1) - 1
        return np.asarray(np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta))

    return _window("kaiser", M, sym, dtype, values)
