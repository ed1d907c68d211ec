"""Random numbers: published test vectors, moments, distributions, independent streams, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, OneGraphError, ShapeError
from onegraph.ir import Node, input_node
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import bfloat16, float16, float32, float64, int32, int64
from onegraph.ops import random
from onegraph.ops.dropout import alpha_dropout, dropout, feature_alpha_dropout, feature_dropout
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.movement import full
from onegraph.ops.philox import RANDOM_BITS, bits64, fold_in, make_key, philox, split
from onegraph.ops.random import (
    bernoulli,
    categorical,
    exponential,
    gumbel,
    inverse_erf,
    multinomial,
    normal,
    permutation,
    randint,
    truncated_normal,
    uniform,
    unit,
)
from onegraph.ops.reduction import sum_

Array = np.ndarray[Any, Any]
KEY = make_key(2026, 5)
N = 40_000


def value(node: Node) -> Array:
    return evaluate([node])[0]


def words(seed: int, stream: int, *shape: int) -> Array:
    return value(RANDOM_BITS(make_key(seed, stream), shape=shape)).view(np.uint32)


def distance_from(samples: Array, distribution: Callable[[float], float]) -> float:
    """Kolmogorov and Smirnov's distance, in units in which 1.95 is exceeded with a probability of 0.001."""
    x = np.sort(samples.ravel())
    expected = np.array([distribution(float(v)) for v in x])
    place = np.arange(len(x) + 1) / len(x)
    gap = max(np.max(place[1:] - expected), np.max(expected - place[:-1]))
    return float(gap * math.sqrt(len(x)))


def normal_distribution(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


# ---------------------------------------------------------------------------------------------------- bits

# From the file kat_vectors of Random123, the authors' own implementation: counter, key, result.
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_published_vectors(counter: str, key: str, expected: str) -> None:
    low, high = (int(w, 16) for w in key.split())
    found = philox([np.array([int(w, 16)], np.uint64) for w in counter.split()], (low, high))
    assert " ".join(f"{int(w[0]):08x}" for w in found) == expected


def philox_of_integers(seed: int, stream: int, block: int) -> list[int]:
    """One block, with Python's integers."""
    c = [block & 0xFFFFFFFF, block >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (0x123456789ABCDEF0, 0xFEDCBA9876543210), (-1, 3)])
def test_elements_are_words_of_their_block(seed: int, stream: int) -> None:
    unsigned = seed % (1 << 64), stream % (1 << 64)
    expected = [w for block in range(6) for w in philox_of_integers(*unsigned, block)]
    assert words(seed, stream, 22).tolist() == expected[:22]


def test_large_blocks_are_numbered_on() -> None:
    found = words(7, 1, 40_003)
    for block in (0, 8191, 8192, 10_000):
        part = found[4 * block : 4 * block + 4].tolist()
        assert part == philox_of_integers(7, 1, block)[: len(part)]


def test_a_shorter_result_is_the_beginning_of_a_longer_one() -> None:
    long = words(1, 2, 100)
    assert words(1, 2, 7, 3).ravel().tolist() == long[:21].tolist()
    assert words(1, 2).item() == long[0]
    assert words(1, 2, 0, 3).shape == (0, 3)
    for draw in (normal, uniform, exponential):
        assert value(draw(KEY, (3, 5))).ravel()[:14].tobytes() == value(draw(KEY, (99,)))[:14].tobytes()


def test_seeds_and_streams_are_independent() -> None:
    rows = np.array([words(seed, stream, N) for seed in (0, 1, 1 << 32) for stream in (0, 1, 1 << 32)])
    bits = np.unpackbits(rows.view(np.uint8), axis=1).astype(np.float64) * 2 - 1
    overlap = bits @ bits.T / math.sqrt(bits.shape[1])  # standard normal off the diagonal if independent
    assert np.all(np.abs(overlap[~np.eye(len(rows), dtype=bool)]) < 4.5)
    assert len(np.unique(rows)) > 0.9999 * rows.size


def test_bits_are_balanced() -> None:
    bits = np.unpackbits(words(3, 4, N).view(np.uint8).reshape(N, 4), axis=1)
    assert np.all(np.abs(bits.mean(0) - 0.5) * 2 * math.sqrt(N) < 4.5)


def test_key_may_be_computed() -> None:
    key = input_node((2,), int64)
    node = RANDOM_BITS(key, shape=(4,))
    found = evaluate([node], {key: np.array([5, 6])})[0]
    assert found.view(np.uint32).tolist() == words(5, 6, 4).tolist()


def test_wrong_keys_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        RANDOM_BITS(numpy_constant(np.zeros(3, np.int64)), shape=(2,))
    with pytest.raises(DTypeError, match="int32"):
        RANDOM_BITS(numpy_constant(np.zeros(2, np.int32)), shape=(2,))
    with pytest.raises(ShapeError, match="negative"):
        RANDOM_BITS(KEY, shape=(-2,))


# ---------------------------------------------------------------------------------------------------- keys


def test_split_gives_different_keys() -> None:
    keys = value(split(KEY, 100))
    assert keys.shape == (100, 2) and keys.dtype == np.int64
    assert len(np.unique(keys, axis=0)) == 100
    drawn = [words(*k, 8).tolist() for k in keys.tolist()] + [words(2026, 5, 8).tolist()]
    assert len({tuple(d) for d in drawn}) == 101


def test_fold_in_is_a_row_of_split() -> None:
    keys = value(split(KEY, 3))
    number = input_node((), int32)
    folded = fold_in(KEY, number)
    for i in range(3):
        np.testing.assert_array_equal(value(fold_in(KEY, i)), keys[i])
        np.testing.assert_array_equal(evaluate([folded], {number: np.array(i, np.int32)})[0], keys[i])


def test_keys_of_keys_differ() -> None:
    found = {tuple(value(fold_in(fold_in(KEY, i), j)).tolist()) for i in range(5) for j in range(5)}
    assert len(found) == 25


def test_new_keys_are_no_numbers_drawn_with_the_key() -> None:
    drawn = set(value(bits64(KEY, (50,))).tolist())
    assert not drawn & set(value(split(KEY, 3)).ravel().tolist())


def test_fold_in_takes_integers_only() -> None:
    with pytest.raises(ArgumentError, match="integer"):
        fold_in(KEY, 1.5)


# ------------------------------------------------------------------------------------------------- uniform


@pytest.mark.parametrize(("dtype", "digits"), [(float16, 11), (bfloat16, 8), (float32, 24), (float64, 53)], ids=str)
def test_unit_numbers_are_multiples_below_one(dtype: Any, digits: int) -> None:
    x = value(unit(KEY, (N,), dtype)).astype(np.float64)
    assert x.min() >= 0 and x.max() < 1
    scaled = x * 2.0**digits
    assert np.array_equal(scaled, np.floor(scaled)) and np.any(scaled % 2 == 1)
    assert abs(x.mean() + 2.0 ** -(digits + 1) - 0.5) * math.sqrt(12 * N) < 4
    if digits > 20:
        assert distance_from(x, lambda v: v) < 1.95


def test_uniform_within_bounds() -> None:
    x = value(uniform(KEY, (N,), -3.0, 10.0))
    assert x.dtype == np.float32 and x.min() >= -3 and x.max() < 10
    assert distance_from(x, lambda v: (v + 3) / 13) < 1.95


def test_uniform_never_rounds_up_to_its_end() -> None:
    x = value(uniform(KEY, (N,), 1.0, 1.0 + 2.0**-22))  # only two numbers fit in between
    assert set(x.tolist()) <= {1 + i * 2.0**-23 for i in range(2)}
    assert np.all(value(uniform(KEY, (9,), 2.0, 2.0)) == 2)


def test_uniform_gradient_flows_to_bounds() -> None:
    low, high = (input_node((3,), float64) for _ in range(2))
    x = uniform(KEY, (4, 3), low, high, dtype=float64)
    found = gradient([sum_(x)], [None], [low, high])
    u = value(unit(KEY, (4, 3), float64))
    feed = {low: np.zeros(3), high: np.ones(3)}
    a, b = evaluate(found, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(a, (1 - u).sum(0))
    np.testing.assert_allclose(b, u.sum(0))


# ---------------------------------------------------------------------------------------------- bernoulli


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_bernoulli(p: float) -> None:
    x = value(bernoulli(KEY, p, (N,)))
    assert x.dtype == np.float32 and set(np.unique(x)) <= {0.0, 1.0}
    assert abs(x.mean() - p) <= 4 * math.sqrt(p * (1 - p) / N)


def test_bernoulli_of_a_tensor() -> None:
    p = numpy_constant(np.repeat([0.0, 0.25, 1.0], N // 4).reshape(3, -1))
    x = value(bernoulli(KEY, p))
    assert x.dtype == np.float64
    assert x[0].max() == 0 and x[2].min() == 1 and abs(x[1].mean() - 0.25) < 0.02


# ----------------------------------------------------------------------------------------------- integers


@pytest.mark.parametrize(("low", "high"), [(0, 6), (-3, 4), (10, 11), (0, 1 << 31), (-(1 << 40), 1 << 40)])
def test_randint_is_even(low: int, high: int) -> None:
    x = value(randint(KEY, low, high, (N,)))
    assert x.dtype == np.int64 and x.min() >= low and x.max() < high
    parts = min(high - low, 16)
    counts = np.bincount(((x - low) // -(-(high - low) // parts)).astype(np.int64), minlength=parts)[:parts]
    expected = N / parts
    if (high - low) % parts == 0:
        assert ((counts - expected) ** 2 / expected).sum() < parts + 4.5 * math.sqrt(2 * parts)


def test_randint_is_exact() -> None:
    """The upper part of a 64-bit word times the number of values, with Python's integers."""
    low, high = words(2026, 5, 200).reshape(-1, 2).T.tolist()
    for count in (3, 1000, (1 << 31) - 1, 1 << 31):
        expected = [((h << 32 | w) * count) >> 64 for w, h in zip(low, high, strict=True)]
        assert value(randint(KEY, 0, count, (100,))).tolist() == expected


def test_randint_in_other_dtypes_and_over_all_of_int64() -> None:
    assert value(randint(KEY, 0, 200, (50,), dtype="uint8")).dtype == np.uint8
    everything = value(randint(KEY, -(1 << 62), 1 << 62, (N,)))
    assert everything.min() < -(1 << 61) and everything.max() > 1 << 61
    with pytest.raises(ArgumentError, match="low must be below high"):
        randint(KEY, 3, 3, (2,))
    with pytest.raises(ArgumentError, match="int64"):
        randint(KEY, -(1 << 63), 1 << 63, (2,))


def test_permutation() -> None:
    for n in (0, 1, 5, 1000):
        assert sorted(value(permutation(KEY, n)).tolist()) == list(range(n))
    firsts = [int(value(permutation(make_key(0, s), 4))[0]) for s in range(400)]
    assert all(70 < firsts.count(i) < 130 for i in range(4))
    with pytest.raises(ArgumentError, match="-1"):
        permutation(KEY, -1)


# ------------------------------------------------------------------------------------ other distributions


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_normal(dtype: Any) -> None:
    x = value(normal(KEY, (N,), dtype=dtype)).astype(np.float64)
    assert distance_from(x, normal_distribution) < 1.95
    assert abs(x.mean()) * math.sqrt(N) < 4
    assert abs(x.var() - 1) * math.sqrt(N / 2) < 4
    assert abs((x**4).mean() - 3) * math.sqrt(N / 96) < 4
    assert abs((x[::2] * x[1::2]).mean()) * math.sqrt(N / 2) < 4  # the two of a pair are independent


def test_normal_is_its_formula() -> None:
    u = value(unit(KEY, (4, 2), float64))
    radius, angle = np.sqrt(-2 * np.log(1 - u[:, 0])), 2 * np.pi * u[:, 1]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:7]
    np.testing.assert_allclose(value(normal(KEY, (7,), dtype=float64)), expected, rtol=1e-12, atol=1e-14)
    assert np.all(np.isfinite(value(normal(KEY, (200_000,)))))


def test_normal_shapes_and_parameters() -> None:
    assert value(normal(KEY, ())).shape == () and value(normal(KEY, (0, 3))).shape == (0, 3)
    assert value(normal(KEY, (3,), dtype=bfloat16)).shape == (3,)
    mean = numpy_constant(np.array([0.0, 100.0]))
    x = value(normal(KEY, (N, 2), mean, 0.5, dtype=float64))
    np.testing.assert_allclose(x.mean(0), [0, 100], atol=0.02)
    np.testing.assert_allclose(x.std(0), [0.5, 0.5], atol=0.02)
    assert normal(KEY, (Dim.unknown("n"), 3)).shape == (Dim.unknown("n"), 3)
    with pytest.raises(ArgumentError, match="-1"):
        normal(KEY, (2,), 0.0, -1.0)
    with pytest.raises(DTypeError, match="int64"):
        normal(KEY, (2,), dtype=int64)


def test_exponential_and_gumbel() -> None:
    x = value(exponential(KEY, (N,), 2.0))
    assert x.min() > 0 and distance_from(x, lambda v: 1 - math.exp(-2 * v)) < 1.95
    g = value(gumbel(KEY, (N,)))
    assert np.all(np.isfinite(g)) and distance_from(g, lambda v: math.exp(-math.exp(-v))) < 1.95
    with pytest.raises(ArgumentError, match="rate"):
        exponential(KEY, (2,), 0.0)


def test_truncated_normal() -> None:
    x = value(truncated_normal(KEY, (N,), 1.0, 2.0, -1.0, 2.0))
    low, high = normal_distribution(-1.0), normal_distribution(0.5)
    assert x.min() >= -1 and x.max() <= 2
    assert distance_from(x, lambda v: (normal_distribution((v - 1) / 2) - low) / (high - low)) < 1.95
    assert np.all(np.isfinite(value(truncated_normal(KEY, (N,), 0.0, 1.0, -math.inf, math.inf))))
    with pytest.raises(ArgumentError, match="no probability"):
        truncated_normal(KEY, (2,), 0.0, 1.0, 50.0, 60.0)
    with pytest.raises(ArgumentError, match="low < high"):
        truncated_normal(KEY, (2,), 0.0, 1.0, 2.0, 1.0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-12)])
def test_inverse_erf(dtype: Any, tolerance: float) -> None:
    x = np.linspace(-2.5, 2.5, 101)
    y = np.array([math.erf(v) for v in x]).astype(dtype)
    back = value(inverse_erf(numpy_constant(y))).astype(np.float64)
    np.testing.assert_allclose([math.erf(v) for v in back], y, rtol=tolerance, atol=1e-16)
    if dtype is np.float64:
        np.testing.assert_allclose(back, x, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-24])
def test_finite_at_both_ends_of_the_uniform_numbers(u: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "unit", lambda key, shape, dtype=float32: full(shape, u, dtype))
    assert 0 < value(exponential(KEY, (1,)))[0] < math.inf
    for x in (normal(KEY, (2,)), gumbel(KEY, (1,)), truncated_normal(KEY, (1,), low=-math.inf, high=math.inf)):
        assert np.all(np.isfinite(value(x)))


def test_categorical() -> None:
    weights = np.array([0.1, 0.0, 0.6, 0.3])
    with np.errstate(divide="ignore"):
        logits = np.broadcast_to(np.log(weights), (N, 4)).copy()
    counts = np.bincount(value(categorical(KEY, numpy_constant(logits))), minlength=4)
    assert counts[1] == 0 and np.all(np.abs(counts / N - weights) < 0.012)
    assert categorical(KEY, numpy_constant(logits), dim=0).shape == (4,)
    with pytest.raises(OneGraphError, match="int64"):
        categorical(KEY, numpy_constant(np.zeros((2, 3), np.int64)))


def test_multinomial_with_replacement() -> None:
    weights = np.array([[2.0, 0.0, 6.0, 2.0], [0.0, 0.0, 0.0, 5.0]], np.float32)
    x = value(multinomial(KEY, numpy_constant(weights), N, replacement=True))
    assert x.shape == (2, N) and x.dtype == np.int64
    np.testing.assert_allclose(np.bincount(x[0], minlength=4) / N, weights[0] / 10, atol=0.012)
    assert np.all(x[1] == 3)


def test_multinomial_without_replacement() -> None:
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    rows = np.broadcast_to(weights, (N // 4, 4)).copy()
    x = value(multinomial(KEY, numpy_constant(rows), 3))
    assert all(len(set(row)) == 3 and 2 not in row for row in x.tolist())
    first = np.bincount(x[:, 0], minlength=4) / len(x)
    np.testing.assert_allclose(first, weights / 8, atol=0.02)
    after = np.bincount(x[x[:, 0] == 3, 1], minlength=4) / np.sum(x[:, 0] == 3)
    np.testing.assert_allclose(after, [1 / 3, 2 / 3, 0, 0], atol=0.03)
    assert value(multinomial(KEY, numpy_constant(weights), 1)).shape == (1,)


def test_multinomial_errors() -> None:
    with pytest.raises(ArgumentError, match=r"5 of 4 without replacement(.*\n)*.*replacement=True"):
        multinomial(KEY, numpy_constant(np.ones(4)), 5)
    with pytest.raises(ArgumentError, match="num_samples"):
        multinomial(KEY, numpy_constant(np.ones(4)), 0)
    with pytest.raises(ArgumentError, match="two dimensions"):
        multinomial(KEY, numpy_constant(np.ones((2, 2, 2))), 1)


# ------------------------------------------------------------------------------------------------ dropout


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout(p: float) -> None:
    x = np.random.default_rng(0).uniform(1, 2, (N // 4, 4)).astype(np.float32)
    y = value(dropout(KEY, numpy_constant(x), p))
    kept = y != 0
    assert abs(kept.mean() - (1 - p)) <= 4 * math.sqrt(p * (1 - p) / x.size)
    np.testing.assert_allclose(y[kept], (x / max(1 - p, 1e-9))[kept], rtol=1e-6)


def test_dropout_gradient_uses_the_same_mask() -> None:
    x = input_node((500,), float64)
    y = dropout(KEY, x, 0.25)
    (g,) = gradient([y], [numpy_constant(np.ones(500))], [x])
    out, slope = evaluate([y, g], {x: np.ones(500)})  # type: ignore[list-item]
    np.testing.assert_allclose(slope, out)
    assert set(np.round(slope, 12)) == {0.0, round(4 / 3, 12)}


def test_feature_dropout_drops_whole_channels() -> None:
    y = value(feature_dropout(KEY, numpy_constant(np.ones((50, 8, 3, 3))), 0.5))
    assert np.all(y == y[:, :, :1, :1]) and set(np.unique(y)) == {0.0, 2.0}
    z = value(feature_dropout(KEY, numpy_constant(np.ones((64, 5))), 0.5, leading=1))
    assert np.all(z == z[:, :1])
    with pytest.raises(ShapeError, match=r"2 dimensions.*\(4,\)"):
        feature_dropout(KEY, numpy_constant(np.ones(4)), 0.5)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    x = numpy_constant(np.random.default_rng(0).standard_normal(4 * N))
    y = value(alpha_dropout(KEY, x, p))
    assert abs(y.mean()) < 0.015 and abs(y.var() - 1) < 0.03
    z = value(feature_alpha_dropout(KEY, numpy_constant(np.ones((40, 5, 4))), p))
    assert np.all(z == z[:, :, :1]) and len(np.unique(z)) == 2
    assert np.all(value(alpha_dropout(KEY, x, 1.0)) == 0)


@pytest.mark.parametrize("drop", [dropout, feature_dropout, alpha_dropout, feature_alpha_dropout])
def test_dropout_errors(drop: Callable[..., Node]) -> None:
    with pytest.raises(ArgumentError, match=r"0 to 1, got 1\.5"):
        drop(KEY, numpy_constant(np.ones((2, 3))), 1.5)
    with pytest.raises(DTypeError, match="int64"):
        drop(KEY, numpy_constant(np.ones((2, 3), np.int64)), 0.5)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_alpha_dropout_constants_are_those_of_torch(p: float) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.functional.alpha_dropout(torch.ones(1000, dtype=torch.float64), p, training=True).numpy()
    ours = value(alpha_dropout(KEY, numpy_constant(np.ones(1000)), p))
    np.testing.assert_allclose(np.unique(np.round(ours, 12)), np.unique(np.round(theirs, 12)), rtol=1e-9)
