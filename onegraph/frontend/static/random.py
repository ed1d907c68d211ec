"""Random numbers, drawn anew at each run. Read `graph.set_random_seed` for what seeds mean."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.static.graph import get_default_graph
from onegraph.frontend.static.shape import sizes_of
from onegraph.frontend.static.tensor import as_operand, checked_dtype, operation
from onegraph.ir.dtype import float32, int64
from onegraph.ir.node import Node, input_node
from onegraph.ops import binary, random
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import exp
from onegraph.ops.indexing import TAKE
from onegraph.ops.leaf import iota
from onegraph.ops.philox import fold_in
from onegraph.ops.shapes import show
from onegraph.ops.softmax import log_softmax


def new_key(seed: int | None = None) -> Node:
    """The node of a key that is another at each run; within a loop's body, another at each step."""
    graph = get_default_graph()
    key = input_node((2,), int64, "random_key")
    graph.keys[key] = None if seed is None else int(seed)
    for counter in graph.counters:
        key = fold_in(key, counter)
    return key


def _scaled(numbers: Node, mean: Any, stddev: Any) -> Node:
    """numbers * stddev + mean, leaving out what changes nothing."""
    if isinstance(stddev, Node) or stddev != 1:
        numbers = binary.mul(numbers, stddev)
    return binary.add(numbers, mean) if isinstance(mean, Node) or mean != 0 else numbers


@operation("random_normal")
def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None
) -> Node:
    """Numbers drawn from a normal distribution, anew at each run.

    Args:
        shape: sizes.
        mean, stddev: of the distribution; may be tensors.
        seed: its own seed; None draws from the graph's generator.
    """
    return _scaled(
        random.normal(new_key(seed), sizes_of("random_normal", shape), dtype=checked_dtype(dtype)), mean, stddev
    )


@operation("truncated_normal")
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None
) -> Node:
    """Numbers drawn from a normal distribution of which nothing beyond two standard deviations is kept."""
    numbers = random.truncated_normal(new_key(seed), sizes_of("truncated_normal", shape), dtype=checked_dtype(dtype))
    return _scaled(numbers, mean, stddev)


@operation("random_uniform")
def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, seed: int | None = None
) -> Node:
    """Numbers drawn evenly from [minval, maxval), anew at each run; for integers `maxval` is required."""
    kind = checked_dtype(dtype)
    sizes = sizes_of("random_uniform", shape)
    if kind.is_floating_point:
        return random.uniform(new_key(seed), sizes, minval, 1 if maxval is None else maxval, dtype=kind)
    if not isinstance(minval, int) or not isinstance(maxval, int):
        raise ArgumentError(f"random_uniform: integers need ints as minval and maxval, got {minval!r} and {maxval!r}")
    return cast(random.randint(new_key(seed), minval, maxval, sizes), kind)


@operation("random_shuffle")
def random_shuffle(value: Any, seed: int | None = None) -> Node:
    """The rows in random order, another at each run."""
    x = as_operand(value)
    if not x.shape:
        raise ArgumentError(f"random_shuffle: {x.dtype.name} {show(x.shape)} has no rows")
    return TAKE(x, random.permutation(new_key(seed), x.shape[0]), dim=0)


@operation("multinomial")
def multinomial(logits: Any, num_samples: int, seed: int | None = None, output_dtype: Any = int64) -> Node:
    """Class numbers drawn with the probabilities softmax(logits), (batch, classes) to (batch, num_samples)."""
    x = as_operand(logits)
    return cast(
        random.multinomial(new_key(seed), exp(log_softmax(x, -1)), num_samples, True), checked_dtype(output_dtype)
    )


@operation("random_crop")
def random_crop(value: Any, size: Any, seed: int | None = None) -> Node:
    """A block of a size from a random place, another at each run."""
    x = as_operand(value)
    for d, (have, want) in enumerate(zip(x.shape, sizes_of("random_crop", size), strict=True)):
        if have != want:
            first = random.randint(new_key(seed), 0, int(have) - int(want) + 1, ())  # type: ignore[arg-type]
            x = TAKE(x, binary.add(iota(want, int64), first), dim=d)
    return x
