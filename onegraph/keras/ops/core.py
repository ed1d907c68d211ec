"""Control flow, gradients and segments of `keras.ops`. Loops become part of the graph. Read next: `spectral.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.symbolic import flatten, map_structure
from onegraph.keras.ops.dispatch import convert, dtype_of, floating, operation

_stack = EXPORTS["stack"]


@operation
def stop_gradient(variable: Any) -> Any:
    """The same values, through which no gradient flows."""
    return convert(variable).detach()


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions without arguments gives.

    >>> cond(True, lambda: convert(1.0), lambda: convert(2.0))
    tensor(1.)
    """
    if isinstance(pred, (bool, int)):
        return true_fn() if pred else false_fn()
    pred = convert(pred)
    return EXPORTS["cond"](pred if pred.dtype.name == "bool" else pred != 0, true_fn, false_fn)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the function with a number gives for the operands; numbers out of range mean the first or the last."""
    count = len(branches)
    index = convert(index).clamp(0, count - 1)
    given = tuple(map_structure(convert, o) for o in operands)

    def choose(first: int) -> Callable[..., Any]:
        if first == count - 1:
            return branches[-1]
        return lambda *values: EXPORTS["cond"](index == first, branches[first], choose(first + 1), values)

    return choose(0)(*given)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeat `body` while `cond` holds, both of the loop's variables; gives their last values, nested as they were."""
    several = isinstance(loop_vars, (tuple, list))
    given = tuple(map_structure(convert, v) for v in (loop_vars if several else (loop_vars,)))
    found = EXPORTS["while_loop"](cond, body, given, maximum_iterations)
    return found if several else found[0]


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    """`value = body_fun(i, value)` for i from lower up to but without upper."""
    found = EXPORTS["while_loop"](
        lambda i, value: i < upper,
        lambda i, value: (i + 1, body_fun(i, value)),
        (convert(lower), map_structure(convert, init_val)),
    )
    return found[1]


def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> Any:
    """`carry, y = f(carry, x)` along the first axis of xs; gives the last carry and all y.

    >>> scan(lambda total, x: (total + x, total + x), convert(0.0), convert([1.0, 2.0, 3.0]))
    (tensor(6.), tensor([1., 3., 6.]))
    """
    given = None if xs is None else map_structure(convert, xs)
    return EXPORTS["scan"](f, map_structure(convert, init), given, length, reverse)


def map(f: Callable[..., Any], xs: Any) -> Any:
    """f of each element along the first axis, as one loop in the graph."""
    given = map_structure(convert, xs)
    start = convert(0)
    return EXPORTS["scan"](lambda carry, x: (carry, f(x)), start, given)[1]


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """f of each element along the first axis."""
    return map(function, elements)


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None) -> Callable[..., Any]:
    """A function of single elements as one of whole tensors, which are broadcast to one shape."""
    if excluded or signature:
        raise ArgumentError("vectorize: excluded and signature are not supported", hint="keras.ops.map over an axis")

    def vectorized(*args: Any) -> Any:
        given = EXPORTS["broadcast_tensors"](*[convert(a) for a in args])
        shape = tuple(given[0].shape)
        found = map(lambda parts: pyfunc(*parts), tuple(g.reshape(-1) for g in given))
        return map_structure(lambda t: t.reshape(*shape, *t.shape[1:]), found)

    return vectorized


def associative_scan(f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results of an associative function along an axis, in log2(length) rounds."""
    leaves = map_structure(lambda t: convert(t).movedim(axis, 0), elems)
    if reverse:
        leaves = map_structure(lambda t: t.flip(0), leaves)
    count, step = next(flatten(leaves)).shape[0], 1
    while step < count:
        behind = map_structure(functools.partial(_rows, start=step, stop=count), leaves)
        before = map_structure(functools.partial(_rows, start=0, stop=count - step), leaves)
        later = iter(list(flatten(f(before, behind))))
        leaves = map_structure(functools.partial(_replaced, start=step, values=later), leaves)
        step *= 2
    if reverse:
        leaves = map_structure(lambda t: t.flip(0), leaves)
    return map_structure(lambda t: t.movedim(0, axis), leaves)


def _rows(tensor: Any, start: int, stop: int) -> Any:
    return tensor[start:stop]


def _replaced(tensor: Any, start: int, values: Any) -> Any:
    """A tensor whose rows from `start` are replaced by the next of some values."""
    return EXPORTS["cat"]([tensor[:start], next(values)])


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives its value and a function from the value's gradient to those of its arguments."""
    from onegraph.frontend.autograd import Function

    class Custom(Function):
        """The function with its own gradient."""

        @staticmethod
        def forward(context: Any, *args: Any) -> Any:
            """The value."""
            value, context.gradient = f(*args)
            return value

        @staticmethod
        def backward(context: Any, *gradients: Any) -> Any:
            """The gradients of the arguments."""
            return context.gradient(*gradients)

    def call(*args: Any) -> Any:
        return Custom.apply(*args)

    return call


# ---- segments


def _segments(data: Any, segment_ids: Any, num_segments: int | None) -> tuple[Any, Any, int]:
    ids = convert(segment_ids).long()
    count = int(ids.max().item()) + 1 if num_segments is None else int(num_segments)
    return convert(data), ids, count


@operation
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Sums of the rows that have one segment number."""
    data, ids, count = _segments(data, segment_ids, num_segments)
    return EXPORTS["zeros"](count, *data.shape[1:], dtype=data.dtype).index_add(0, ids, data)


def _extreme(data: Any, segment_ids: Any, num_segments: int | None, kind: str) -> Any:
    data, ids, count = _segments(data, segment_ids, num_segments)
    limits = EXPORTS["finfo" if data.dtype.is_floating_point else "iinfo"](data.dtype)
    start = {"amax": limits.min, "amin": limits.max, "prod": 1}[kind]
    empty = EXPORTS["full"]((count, *data.shape[1:]), start, dtype=data.dtype)
    return empty.index_reduce(0, ids, data, kind)


@operation
def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The largest of the rows that have one segment number, element by element."""
    return _extreme(data, segment_ids, num_segments, "amax")


@operation
def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The smallest of the rows that have one segment number, element by element."""
    return _extreme(data, segment_ids, num_segments, "amin")


@operation
def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Products of the rows that have one segment number."""
    return _extreme(data, segment_ids, num_segments, "prod")


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> Any:
    """The class numbers that CTC outputs stand for; looks at the values.

    Args:
        inputs: logits or scores, (batch, time, classes).
        sequence_lengths: how many steps count, (batch,).
        strategy: 'greedy' or 'beam_search'.
        beam_width, top_paths: how many prefixes to follow, and to give, with beams.
        merge_repeated: equal classes that follow each other count once.
        mask_index: the class that stands for blank.

    Returns:
        (top_paths, batch, time) class numbers filled up with -1, and the paths' scores: (batch, 1) of negated sums
        of the largest scores for 'greedy', (batch, top_paths) log probabilities for 'beam_search'.
    """
    from onegraph.keras.ops.ctc_decoding import beam_search, greedy

    scores = floating(inputs).detach().numpy()
    lengths = convert(sequence_lengths).detach().numpy()
    if strategy == "greedy":
        paths, values = greedy(scores, lengths, merge_repeated, mask_index)
    elif strategy == "beam_search":
        paths, values = beam_search(scores, lengths, beam_width, top_paths, mask_index)
    else:
        raise ArgumentError(f"ctc_decode: strategy must be 'greedy' or 'beam_search', got {strategy!r}")
    return convert(paths, dtype_of("int32")), convert(values, dtype_of("float32"))
