"""`keras.random`: random tensors by seed. A `SeedGenerator` gives other numbers at each use; an integer always the same.

Without a seed the numbers come from onegraph's own generator, which `keras.utils.set_random_seed` starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.random import Generator
from onegraph.frontend.tensor import Tensor
from onegraph.keras import backend
from onegraph.keras.ops.dispatch import convert, dtype_of, floating, operation

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]


class SeedGenerator:
    """A source of random numbers that goes on from use to use.

    Args:
        seed: where to start; drawn by the operating system if None.
        name: for the user.

    >>> generator = SeedGenerator(1)
    >>> first, second = uniform((2,), seed=generator), uniform((2,), seed=generator)
    >>> bool((first == second).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if seed is not None and (not isinstance(seed, int) or seed < 0):
            raise ArgumentError(f"SeedGenerator: seed must be a whole number that is not negative, got {seed!r}")
        self.name = name or "seed_generator"
        self.generator = Generator()
        self.seed = self.generator.seed() if seed is None else seed
        self.generator.manual_seed(self.seed)

    def next(self, ordered: bool = True) -> Any:
        """Seed and number of the next stream, as an int64 tensor (2,)."""
        return convert(list(self.generator.advance(1)), "int64")

    @property
    def state(self) -> Any:
        """Seed and count of streams used, as a tensor."""
        return self.generator.get_state()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A generator from the constructor's arguments."""
        return cls(**config)


def _generator(seed: Any) -> Generator | None:
    if seed is None:
        return None
    if isinstance(seed, SeedGenerator):
        return seed.generator
    if isinstance(seed, Generator):
        return seed
    if isinstance(seed, Tensor):
        values = seed.reshape(-1).tolist()
        return Generator().manual_seed(hash(tuple(values)))
    if not isinstance(seed, int):
        raise ArgumentTypeError(f"seed must be None, a whole number or a SeedGenerator, got {type(seed).__name__}")
    return Generator().manual_seed(seed)


def _float(dtype: Any) -> Any:
    return dtype_of(dtype or backend.floatx())


def normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from the normal distribution."""
    return EXPORTS["randn"](tuple(shape), dtype=_float(dtype), generator=_generator(seed)) * stddev + mean


def uniform(shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers drawn evenly from [minval, maxval); whole ones if the dtype is an integer one.

    >>> uniform((2, 3), seed=1).shape
    onegraph.Size([2, 3])
    """
    kind = _float(dtype)
    if not kind.is_floating_point:
        return randint(shape, minval, maxval, kind, seed)
    return EXPORTS["rand"](tuple(shape), dtype=kind, generator=_generator(seed)) * (maxval - minval) + minval


def randint(shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Whole numbers drawn evenly from [minval, maxval)."""
    found = EXPORTS["randint"](int(minval), int(maxval), tuple(shape), generator=_generator(seed))
    return found.to(dtype_of(dtype))


def truncated_normal(
    shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers from the normal distribution, no farther from the mean than two standard deviations."""
    low, high = 0.022750131948179, 0.977249868051821  # the distribution function at -2 and 2
    u = EXPORTS["rand"](tuple(shape), dtype=_float(dtype), generator=_generator(seed)) * (high - low) + low
    return (EXPORTS["erfinv"](2 * u - 1) * 2**0.5).clamp(-2, 2) * stddev + mean


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Class numbers drawn for each row of logits: (rows, num_samples)."""
    logits = floating(logits)
    noise = EXPORTS["rand"]((logits.shape[0], num_samples, logits.shape[-1]), generator=_generator(seed))
    gumbel = -(-(noise.clamp(min=1e-20)).log()).log()  # the largest of logits and Gumbel noise is a draw
    return (logits.unsqueeze(1) + gumbel).argmax(-1).to(dtype_of(dtype))


@operation
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Each element set to 0 with probability `rate`, the others divided by 1 - rate."""
    x = floating(inputs)
    if not 0 <= rate <= 1:
        raise ArgumentError(f"dropout: rate must be between 0 and 1, got {rate}")
    if not rate:
        return x
    sizes = list(x.shape)
    if noise_shape is not None:
        sizes = [s if n is None else n for n, s in zip(noise_shape, x.shape, strict=True)]
    kept = EXPORTS["rand"](tuple(sizes), generator=_generator(seed)) >= rate
    return EXPORTS["where"](kept, x / (1 - rate) if rate < 1 else x, x * 0)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices along an axis in another order."""
    x = convert(x)
    order = EXPORTS["randperm"](x.shape[axis], generator=_generator(seed))
    return x.index_select(axis % x.ndim, order)


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from the gamma distribution with shape alpha and scale 1.

    Source: Marsaglia and Tsang, ACM TOMS 2000. Their rejection, which succeeds with a probability above 0.95, is tried
    eight times; the acceptable proposal with the lowest number is taken.
    """
    kind, generator = _float(dtype), _generator(seed)
    alpha = convert(alpha, "float32")
    small = alpha < 1
    d = EXPORTS["where"](small, alpha + 1, alpha) - 1 / 3
    size = (8, *shape)
    z = EXPORTS["randn"](size, generator=generator)
    u = EXPORTS["rand"](size, generator=generator).clamp(min=1e-30)
    v = (1 + z / (9 * d).sqrt()) ** 3
    positive = v > 0
    log_v = EXPORTS["where"](positive, v, v * 0 + 1).log()
    accepted = positive & (u.log() < 0.5 * z * z + d - d * v + d * log_v)
    first = accepted.float().argmax(0)  # the first that is accepted; 0 if none is
    chosen = v.gather(0, first.unsqueeze(0)).squeeze(0).clamp(min=1e-30) * d
    boost = EXPORTS["rand"](tuple(shape), generator=generator).clamp(min=1e-30) ** (1 / alpha)
    return EXPORTS["where"](small.expand(*shape) if small.ndim == 0 else small, chosen * boost, chosen).to(kind)


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from the beta distribution: a / (a + b) of two gamma distributed numbers."""
    generator = _generator(seed)
    a, b = gamma(shape, alpha, dtype, generator), gamma(shape, beta, dtype, generator)
    return a / (a + b)


def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """How many of `counts` trials succeed, each with its probability. Draws all the trials."""
    counts, share = convert(counts, "float32"), convert(probabilities, "float32")
    most = int(counts.max().item())
    u = EXPORTS["rand"]((most, *shape), generator=_generator(seed))
    trial = EXPORTS["arange"](most).float().reshape(most, *[1] * len(shape))
    return ((u < share) & (trial < counts)).float().sum(0).to(_float(dtype))
