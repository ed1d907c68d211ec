"""Random counts: `poisson` and `binomial`, by the inverse of cumulative sums of probabilities. Read first: `random.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.dynamic import look
from onegraph.frontend.random import Generator, rand
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import float64
from onegraph.ops.creation import arange

_REACH = 12  # standard deviations


def count_below(uniform: Tensor, numbers: Tensor, log_pmf: Callable[[Tensor], Tensor]) -> Tensor:
    """The first of several rising numbers whose cumulative probability reaches a random number.

    Args:
        uniform: float64 numbers from [0, 1), of shape (...).
        numbers: float64 whole numbers, of shape (..., how many), that carry all of the probability.
        log_pmf: from those numbers to their log probabilities.
    """
    below = (uniform.unsqueeze(-1) >= log_pmf(numbers).exp().cumsum(-1)).sum(-1)
    return numbers[..., 0] + below.double().clamp(max=numbers.shape[-1] - 1)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of events that come at the rates in a tensor. Looks at the largest rate.

    Args:
        input: rates, from 0 on.
        generator: of random numbers.

    Raises:
        ArgumentError: a rate below 0.
    """
    with no_grad():
        rate = input.detach().double()
        most, least = (float(look("poisson", v, "draw before tracing")) for v in (rate.max(), rate.min()))
        if not least >= 0:
            raise ArgumentError(f"poisson: rates must not be negative, got {least}")
        width = math.ceil(2 * _REACH * math.sqrt(most)) + 30
        first = (rate - _REACH * rate.sqrt()).floor().clamp(min=0).unsqueeze(-1)
        numbers = first + wrap(arange(width, dtype=float64), False)
        safe = rate.clamp(min=1e-300).unsqueeze(-1)
        uniform = rand(*rate.shape, generator=generator, dtype=float64)
        drawn = count_below(uniform, numbers, lambda k: k * safe.log() - safe - (k + 1).lgamma())
        return drawn.to(input.dtype).detach()


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of successes in `count` trials with the probabilities in a tensor. Looks at the largest count.

    Args:
        count: numbers of trials.
        prob: probabilities of success.
        generator: of random numbers.
    """
    with no_grad():
        n, p = count.detach().double(), prob.detach().double()
        highest = int(look("binomial", n.max(), "draw before tracing"))
        numbers = wrap(arange(highest + 1, dtype=float64), False)
        trials, chance = n.unsqueeze(-1), p.unsqueeze(-1).clamp(min=1e-300, max=1 - 1e-16)

        def log_pmf(k: Tensor) -> Tensor:
            rest = (trials - k).clamp(min=0)
            choices = (trials + 1).lgamma() - (k + 1).lgamma() - (rest + 1).lgamma()
            found = choices + k * chance.log() + rest * (-chance).log1p()
            return found.masked_fill(k > trials, -math.inf)

        shape = (n + p).shape
        drawn = count_below(rand(*shape, generator=generator, dtype=float64), numbers, log_pmf)
        drawn = drawn.minimum(n).masked_fill(p >= 1, 0) + n * (p >= 1).double()
        return drawn.masked_fill(p <= 0, 0).to(prob.dtype).detach()


FUNCTIONS: dict[str, Any] = {"binomial": binomial, "poisson": poisson}
