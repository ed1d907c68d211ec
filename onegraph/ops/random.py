"""Random numbers of all distributions, made of the words of `philox.py`. Every function takes a key first.

The formulas are written out in the docstrings: they are the same for every target.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError
from onegraph.ir.dim import Dim, Size
from onegraph.ir.dtype import DType, as_dtype, float32, float64, get_default_dtype, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import (
    ADD,
    AND,
    GE,
    GT,
    LT,
    MAXIMUM,
    MOD,
    MUL,
    SHIFT_RIGHT,
    SUB,
    add,
    clamp,
    div,
    mul,
    sub,
)  # fmt: skip
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import COS, ERF, EXP, LOG, LOG1P, NEG, SQRT, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.movement import EXPAND, RESHAPE, reshape_to, slice_dim
from onegraph.ops.philox import RANDOM_BITS, bits64, fold_in, make_key, split, word_pairs
from onegraph.ops.promotion import as_node
from onegraph.ops.reduction import ARGMAX, SUM
from onegraph.ops.shapes import normalize_dim, numel, show

DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Binary digits of a uniform number in [0, 1): as many as every number in [0.5, 1) has."""


def floating_dtype(op: str, dtype: Any) -> DType:
    """The dtype, or the default one for None; a typed error when it is no floating one."""
    found = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not found.is_floating_point:
        raise DTypeError(f"{op}: gives floating numbers, not {found.name}")
    return found


def unit(key: Node, shape: Shape, dtype: DType = float32) -> Node:
    """Uniform numbers in [0, 1): multiples of 2**-digits, with the DIGITS of the dtype."""
    digits = DIGITS[dtype.name]
    wide = float64 if dtype is float64 else float32
    if dtype is float64:
        word, mask = bits64(key, shape), constant((1 << digits) - 1, int64)
    else:
        word, mask = RANDOM_BITS(key, shape=shape), constant((1 << digits) - 1, int32)
    return cast(MUL(cast(AND(word, mask), wide), constant(2.0**-digits, wide)), dtype)


def uniform(key: Node, shape: Shape, low: Any = 0.0, high: Any = 1.0, dtype: Any = None) -> Node:
    """Uniform numbers in [low, high): low + (high - low) * u, and low where rounding would give high.

    Args:
        key: int64 of shape (2,).
        shape: of the result.
        low, high: numbers, or nodes that broadcast to the shape; gradients flow to them.
        dtype: a floating dtype, the default one if None.
    """
    dtype = floating_dtype("uniform", dtype)
    u = unit(key, shape, dtype)
    if not isinstance(low, Node) and not isinstance(high, Node):
        if low == 0 and high == 1:
            return u
        if not -math.inf < low <= high < math.inf:
            raise ArgumentError(f"uniform: the bounds must be finite and low <= high, got {low} and {high}")
    bottom, top = (cast(as_node(b), dtype) if isinstance(b, Node) else constant(b, dtype) for b in (low, high))
    x = ADD(MUL(u, sub(top, bottom)), bottom)
    return WHERE(GE(x, top), bottom, x)


def bernoulli(key: Node, probability: Any, shape: Shape | None = None, dtype: Any = None) -> Node:
    """1 with a probability, else 0: whether a uniform number is below it.

    Args:
        key: int64 of shape (2,).
        probability: a number, or a floating node of the result's shape; 0 never and 1 always gives 1.
        shape: of the result, needed where the probability is a number.
        dtype: of the result; that of the probability if None (float for a number).

    Probabilities are resolved to 2**-24 (2**-53 for a float64 node).
    """
    if not isinstance(probability, Node):
        check_probability("bernoulli", probability)
        if shape is None:
            raise ArgumentError("bernoulli: needs a shape where the probability is a number")
        chosen = LT(unit(key, shape), constant(probability, float32))
        return cast(chosen, get_default_dtype() if dtype is None else as_dtype(dtype))
    if not probability.dtype.is_floating_point:
        raise DTypeError(f"bernoulli: probabilities are floating, got {probability.dtype.name}")
    wide = float64 if probability.dtype is float64 else float32
    chosen = LT(unit(key, probability.shape if shape is None else shape, wide), cast(probability, wide))
    return cast(chosen, probability.dtype if dtype is None else as_dtype(dtype))


def check_probability(op: str, probability: Any) -> None:
    """A typed error when a number is no probability."""
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise ArgumentError(f"{op}: a probability is a number from 0 to 1, got {probability!r}")


def randint(key: Node, low: int, high: int, shape: Shape, dtype: Any = int64) -> Node:
    """Uniform integers in [low, high).

    Up to 2**31 different values they are the upper part of a 64-bit word times their number (Lemire 2019,
    "Fast random integer generation in an interval"), which favours no value by more than 2**-33 of its share;
    beyond, they are a 63-bit word modulo their number, as PyTorch's are.
    """
    dtype = as_dtype(dtype)
    count = high - low
    if count < 1:
        raise ArgumentError(f"randint: there is no integer in [{low}, {high})", hint="low must be below high")
    if count > 1 << 63 or low < -(1 << 63) or high > 1 << 63:
        raise ArgumentError(f"randint: [{low}, {high}) does not fit 63-bit offsets of int64")
    mask = constant(0xFFFFFFFF, int64)
    if count <= 1 << 31:
        lower, upper = (AND(cast(w, int64), mask) for w in word_pairs(key, shape))
        n, half = constant(count, int64), constant(32, int64)
        offset = SHIFT_RIGHT(ADD(MUL(upper, n), SHIFT_RIGHT(MUL(lower, n), half)), half)
    else:
        word = AND(bits64(key, shape), constant((1 << 63) - 1, int64))
        offset = word if count == 1 << 63 else MOD(word, constant(count, int64))
    return cast(offset if low == 0 else ADD(offset, constant(low, int64)), dtype)


def permutation(key: Node, count: Size) -> Node:
    """A random order of 0 .. count - 1, int64: the places of random 64-bit words in their order."""
    from onegraph.ops.sorting import argsort

    if not isinstance(count, Dim) and count < 0:
        raise ArgumentError(f"permutation: needs a number of elements of at least 0, got {count}")
    return argsort(bits64(key, (count,)), stable=True)


def normal(key: Node, shape: Shape, mean: Any = 0.0, std: Any = 1.0, dtype: Any = None) -> Node:
    """Normal numbers by the transform of Box and Muller (1958).

    Elements 2i and 2i + 1, in row-major order, come from uniform numbers u and v at 2i and 2i + 1 of the
    stream:
    sqrt(-2 log(1 - u)) times cos(2 pi v), and times sin(2 pi v) = cos(2 pi (v - 1/4)).
    Half precision is computed in float32 and rounded. The largest magnitude is 5.77 (float64: 8.57).

    Args:
        key: int64 of shape (2,).
        shape: of the result.
        mean, std: numbers, or nodes that broadcast to the shape; gradients flow to them.
        dtype: a floating dtype, the default one if None.
    """
    dtype = floating_dtype("normal", dtype)
    if not isinstance(std, Node) and not std >= 0:
        raise ArgumentError(f"normal: the standard deviation must not be negative, got {std}")
    x = _standard_normal(key, shape, float64 if dtype is float64 else float32)
    if isinstance(std, Node) or std != 1:
        x = MUL(x, _parameter(std, x.dtype))
    if isinstance(mean, Node) or mean != 0:
        x = ADD(x, _parameter(mean, x.dtype))
    return cast(x, dtype)


def _parameter(value: Any, dtype: DType) -> Node:
    return cast(value, dtype) if isinstance(value, Node) else constant(value, dtype)


def _standard_normal(key: Node, shape: Shape, dtype: DType) -> Node:
    count = numel(shape)
    pairs = (count + 1) // 2
    numbers = unit(key, (pairs, 2), dtype)
    u, v = slice_dim(numbers, 1, 0, 1), slice_dim(numbers, 1, 1, 2)
    radius = SQRT(mul(LOG1P(NEG(u)), -2.0))
    quarter = constant(np.array([0.0, 0.25]), dtype)
    # The quarter turn is taken off before the rounding of 2 pi: cosine and sine are equally exact.
    angle = mul(SUB(v, quarter), 2 * math.pi)
    both = RESHAPE(MUL(EXPAND(radius, shape=(pairs, 2)), COS(angle)), shape=(pairs * 2,))
    return reshape_to(both if pairs * 2 == count else slice_dim(both, 0, 0, count), shape)


def exponential(key: Node, shape: Shape, rate: Any = 1.0, dtype: Any = None) -> Node:
    """Exponential numbers: -log(1 - u) / rate for a uniform u, which is never 0 (half its unit instead)."""
    dtype = floating_dtype("exponential", dtype)
    if not isinstance(rate, Node) and not rate > 0:
        raise ArgumentError(f"exponential: the rate must be positive, got {rate}")
    wide = float64 if dtype is float64 else float32
    u = MAXIMUM(unit(key, shape, wide), constant(2.0 ** -(DIGITS[wide.name] + 1), wide))
    x = NEG(LOG1P(NEG(u)))
    if isinstance(rate, Node) or rate != 1:
        x = div(x, _parameter(rate, wide))
    return cast(x, dtype)


def gumbel(key: Node, shape: Shape, dtype: Any = None) -> Node:
    """Numbers of the standard Gumbel distribution, always finite: -log of exponential numbers."""
    dtype = floating_dtype("gumbel", dtype)
    wide = float64 if dtype is float64 else float32
    return cast(NEG(LOG(exponential(key, shape, dtype=wide))), dtype)


def categorical(key: Node, logits: Node, dim: int = -1) -> Node:
    """One index along a dimension, each with a probability proportional to exp(logit); int64.

    The index of the largest of logits plus Gumbel noise (Maddison, Tarlow, Minka, "A* sampling", NIPS 2014).
    """
    shown = f"{logits.dtype.name} {show(logits.shape)}"
    if not logits.dtype.is_floating_point or not logits.shape:
        raise DTypeError(f"categorical: needs floating logits of at least one dimension, got {shown}")
    wide = float64 if logits.dtype is float64 else float32
    noisy = ADD(cast(logits, wide), gumbel(key, logits.shape, wide))
    return ARGMAX(noisy, dim=normalize_dim("categorical", dim, len(logits.shape)), keepdim=False)


def multinomial(key: Node, input: Node, num_samples: int, replacement: bool = False) -> Node:
    """Indices drawn with probabilities proportional to the weights in the last dimension; int64.

    Args:
        key: int64 of shape (2,).
        input: floating weights of shape (n,) or (rows, n), not negative; they need not add up to 1.
        num_samples: how many indices of each row.
        replacement: whether an index may be drawn again.

    Returns:
        Shape (num_samples,) or (rows, num_samples).

    With replacement: the first index whose cumulative weight is above u times the total. Without: the indices
    of the smallest exponential numbers divided by the weights, which is the same as drawing one after the
    other (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
    """
    shown = f"{input.dtype.name} {show(input.shape)}"
    if not input.dtype.is_floating_point or len(input.shape) not in (1, 2):
        raise ArgumentError(f"multinomial: needs floating weights of one or two dimensions, got {shown}")
    n = input.shape[-1]
    if num_samples < 1:
        raise ArgumentError(f"multinomial: num_samples must be at least 1, got {num_samples}")
    if not replacement and not isinstance(n, Dim) and num_samples > n:
        raise ArgumentError(
            f"multinomial: cannot draw {num_samples} of {n} without replacement from {show(input.shape)}",
            hint="pass replacement=True",
        )
    weights = cast(input, float64 if input.dtype is float64 else float32)
    if replacement:
        return _with_replacement(key, weights, num_samples)
    from onegraph.ops.sorting import argsort

    last = len(input.shape) - 1
    race = div(exponential(key, input.shape, dtype=weights.dtype), weights)
    return slice_dim(argsort(race, dim=last), last, 0, num_samples)


def _with_replacement(key: Node, weights: Node, count: int) -> Node:
    from onegraph.ops.scan import CUMSUM

    last = len(weights.shape) - 1
    rows = weights.shape[:-1]
    steps = CUMSUM(weights, dim=last, reverse=False)
    total = slice_dim(steps, last, steps.shape[-1] - 1, steps.shape[-1])
    place = mul(unit(key, (*rows, count), weights.dtype), total)
    passed = GE(RESHAPE(place, shape=(*rows, count, 1)), RESHAPE(steps, shape=(*rows, 1, steps.shape[-1])))
    return SUM(cast(passed, int64), dims=(last + 1,), keepdim=False)


def truncated_normal(
    key: Node,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    dtype: Any = None,
) -> Node:
    """Normal numbers within [low, high], by inverting their distribution function.

    mean + std * sqrt(2) * erfinv(t), where t is uniform between the values of erf((bound - mean) / (std
    sqrt(2))).
    `low` and `high` are bounds of the result, not multiples of std, as in `torch.nn.init.trunc_normal_`.
    """
    dtype = floating_dtype("truncated_normal", dtype)
    if not std > 0 or not low < high:
        raise ArgumentError(f"truncated_normal: needs std > 0 and low < high, got std {std}, [{low}, {high}]")
    wide = float64 if dtype is float64 else float32
    first, last = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (low, high))
    if not first < last:
        raise ArgumentError(
            f"truncated_normal: [{low}, {high}] has no probability under mean {mean} and std {std}",
            hint="take bounds within some 5 standard deviations of the mean",
        )
    t = add(mul(unit(key, shape, wide), last - first), first)
    inside = 1 - 2.0 ** -DIGITS[wide.name]  # at 1 the inverse is infinite
    t = clamp(t, -inside, inside)
    x = add(mul(inverse_erf(t), std * math.sqrt(2)), mean)
    return clamp(cast(x, dtype), low, high)


# Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2012: highest power first.
_CENTRAL = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
            -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
         0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


def _polynomial(x: Node, coefficients: tuple[float, ...]) -> Node:
    y = constant(coefficients[0], x.dtype)
    for c in coefficients[1:]:
        y = add(mul(y, x), c)
    return y


def inverse_erf(y: Node) -> Node:
    """The number whose erf is y, for -1 < y < 1 in float32 or float64.

    Giles's approximation for float32, refined by two steps of Halley's method for float64.
    """
    w = NEG(LOG(mul(sub(1.0, y), add(y, 1.0))))
    tail = _polynomial(sub(SQRT(w), 3.0), _TAIL)
    x = mul(WHERE(GT(w, constant(5.0, w.dtype)), tail, _polynomial(sub(w, 2.5), _CENTRAL)), y)
    if y.dtype is float64:
        for _ in range(2):
            step = mul(div(sub(ERF(x), y), EXP(NEG(mul(x, x)))), math.sqrt(math.pi) / 2)
            x = sub(x, div(step, add(mul(x, step), 1.0)))
    return x


__all__ = [
    "bernoulli", "categorical", "check_probability", "exponential", "fold_in", "gumbel", "make_key", "multinomial",
    "normal", "permutation", "randint", "split", "truncated_normal", "uniform", "unit",
]  # fmt: skip
