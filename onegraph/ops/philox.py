"""Random bits and keys: one primitive, `random_bits`; the distributions are made of it in `random.py`.

The generator is Philox4x32-10, counter-based: a word depends only on the seed, the stream and its position, so
every target, any number of threads and every way of writing a program gives the same numbers.

A `key` is an int64 node of shape (2,): the seed and the number of the stream. Whoever draws twice must use two
keys; front ends count the streams of a generator up, and inside a graph `split` and `fold_in` make new keys.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
Read next: `random.py`, `dropout.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Size
from onegraph.ir.dtype import DType, int32, int64
from onegraph.ir.node import Node, Shape
from onegraph.ops.binary import ADD, AND, OR, SHIFT_LEFT, XOR
from onegraph.ops.cast import cast
from onegraph.ops.leaf import constant, iota
from onegraph.ops.movement import CONCAT, RESHAPE, check_sizes, expand_to, reshape_to, slice_dim
from onegraph.ops.promotion import as_node
from onegraph.ops.record import Array, Kind, Op, Sample, register
from onegraph.ops.shapes import show

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)  # of the paper, table 2
WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and sqrt(3) - 1, added to the key from round to round
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)
_CHUNK = 1 << 13  # blocks at a time, so that the working arrays stay in the cache


def philox(counter: Sequence[Array], key: tuple[int, int]) -> list[Array]:
    """Philox4x32-10: four words for each counter.

    Args:
        counter: four uint64 arrays of one shape that hold 32-bit words, lowest word first; they are
            overwritten.
        key: two 32-bit words.

    Returns:
        Four uint64 arrays that hold 32-bit words.

    >>> [hex(int(w[0])) for w in philox([np.zeros(1, np.uint64) for _ in range(4)], (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    spare0, spare1 = np.empty_like(c0), np.empty_like(c0)
    k0, k1 = key
    for _ in range(ROUNDS):
        np.multiply(c0, np.uint64(MULTIPLIERS[0]), out=spare0)
        np.multiply(c2, np.uint64(MULTIPLIERS[1]), out=spare1)
        # The new words are (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0) of the two products.
        np.right_shift(spare1, _HIGH, out=c0)
        c0 ^= c1
        c0 ^= np.uint64(k0)
        np.right_shift(spare0, _HIGH, out=c2)
        c2 ^= c3
        c2 ^= np.uint64(k1)
        np.bitwise_and(spare1, _LOW, out=c1)
        np.bitwise_and(spare0, _LOW, out=c3)
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def _random_bits_rule(key: Node, *, shape: Shape) -> tuple[Shape, DType]:
    check_key("random_bits", key)
    return check_sizes("random_bits", shape), int32


def _random_bits_reference(key: Array, *, shape: tuple[int, ...]) -> Array:
    seed, stream = (int(k) & 0xFFFFFFFFFFFFFFFF for k in key)
    halves = (seed & 0xFFFFFFFF, seed >> 32)
    count = math.prod(shape)
    blocks = -(-count // 4)
    words = np.empty((blocks, 4), np.uint32)
    for start in range(0, blocks, _CHUNK):
        index = np.arange(start, min(start + _CHUNK, blocks), dtype=np.uint64)
        counter = [
            index & _LOW,
            index >> _HIGH,
            np.full_like(index, stream & 0xFFFFFFFF),
            np.full_like(index, stream >> 32),
        ]
        for i, word in enumerate(philox(counter, halves)):
            words[start : start + len(index), i] = word
    return words.reshape(-1)[:count].view(np.int32).reshape(shape)


RANDOM_BITS = register(
    Op(
        name="random_bits",
        kind=Kind.RANDOM,
        doc="Random 32-bit words: Philox4x32-10, its key the seed, its counter the block and the stream.",
        rule=_random_bits_rule,
        reference=_random_bits_reference,
        gradient=None,
        samples=lambda: [
            Sample(np.array([seed, stream], np.int64), shape=shape)
            for seed, stream, shape in (
                (0, 0, ()),
                (1, 7, (5,)),
                (-3, 1 << 40, (2, 3)),
                (2, 0, (0, 3)),
                (9, 9, (67,)),
            )
        ],
        dtypes=("int",),
    )
)


# ---------------------------------------------------------------------------------------------------- keys


def make_key(seed: int, stream: int = 0) -> Node:
    """A constant key; both numbers are taken modulo 2**64.

    >>> make_key(0)
    <constant i64[2]>
    """
    words = [n & 0xFFFFFFFFFFFFFFFF for n in (seed, stream)]
    return constant(np.array(words, np.uint64).view(np.int64), int64)


def check_key(op: str, key: Node) -> None:
    """A typed error when the node is no key."""
    if key.dtype is not int64:
        raise DTypeError(f"{op}: a key is int64 (seed, stream), got {key.dtype.name} {show(key.shape)}")
    if key.shape != (2,):
        raise ShapeError(f"{op}: a key has shape (2,), seed and stream; got {show(key.shape)}")


_DERIVE = 0x6A09E667F3BCC909  # sqrt(2); keeps derived keys apart from what is drawn with a key itself


def _derived(key: Node) -> tuple[Node, Node]:
    """Two random 64-bit numbers of shape (1,) that belong to a key."""
    check_key("split", key)
    mask = constant(np.array([_DERIVE, 0]), int64)
    words = bits64(XOR(key, mask), (2,))
    return slice_dim(words, 0, 0, 1), slice_dim(words, 0, 1, 2)


def split(key: Node, count: Size) -> Node:
    """New keys, (count, 2) int64, independent of each other and of what is drawn with the key itself."""
    seed, stream = _derived(key)
    seeds = ADD(expand_to(seed, (count,)), iota(count))
    return concat_columns(seeds, expand_to(stream, (count,)))


def fold_in(key: Node, data: Any) -> Node:
    """A new key from a key and a number, e.g. of a step or a layer: row `data` of `split(key, ...)`.

    Args:
        key: int64 of shape (2,).
        data: an integer, or an integer node without dimensions.
    """
    number = as_node(data)
    if number.shape != () or number.dtype.kind not in ("int", "uint"):
        raise ArgumentError(f"fold_in: needs one integer, got {number.dtype.name} {show(number.shape)}")
    seed, stream = _derived(key)
    return reshape_to(concat_columns(ADD(seed, expand_to(cast(number, int64), (1,))), stream), (2,))


def concat_columns(*columns: Node) -> Node:
    """Vectors as the columns of a matrix."""
    return CONCAT(*[RESHAPE(c, shape=(*c.shape, 1)) for c in columns], dim=1)


def bits64(key: Node, shape: Shape) -> Node:
    """Random 64-bit words, int64. Element i is made of words 2i (low) and 2i + 1 (high)."""
    low, high = word_pairs(key, shape)
    low = AND(cast(low, int64), constant(0xFFFFFFFF, int64))
    return OR(low, SHIFT_LEFT(cast(high, int64), constant(32, int64)))


def word_pairs(key: Node, shape: Shape) -> tuple[Node, Node]:
    """Two random words for each element: words 2i and 2i + 1, int32."""
    words = RANDOM_BITS(key, shape=(*shape, 2))
    last = len(shape)
    low, high = (reshape_to(slice_dim(words, last, i, i + 1), shape) for i in range(2))
    return low, high
