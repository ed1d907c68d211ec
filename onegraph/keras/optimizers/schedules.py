"""Learning rates that change with the step. A schedule is called with the step's number, from 0, and gives a number.

Read next: `__init__.py` (the optimizers that take them as `learning_rate`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from onegraph.errors import ArgumentError
from onegraph.keras.registry import Configured, Registry

schedules = Registry("learning rate schedule")


class LearningRateSchedule(Configured):
    """Base of schedules: define `__call__(step)`."""

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(step)")


class _Decay(LearningRateSchedule):
    """What the schedules with decay_steps and decay_rate share."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        if decay_steps <= 0:
            raise ArgumentError(f"{type(self).__name__}: decay_steps must be positive, got {decay_steps}")
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase = decay_rate, staircase

    def _progress(self, step: int) -> float:
        return step // self.decay_steps if self.staircase else step / self.decay_steps


@schedules.add()
class ExponentialDecay(_Decay):
    """initial * decay_rate ^ (step / decay_steps); whole powers only with `staircase`.

    >>> ExponentialDecay(0.1, 10, 0.5)(20)
    0.025
    """

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return self.initial_learning_rate * self.decay_rate ** self._progress(step)


@schedules.add()
class InverseTimeDecay(_Decay):
    """initial / (1 + decay_rate * step / decay_steps)."""

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return self.initial_learning_rate / (1 + self.decay_rate * self._progress(step))


@schedules.add()
class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to and including each boundary, and a last one.

    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(100), schedule(101), schedule(999)
    (0.1, 0.01, 0.001)
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float], name: str | None = None) -> None:
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ArgumentError(
                "PiecewiseConstantDecay: needs rising boundaries and one value more than boundaries, "
                f"got {len(boundaries)} and {len(values)}"
            )
        self.boundaries, self.values = list(boundaries), list(values)

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return self.values[bisect_left(self.boundaries, step)]


@schedules.add()
class PolynomialDecay(LearningRateSchedule):
    """From the initial to the end value along (1 - step / decay_steps) ^ power."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 1e-4,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power, self.cycle = end_learning_rate, power, cycle

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        total = self.decay_steps
        if self.cycle:
            total *= max(1, math.ceil(step / self.decay_steps))
        share = 1 - min(step, total) / total
        return (self.initial_learning_rate - self.end_learning_rate) * share**self.power + self.end_learning_rate


@schedules.add()
class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial value to alpha times it, after a straight warm-up. Source: arXiv 1608.03983.

    Args:
        initial_learning_rate: at the start (of the warm-up, if there is one).
        decay_steps: length of the half cosine.
        alpha: what part is left at the end.
        warmup_target: where the warm-up leads; None for no warm-up.
        warmup_steps: length of the warm-up.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str | None = None,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            top, step = self.warmup_target, step - self.warmup_steps
        cosine = 0.5 * (1 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps))
        return top * ((1 - self.alpha) * cosine + self.alpha)


@schedules.add()
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines that start again, each t_mul times as long and m_mul times as high. Source: arXiv 1608.03983."""

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha = t_mul, m_mul, alpha

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        length, height, left = float(self.first_decay_steps), 1.0, float(step)
        while left >= length:
            left, length, height = left - length, length * self.t_mul, height * self.m_mul
        cosine = 0.5 * height * (1 + math.cos(math.pi * left / length))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)
