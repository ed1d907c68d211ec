"""Random numbers: generators give keys, and the numbers follow from the key alone (Philox), the same on every target."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.generate import _IGNORED
from onegraph.frontend.state import mode, wait_for
from onegraph.frontend.tensor import Device, Tensor, wrap, wrap_buffer
from onegraph.ir.dtype import as_dtype, float32, get_default_dtype, int64
from onegraph.ir.node import EMPTY, Node, Shape
from onegraph.ops import random as ops_random
from onegraph.ops.binary import ADD
from onegraph.ops.cast import cast
from onegraph.ops.leaf import constant
from onegraph.ops.movement import as_shape, check_sizes


class Generator:
    """A source of random numbers: a seed, and a count of the streams already used.

    >>> import onegraph as og
    >>> a = og.Generator().manual_seed(7)
    >>> b = og.Generator().manual_seed(7)
    >>> bool((og.rand(3, generator=a) == og.rand(3, generator=b)).all())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = Device(device)
        self._seed = 0
        self._stream = 0

    def manual_seed(self, seed: int) -> Generator:
        """Start again from a seed."""
        self._seed = int(seed) & (1 << 63) - 1
        self._stream = 0
        return self

    def seed(self) -> int:
        """Start again from a seed of the operating system's; returns it."""
        self.manual_seed(int.from_bytes(os.urandom(7), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed."""
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and count of streams, as a tensor."""
        return wrap_buffer(Buffer(np.array([self._seed, self._stream], np.int64), int64))

    def set_state(self, state: Tensor) -> None:
        """Go back to a state."""
        self._seed, self._stream = (int(v) for v in state.tolist())

    def advance(self, streams: int) -> tuple[int, int]:
        """Use up a number of streams; returns the seed and the first of them."""
        first = self._stream
        self._stream += streams
        return self._seed, first

    def next_key(self) -> Node:
        """The key of the next stream, as an int64 node of shape (2,)."""
        if mode.trace is not None:
            base, offset = mode.trace.random_stream(self)
            return ADD(base, constant(np.array([0, offset]), int64))
        key = np.array(self.advance(1), np.int64)
        return Node("input", (), EMPTY, (2,), int64, None, Buffer(key, int64))


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default generator again from a seed."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator again from a seed of the operating system's."""
    return default_generator.seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state."""
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(state)


def _finish(node: Node, requires_grad: bool, out: Tensor | None = None) -> Tensor:
    tensor = wrap(node, False)
    if out is not None:
        out._assign(tensor.node)
        return out
    wait_for(tensor)  # otherwise a loop would draw the same numbers again at each step
    return tensor.requires_grad_(True) if requires_grad else tensor


def _options(options: dict[str, Any]) -> None:
    Device(options.pop("device", None) or "cpu")
    for name in _IGNORED:
        options.pop(name, None)
    if options:
        raise ArgumentError(f"unknown arguments: {', '.join(options)}")


def _floating(dtype: Any) -> Any:
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def _shape(op: str, size: Any) -> Shape:
    return check_sizes(op, as_shape(op, size))


def rand(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
    **options: Any,
) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    _options(options)
    key = (generator or default_generator).next_key()
    return _finish(ops_random.uniform(key, _shape("rand", size), dtype=_floating(dtype)), requires_grad, out)


def randn(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
    **options: Any,
) -> Tensor:
    """Numbers drawn from the normal distribution with mean 0 and standard deviation 1."""
    _options(options)
    key = (generator or default_generator).next_key()
    return _finish(ops_random.normal(key, _shape("randn", size), dtype=_floating(dtype)), requires_grad, out)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
    **options: Any,
) -> Tensor:
    """Integers drawn evenly from [low, high); with two arguments from [0, first)."""
    _options(options)
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(high, int) or high <= low:
        raise ArgumentError(f"randint: needs low < high, got {low} and {high}")
    node = ops_random.randint((generator or default_generator).next_key(), low, high, _shape("randint", size))
    return _finish(cast(node, int64 if dtype is None else as_dtype(dtype)), requires_grad)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    _options(options)
    node = ops_random.permutation((generator or default_generator).next_key(), n)
    return _finish(cast(node, int64 if dtype is None else as_dtype(dtype)), requires_grad)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    **options: Any,
) -> Tensor:
    """Numbers drawn from normal distributions; mean and std may be tensors."""
    _options(options)
    shape: tuple[int, ...] = () if size is None else _shape("normal", size)  # type: ignore[assignment]
    if size is None:
        shape = np.broadcast_shapes(*[tuple(v.shape) for v in (mean, std) if isinstance(v, Tensor)])
    kind = next((v.dtype for v in (mean, std) if isinstance(v, Tensor)), _floating(dtype))
    return randn(*shape, generator=generator, dtype=kind) * std + mean


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element gives (or p), else 0."""
    probability = input if p is None else p
    drawn = rand(*input.shape, generator=generator, dtype=input.dtype if input.dtype.is_floating_point else float32)
    return (drawn < (probability.detach() if isinstance(probability, Tensor) else probability)).to(input.dtype)


_MOST_CATEGORIES = 2**24  # float32 counts no further


def _check_weights(input: Tensor) -> None:
    """Weights from which nothing can be drawn would give indices that mean nothing."""
    values = np.asarray(input._array(), np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ArgumentError(
            "multinomial: a weight is negative, infinite or NaN", hint="weights are probabilities, not logits"
        )
    if values.size and not (values.sum(-1) > 0).all():
        raise ArgumentError("multinomial: all weights of a row are 0")


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Indices drawn by the weights in each row."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"multinomial: needs one or two dimensions, got {tuple(input.shape)}")
    if input.shape[-1] > _MOST_CATEGORIES:
        raise ShapeError(f"multinomial: at most {_MOST_CATEGORIES} categories, got {tuple(input.shape)}")
    if mode.trace is None or not input._traced():
        _check_weights(input)
    key = (generator or default_generator).next_key()
    return wrap(ops_random.multinomial(key, input.detach().node, num_samples, replacement), False)


def _like(function: Any) -> Any:
    def like(input: Tensor, *args: Any, dtype: Any = None, **options: Any) -> Tensor:
        result: Tensor = function(*args, tuple(input.shape), dtype=dtype or input.dtype, **options)
        return result

    like.__name__ = f"{function.__name__}_like"
    like.__doc__ = f"As `{function.__name__}`, with the shape and dtype of another tensor."
    return like


rand_like = _like(rand)
randn_like = _like(randn)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, **options: Any) -> Tensor:
    """Integers drawn evenly from [low, high), with the shape of another tensor."""
    if high is None:
        low, high = 0, low
    return randint(low, high, tuple(input.shape), dtype=dtype or input.dtype, **options)


def _filled(draw: Any) -> Any:
    def fill(self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        self._assign(cast(draw(self, generator, *args, **kwargs).node, self.dtype))
        return self

    fill.__doc__ = draw.__doc__
    return fill


def _working(t: Tensor) -> Any:
    return t.dtype if t.dtype.is_floating_point else float32


@_filled
def uniform_(t: Tensor, generator: Generator | None, from_: float = 0.0, to: float = 1.0, **kwargs: float) -> Tensor:
    """Fill with numbers drawn evenly from [from, to)."""
    low = kwargs.get("from", from_)
    return rand(*t.shape, generator=generator, dtype=_working(t)) * (to - low) + low


@_filled
def normal_(t: Tensor, generator: Generator | None, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with numbers drawn from a normal distribution."""
    return randn(*t.shape, generator=generator, dtype=_working(t)) * std + mean


@_filled
def bernoulli_(t: Tensor, generator: Generator | None, p: Any = 0.5) -> Tensor:
    """Fill with 1 with probability p, else 0."""
    return (rand(*t.shape, generator=generator) < p).to(t.dtype)


@_filled
def random_(t: Tensor, generator: Generator | None, from_: int = 0, to: int | None = None) -> Tensor:
    """Fill with integers drawn evenly from [from, to)."""
    if to is None:
        from_, to = (
            (0, from_) if from_ else (0, 1 << min(t.dtype.bits - 1, 53) if not t.dtype.is_floating_point else 1 << 24)
        )
    return randint(from_, to, tuple(t.shape), generator=generator)


@_filled
def exponential_(t: Tensor, generator: Generator | None, lambd: float = 1.0) -> Tensor:
    """Fill with numbers drawn from the exponential distribution with rate lambd."""
    return -(1 - rand(*t.shape, generator=generator, dtype=_working(t))).log() / lambd


@_filled
def log_normal_(t: Tensor, generator: Generator | None, mean: float = 1.0, std: float = 2.0) -> Tensor:
    """Fill with exp of numbers drawn from a normal distribution."""
    return (randn(*t.shape, generator=generator, dtype=_working(t)) * std + mean).exp()


@_filled
def cauchy_(t: Tensor, generator: Generator | None, median: float = 0.0, sigma: float = 1.0) -> Tensor:
    """Fill with numbers drawn from the Cauchy distribution."""
    uniform = rand(*t.shape, generator=generator, dtype=_working(t))
    return ((uniform - 0.5) * np.pi).tan() * sigma + median


@_filled
def geometric_(t: Tensor, generator: Generator | None, p: float) -> Tensor:
    """Fill with numbers of trials, from 1, up to the first success."""
    uniform = 1 - rand(*t.shape, generator=generator, dtype=_working(t))
    return (uniform.log() / np.log1p(-p)).floor() + 1


FUNCTIONS = {
    f.__name__: f
    for f in (
        manual_seed, seed, initial_seed, get_rng_state, set_rng_state, rand, randn, randint, randperm, normal, bernoulli,
        multinomial, rand_like, randn_like, randint_like,
    )
}  # fmt: skip
METHODS = {
    **{f.__name__: f for f in (bernoulli, multinomial)},
    "uniform_": uniform_, "normal_": normal_, "bernoulli_": bernoulli_, "random_": random_, "exponential_": exponential_,
    "log_normal_": log_normal_, "cauchy_": cauchy_, "geometric_": geometric_,
}  # fmt: skip
