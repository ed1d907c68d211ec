"""The loss of sequences whose alignment is unknown, compared with PyTorch and with a sum over all alignments."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ShapeError
from onegraph.ops.ctc_loss import ctc_loss
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.softmax import log_softmax
from tests.ops.torch_oracle import compare, random, torch

TARGETS = np.array([[1, 2, 2], [3, 1, 1], [2, 3, 3]])
LENGTHS = np.array([3, 2, 0])


def ours(x: Any, *args: Any, **kwargs: Any) -> Any:
    return ctc_loss(log_softmax(x, -1), *args, **kwargs)


def theirs(x: Any, *args: Any, **kwargs: Any) -> Any:
    return torch.nn.functional.ctc_loss(torch.log_softmax(x, -1), *args, **kwargs)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("time", [4, 7])
def test_padded_targets(reduction: str, time: int) -> None:
    inputs = np.array([time, time - 1, time])
    compare(ours, theirs, random(time, 3, 5), TARGETS, inputs, LENGTHS, reduction=reduction)
    compare(ours, theirs, random(time, 3, 5), TARGETS, (time, time, time), (1, 2, 3), reduction=reduction)


def test_targets_in_one_vector_and_another_blank() -> None:
    joined = np.array([1, 2, 2, 3, 1, 2])
    compare(ours, theirs, random(6, 3, 5), joined, np.array([6, 5, 6]), np.array([3, 2, 1]), reduction="none")
    compare(ours, theirs, random(6, 3, 5), TARGETS, (6, 6, 6), (3, 2, 0), blank=4)


def test_one_sequence() -> None:
    x, labels, lengths = random(6, 4), np.array([1, 2]), (np.array(6), np.array(2))
    compare(ours, theirs, x, labels, *lengths, reduction="none")


def test_targets_too_long_for_their_input() -> None:
    x = random(3, 1, 4)
    for zero_infinity in (False, True):
        compare(
            ours, theirs, x, np.array([[1, 1, 2]]), (3,), (3,), zero_infinity=zero_infinity, gradients=zero_infinity
        )


def test_it_is_the_sum_over_alignments() -> None:
    x = random(4, 1, 3)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        merged = [k for k, _ in itertools.groupby(path)]
        if [k for k in merged if k != 0] == [1, 2]:
            total += float(np.prod([p[t, 0, k] for t, k in enumerate(path)]))
    (value,) = evaluate([ours(numpy_constant(x), np.array([[1, 2]]), (4,), (2,), reduction="sum")])
    assert value == pytest.approx(-np.log(total))


def test_errors() -> None:
    x = numpy_constant(random(4, 2, 3))
    with pytest.raises(ShapeError, match="one length for each of 2"):
        ctc_loss(x, numpy_constant(TARGETS[:2]), (4,), (1, 1))
    with pytest.raises(ArgumentError, match="blank must be one of the 3 classes"):
        ctc_loss(x, numpy_constant(TARGETS[:2]), (4, 4), (1, 1), blank=3)
    with pytest.raises(ShapeError, match=r"must be \(time, batch, classes\)"):
        ctc_loss(numpy_constant(random(4)), numpy_constant(TARGETS[:2]), (4, 4), (1, 1))
    with pytest.raises(ShapeError, match="targets must be"):
        ctc_loss(x, numpy_constant(TARGETS[None]), (4, 4), (1, 1))
