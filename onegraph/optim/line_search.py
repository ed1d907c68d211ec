"""A step length that meets the strong Wolfe conditions, on the host: what `LBFGS(line_search_fn='strong_wolfe')` uses.

Source: Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 3.5 and 3.6; the cubic of equation 3.59.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Vector = np.ndarray[Any, Any]

_ENOUGH = 1e-4  # part of the expected decrease that must be reached
_FLAT = 0.9  # part of the first slope that may be left
_MOST = 25  # evaluations


class Point(NamedTuple):
    """A step length with loss, gradient and slope along the direction there."""

    length: float
    loss: float
    gradient: Vector
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is lowest, within bounds (by default the two points)."""
    low, high = bounds or (min(a.length, b.length), max(a.length, b.length))
    middle = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = middle * middle - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    left, right = (a, b) if a.length <= b.length else (b, a)
    part = (right.slope + root - middle) / (right.slope - left.slope + 2 * root)
    return min(max(right.length - (right.length - left.length) * part, low), high)


class StrongWolfe:
    """One search along a direction.

    Args:
        evaluate: from a step length the loss and the gradient there.
        direction: along which to go.
        start: the point with length 0.
        smallest: an interval that moves no parameter further than this is not divided again.
    """

    def __init__(
        self, evaluate: Callable[[float], tuple[float, Vector]], direction: Vector, start: Point, smallest: float
    ) -> None:
        self.function, self.direction, self.start, self.smallest = evaluate, direction, start, smallest
        self.evaluations = 0

    def _at(self, length: float) -> Point:
        loss, gradient = self.function(length)
        self.evaluations += 1
        return Point(length, loss, gradient, float(gradient @ self.direction))

    def _too_high(self, p: Point) -> bool:
        return p.loss > self.start.loss + _ENOUGH * p.length * self.start.slope

    def _is_flat(self, p: Point) -> bool:
        return abs(p.slope) <= -_FLAT * self.start.slope

    def search(self, length: float) -> Point:
        """The point that was found, looking first at a length."""
        before, here = self.start, self._at(length)
        for looked in range(_MOST):
            if self._too_high(here) or (looked > 1 and here.loss >= before.loss):
                return self._divide(before, here, looked)
            if self._is_flat(here):
                return here
            if here.slope >= 0:
                return self._divide(before, here, looked)
            bounds = (here.length + 0.01 * (here.length - before.length), here.length * 10)
            length = cubic_minimum(before, here, bounds)
            before, here = here, self._at(length)
        return min(self.start, here, key=lambda p: p.loss)

    def _divide(self, a: Point, b: Point, looked: int) -> Point:
        """Narrow an interval that holds a good point."""
        ends, reach, stuck = [a, b], float(np.abs(self.direction).max()), False
        low = 0 if a.loss <= b.loss else 1
        for _ in range(looked, _MOST):
            if abs(ends[1].length - ends[0].length) * reach < self.smallest:
                break
            length, stuck = self._inside(ends, stuck)
            here = self._at(length)
            if self._too_high(here) or here.loss >= ends[low].loss:
                ends[1 - low] = here
                low = 0 if ends[0].loss <= ends[1].loss else 1
                continue
            done = self._is_flat(here)
            if not done and here.slope * (ends[1 - low].length - ends[low].length) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = here
            if done:
                break
        return ends[low]

    @staticmethod
    def _inside(ends: list[Point], stuck: bool) -> tuple[float, bool]:
        """The cubic's minimum, kept away from the ends when it came close to them twice."""
        first, last = sorted(p.length for p in ends)
        length = cubic_minimum(ends[0], ends[1])
        margin = 0.1 * (last - first)
        if min(last - length, length - first) >= margin:
            return length, False
        if stuck or length >= last or length <= first:
            return (last - margin if abs(length - last) < abs(length - first) else first + margin), False
        return length, True
