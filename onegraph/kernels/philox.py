"""Philox4x32-10 as machine code, bit for bit the generator of `ops/philox.py` (which names the source).

Word i of a result is word i % 4 of block i // 4. `words_at` computes a block for every element; `words_from`, for
elements that follow each other, computes every block once. Used by `scalar.py`.
"""

from __future__ import annotations

from onegraph.kernels.llvm import Function, Value, lanes_of, vector_type
from onegraph.ops.philox import MULTIPLIERS, ROUNDS, WEYL

_LOW = 0xFFFFFFFF


def _blocks(f: Function, seed: Value, stream: Value, block: Value) -> list[Value]:
    """The four words of each block, as i64 whose upper halves are zero."""
    lanes, type_ = lanes_of(block.type), block.type
    low, up = f.constant(type_, _LOW), f.constant(type_, 32)

    def halves(x: Value) -> tuple[Value, Value]:
        return f.integer("and", x, f.constant(x.type, _LOW)), f.integer("lshr", x, f.constant(x.type, 32))

    c0, c1 = halves(block)
    c2, c3 = (f.splat(half, lanes) for half in halves(stream))
    keys = list(halves(seed))
    for _ in range(ROUNDS):
        # The upper halves are zero already; saying so lets LLVM use the 32-bit multiplication.
        product0 = f.mul(f.integer("and", c0, low), f.constant(type_, MULTIPLIERS[0]))
        product1 = f.mul(f.integer("and", c2, low), f.constant(type_, MULTIPLIERS[1]))
        k0, k1 = (f.splat(key, lanes) for key in keys)
        c0 = f.integer("xor", f.integer("xor", f.integer("lshr", product1, up), c1), k0)
        c2 = f.integer("xor", f.integer("xor", f.integer("lshr", product0, up), c3), k1)
        c1, c3 = f.integer("and", product1, low), f.integer("and", product0, low)
        keys = [f.integer("and", f.add(key, weyl), _LOW) for key, weyl in zip(keys, WEYL, strict=True)]
    return [c0, c1, c2, c3]


def words_at(f: Function, seed: Value, stream: Value, index: Value) -> Value:
    """The words with the given numbers: i32, as many lanes as `index` (i64) has."""
    words = _blocks(f, seed, stream, f.integer("lshr", index, f.constant(index.type, 2)))
    place = f.integer("and", index, f.constant(index.type, 3))
    chosen = words[3]
    for i in (2, 1, 0):
        chosen = f.select(f.compare("eq", place, f.constant(place.type, i)), words[i], chosen)
    return f.convert("trunc", chosen, vector_type("i32", lanes_of(index.type)))


def words_from(f: Function, seed: Value, stream: Value, first: Value, lanes: int) -> Value:
    """Words first, first + 1, ... (`first` is one i64): i32 in `lanes` lanes."""
    if lanes < 4 or lanes % 4:
        numbers = f.splat(first, lanes)
        if lanes > 1:
            numbers = f.add(numbers, f.lane_numbers(lanes))
        return words_at(f, seed, stream, numbers)
    blocks = 1 << (lanes // 4).bit_length()  # one more than fills the lanes, since `first` may be inside of a block
    block = f.add(f.splat(f.integer("lshr", first, 2), blocks), f.lane_numbers(blocks))
    narrow = vector_type("i32", blocks)
    w0, w1, w2, w3 = (f.convert("trunc", w, narrow) for w in _blocks(f, seed, stream, block))
    both = list(range(2 * blocks))
    early, late = f.shuffle(w0, w1, both), f.shuffle(w2, w3, both)
    run = f.shuffle(early, late, [word * blocks + b for b in range(blocks) for word in range(4)])
    place = f.integer("and", first, 3)
    chosen = f.shuffle(run, None, range(3, lanes + 3))
    for i in (2, 1, 0):
        chosen = f.select(f.compare("eq", place, i), f.shuffle(run, None, range(i, lanes + i)), chosen)
    return chosen
