"""Einstein's summation convention, and tensordot: any sum of products becomes matrix products.

Operands are contracted in pairs from left to right. For a pair, labels fall into four groups: kept in both
(batch), only in one, and summed; each operand is permuted to (batch, own, summed), and `matmul` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.ir.node import Node
from onegraph.ops.binary import MUL
from onegraph.ops.contraction import MATMUL
from onegraph.ops.layout import permute_to
from onegraph.ops.movement import reshape_to
from onegraph.ops.promotion import as_node, promote
from onegraph.ops.public import public
from onegraph.ops.reduction import SUM
from onegraph.ops.shapes import normalize_dim, numel, same_size, show
from onegraph.ops.triangular import diagonal

Labels = tuple[str, ...]
ELLIPSIS = "..."


def _labels_of_text(text: str, equation: str) -> Labels:
    """'b...i' as ('b', '...', 'i')."""
    found = tuple(re.findall(r"\.\.\.|[A-Za-z]", text))
    if "".join(found) != text or found.count(ELLIPSIS) > 1:
        raise ArgumentError(
            f"einsum: {equation!r}: subscripts are letters and at most one '...' for each operand, got {text!r}"
        )
    return found


def _parse(equation: str, count: int) -> tuple[list[Labels], Labels | None]:
    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = [_labels_of_text(part, equation) for part in left.split(",")]
    if len(inputs) != count:
        raise ArgumentError(f"einsum: {equation!r} has subscripts for {len(inputs)} operands, but there are {count}")
    return inputs, _labels_of_text(right, equation) if arrow else None


def _labels_of_sublist(sublist: Any) -> Labels:
    """[0, ..., 1] as ('A', '...', 'B'); 0 to 51 stand for A to Z and a to z."""
    found = []
    for item in sublist:
        if item is Ellipsis:
            found.append(ELLIPSIS)
        elif isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 52:
            found.append(chr(ord("A") + item) if item < 26 else chr(ord("a") + item - 26))
        else:
            raise ArgumentError(f"einsum: a sublist has ints from 0 to 51 and an ellipsis, got {item!r}")
    return tuple(found)


def _spread_ellipsis(labels: Labels, node: Node, width: int) -> Labels:
    """The ellipsis replaced by labels '.0', '.1', ...; the last dimensions of all ellipses are aligned."""
    named = len([x for x in labels if x != ELLIPSIS])
    extra = len(node.shape) - named
    if extra < 0 or (extra and ELLIPSIS not in labels):
        raise ShapeError(
            f"einsum: subscripts {''.join(labels)!r} name {named} dimensions, the operand {show(node.shape)} has "
            f"{len(node.shape)}"
        )
    if ELLIPSIS not in labels:
        return labels
    at = labels.index(ELLIPSIS)
    return (*labels[:at], *(f".{i}" for i in range(width - extra, width)), *labels[at + 1 :])


def _take_diagonals(node: Node, labels: Labels) -> tuple[Node, Labels]:
    """Labels that appear twice in one operand stand for its diagonal."""
    while len(set(labels)) < len(labels):
        label = next(x for x in labels if labels.count(x) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        if not same_size(node.shape[first], node.shape[second]):
            raise ShapeError(
                f"einsum: subscript {label!r} stands for sizes {node.shape[first]} and {node.shape[second]} of "
                f"{show(node.shape)}"
            )
        node = diagonal(node, 0, first, second)
        labels = (*(x for i, x in enumerate(labels) if i not in (first, second)), label)
    return node, labels


def _check_sizes(operands: Sequence[tuple[Node, Labels]]) -> None:
    sizes: dict[str, Any] = {}
    for node, labels in operands:
        for label, size in zip(labels, node.shape, strict=True):
            have = sizes.get(label, 1)
            if have != 1 and size != 1 and not same_size(have, size):
                shapes = ", ".join(show(n.shape) for n, _ in operands)
                raise ShapeError(f"einsum: subscript {label!r} stands for sizes {have} and {size} in {shapes}")
            if have == 1:
                sizes[label] = size


def _sum_out(node: Node, labels: Labels, kept: set[str]) -> tuple[Node, Labels]:
    """Sum over the labels that nobody needs any more."""
    gone = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not gone:
        return node, labels
    return SUM(node, dims=gone, keepdim=False), tuple(x for x in labels if x in kept)


def _arranged(node: Node, labels: Labels, order: Labels) -> Node:
    """The node's dimensions in the order of labels, size 1 for labels that it does not have."""
    present = [x for x in order if x in labels]
    moved = permute_to(node, [labels.index(x) for x in present])
    sizes = dict(zip(present, moved.shape, strict=True))
    return reshape_to(moved, tuple(sizes.get(x, 1) for x in order))


def _contract(a: Node, left: Labels, b: Node, right: Labels, kept: set[str]) -> tuple[Node, Labels]:
    """The sum of products of two operands over the labels that nobody needs any more."""
    a_sizes, b_sizes = dict(zip(left, a.shape, strict=True)), dict(zip(right, b.shape, strict=True))
    shared = [x for x in left if x in right]
    # A size of 1 meets a larger one: the other operand can be summed first.
    uneven = {x for x in shared if x not in kept and (a_sizes[x] == 1) != (b_sizes[x] == 1)}
    if uneven:
        a, left = _sum_out(a, left, set(left) - uneven)
        b, right = _sum_out(b, right, set(right) - uneven)
        shared = [x for x in shared if x not in uneven]
    batch = tuple(x for x in shared if x in kept)
    summed = tuple(x for x in shared if x not in kept)
    own_a = tuple(x for x in left if x not in shared)
    own_b = tuple(x for x in right if x not in shared)
    order = (*batch, *own_a, *own_b)
    if not summed:
        return MUL(_arranged(a, left, order), _arranged(b, right, order)), order
    x = _arranged(a, left, (*batch, *own_a, *summed))
    y = _arranged(b, right, (*batch, *summed, *own_b))
    lead, rows = len(batch), len(batch) + len(own_a)
    inner = len(batch) + len(summed)
    matrix_a = reshape_to(x, (*x.shape[:lead], numel(x.shape[lead:rows]), numel(x.shape[rows:])))
    matrix_b = reshape_to(y, (*y.shape[:lead], numel(y.shape[lead:inner]), numel(y.shape[inner:])))
    z = MATMUL(matrix_a, matrix_b)
    return reshape_to(z, (*z.shape[:lead], *x.shape[lead:rows], *y.shape[inner:])), order


def _implicit_output(inputs: Sequence[Labels], width: int) -> Labels:
    """Without an arrow: the ellipsis, then the labels that appear once, in alphabetical order."""
    every = [label for labels in inputs for label in labels]
    once = sorted(x for x in set(every) if every.count(x) == 1 and not x.startswith("."))
    return (*(f".{i}" for i in range(width)), *once)


def _check_output(output: Labels, inputs: Sequence[Labels]) -> None:
    known = {label for labels in inputs for label in labels}
    for label in output:
        if output.count(label) > 1:
            raise ArgumentError(f"einsum: output subscript {label!r} appears more than once")
        if label not in known:
            raise ArgumentError(f"einsum: output subscript {label!r} is in no operand")


def _evaluate(nodes: Sequence[Node], inputs: Sequence[Labels], output: Labels | None) -> Node:
    width = 0
    for node, labels in zip(nodes, inputs, strict=True):
        if ELLIPSIS in labels:
            width = max(width, len(node.shape) - len(labels) + 1)
    spread = [_spread_ellipsis(labels, node, width) for node, labels in zip(nodes, inputs, strict=True)]
    if output is None:
        wanted = _implicit_output(spread, width)
    elif ELLIPSIS in output:
        at = output.index(ELLIPSIS)
        wanted = (*output[:at], *(f".{i}" for i in range(width)), *output[at + 1 :])
    else:
        wanted = output
    _check_output(wanted, spread)
    operands = [_take_diagonals(node, labels) for node, labels in zip(nodes, spread, strict=True)]
    _check_sizes(operands)
    later = [{x for _, labels in operands[i + 1 :] for x in labels} | set(wanted) for i in range(len(operands))]
    node, labels = operands[0]
    node, labels = _sum_out(node, labels, later[0])
    for i, (other, other_labels) in enumerate(operands[1:], 1):
        other, other_labels = _sum_out(other, other_labels, later[i] | set(labels))
        node, labels = _contract(node, labels, other, other_labels, later[i])
    return permute_to(node, [labels.index(x) for x in wanted])


@public(method=False)
def einsum(*args: Any) -> Node:
    """Sums of products, by Einstein's convention.

    Args:
        args: an equation and operands, as in `einsum("ij,jk->ik", a, b)`; or operands and lists of ints in turn,
            and perhaps a list for the output, as in `einsum(a, [0, 1], b, [1, 2], [0, 2])`. A letter stands for a
            dimension; '...' for any number of them, which broadcast; a letter twice in one operand for its
            diagonal. Letters that the output does not have are summed. Without '->' the output has the letters
            that appear once, in alphabetical order.

    Raises:
        ArgumentError: an equation that cannot be read.
        ShapeError: sizes do not fit.

    >>> from onegraph.ops.movement import full
    >>> einsum("bij,bjk->bik", full((2, 3, 4), 1.0), full((2, 4, 5), 1.0)).shape
    (2, 3, 5)
    """
    if not args or (len(args) == 1 and not isinstance(args[0], str)):
        raise ArgumentError("einsum: needs an equation and at least one operand")
    if isinstance(args[0], str):
        given = args[1:]
        if len(given) == 1 and isinstance(given[0], (list, tuple)):
            given = tuple(given[0])
        operands = list(given)
        if not operands:
            raise ArgumentError(f"einsum: {args[0]!r} needs at least one operand")
        inputs, output = _parse(args[0], len(operands))
    else:
        operands = list(args[: len(args) // 2 * 2 : 2])
        inputs = [_labels_of_sublist(s) for s in args[1::2]]
        output = _labels_of_sublist(args[-1]) if len(args) % 2 else None
    return _evaluate(promote(*map(as_node, operands)), inputs, output)


@public(method=False)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Node:
    """The sum of products over dimensions of two tensors.

    Args:
        a, b: tensors.
        dims: an int n, for the last n dimensions of a and the first n of b; or two lists of dimensions.

    Returns:
        The remaining dimensions of a, then those of b.

    Raises:
        ShapeError: sizes that are summed over differ.
    """
    x, y = promote(as_node(a), as_node(b))
    if isinstance(dims, int):
        if not 0 <= dims <= min(len(x.shape), len(y.shape)):
            raise ArgumentError(f"tensordot: dims {dims} is out of range for {show(x.shape)} and {show(y.shape)}")
        pairs = [(len(x.shape) - dims + i, i) for i in range(dims)]
    else:
        if not isinstance(dims, (list, tuple)) or len(dims) != 2:
            raise ArgumentTypeError(f"tensordot: dims must be an int or two lists of dimensions, got {dims!r:.80}")
        first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
        if len(first) != len(second):
            raise ArgumentError(f"tensordot: {len(first)} and {len(second)} dimensions to sum over")
        pairs = [
            (normalize_dim("tensordot", i, len(x.shape)), normalize_dim("tensordot", j, len(y.shape)))
            for i, j in zip(first, second, strict=True)
        ]
    left = [f"a{i}" for i in range(len(x.shape))]
    right = [f"b{i}" for i in range(len(y.shape))]
    for i, j in pairs:
        right[j] = left[i]
    output = tuple(n for i, n in enumerate(left) if all(i != p for p, _ in pairs))
    output += tuple(n for j, n in enumerate(right) if all(j != q for _, q in pairs))
    for i, j in pairs:
        if x.shape[i] != 1 and y.shape[j] != 1 and not same_size(x.shape[i], y.shape[j]):
            raise ShapeError(
                f"tensordot: {show(x.shape)} and {show(y.shape)}: sizes {x.shape[i]} of dimension {i} and "
                f"{y.shape[j]} of dimension {j} differ"
            )
    return _evaluate([x, y], [tuple(left), tuple(right)], output)
