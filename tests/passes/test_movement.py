"""Movements of movements become one."""

import pytest

from onegraph.ops.elementwise import EXP
from onegraph.ops.leaf import constant
from onegraph.ops.movement import CONCAT, EXPAND, FLIP, PAD, PERMUTE, RESHAPE, SLICE, full, slice_dim
from onegraph.passes.movement import simplify_movement
from tests.passes.graphs import check, graph_of

ZERO = constant(0.0, full((), 0.0).dtype)


def _slice(x, starts, stops, steps=None):
    return SLICE(x, starts=starts, stops=stops, steps=steps or (1,) * len(starts))


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda x: RESHAPE(RESHAPE(x, shape=(24,)), shape=(4, 6)), "%1: f32[4, 6] = reshape(%0, shape=(4, 6))\nreturn %1"),
        (lambda x: RESHAPE(RESHAPE(x, shape=(24,)), shape=(2, 3, 4)), "return %0"),
        (lambda x: PERMUTE(PERMUTE(x, dims=(1, 2, 0)), dims=(0, 2, 1)),
         "%1: f32[3, 2, 4] = permute(%0, dims=(1, 0, 2))\nreturn %1"),
        (lambda x: PERMUTE(PERMUTE(x, dims=(1, 2, 0)), dims=(2, 0, 1)), "return %0"),
        (lambda x: PERMUTE(RESHAPE(x, shape=(6, 1, 4)), dims=(1, 0, 2)),
         "%1: f32[1, 6, 4] = reshape(%0, shape=(1, 6, 4))\nreturn %1"),
        (lambda x: EXPAND(EXPAND(RESHAPE(x, shape=(24, 1)), shape=(24, 2)), shape=(3, 24, 2)),
         "%1: f32[24, 1] = reshape(%0, shape=(24, 1))\n%2: f32[3, 24, 2] = expand(%1, shape=(3, 24, 2))\nreturn %2"),
        (lambda x: EXPAND(x, shape=(2, 3, 4)), "return %0"),
        (lambda x: FLIP(FLIP(x, dims=(1,)), dims=(1,)), "return %0"),
        (lambda x: FLIP(RESHAPE(x, shape=(1, 24)), dims=(0,)), "%1: f32[1, 24] = reshape(%0, shape=(1, 24))\nreturn %1"),
        (lambda x: PAD(x, ZERO, padding=((0, 0, 0), (0, 0, 0), (0, 0, 0))), "return %0"),
        (lambda x: _slice(x, (0, 0, 0), (2, 3, 4)), "return %0"),
        (lambda x: _slice(_slice(x, (0, 1, 1), (2, 3, 4), (1, 1, 2)), (1, 0, 1), (2, 2, 2)),
         "%1: f32[1, 2, 1] = slice(%0, starts=(1, 1, 3), stops=(2, 3, 4), steps=(1, 1, 2))\nreturn %1"),
        (lambda x: _slice(PAD(x, ZERO, padding=((1, 2, 0), (0, 3, 0), (5, 0, 0))), (1, 0, 5), (3, 3, 9)), "return %0"),
        (lambda x: _slice(PAD(x, ZERO, padding=((1, 2, 0), (0, 3, 0), (5, 0, 0))), (2, 0, 6), (3, 2, 9), (1, 1, 2)),
         "%1: f32[1, 2, 2] = slice(%0, starts=(1, 0, 1), stops=(2, 2, 4), steps=(1, 1, 2))\nreturn %1"),
    ],
)  # fmt: skip
def test_movements_become_fewer(build, expected):
    check(simplify_movement, graph_of(build, (2, 3, 4)), expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: FLIP(FLIP(x, dims=(1,)), dims=(0,)),
        lambda x: _slice(x, (0, 0, 0), (2, 3, 4), (1, 1, 2)),
        lambda x: _slice(PAD(x, ZERO, padding=((1, 0, 0), (0, 0, 0), (0, 0, 0))), (0, 0, 0), (2, 3, 4)),
        lambda x: _slice(PAD(x, ZERO, padding=((0, 0, 0), (0, 0, 1), (0, 0, 0))), (0, 0, 0), (2, 3, 4)),
        lambda x: _slice(PAD(x, ZERO, padding=((0, 1, 0), (0, 0, 0), (0, 0, 0))), (1, 0, 0), (3, 3, 4)),
        lambda x: PAD(x, ZERO, padding=((-1, 1, 0), (0, 0, 0), (0, 0, 0))),
        lambda x: _slice(_slice(x, (0, 0, 1), (2, 3, 1)), (0, 0, 0), (1, 3, 0)),
        lambda x: PERMUTE(x, dims=(0, 2, 1)),
    ],
)
def test_movements_that_stay(build):
    graph = graph_of(build, (2, 3, 4))
    assert check(simplify_movement, graph) is graph


def test_one_number_repeated_is_only_repeated():
    def build(x):
        y = full((4, 6), 0.5)
        moved = PERMUTE(RESHAPE(y, shape=(2, 2, 6)), dims=(2, 0, 1))
        return EXP(FLIP(_slice(moved, (1, 0, 0), (5, 2, 1)), dims=(0,)))

    check(
        simplify_movement,
        graph_of(build, (1,)),
        "%1: f32[] = constant(value=f32[](0.5))\n%2: f32[4, 2, 1] = expand(%1, shape=(4, 2, 1))\n"
        "%3: f32[4, 2, 1] = exp(%2)\nreturn %3",
    )


A, B = (2, 3), (2, 5)


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda a, b: slice_dim(CONCAT(a, b, dim=1), 1, 0, 3), "return %0"),
        (lambda a, b: slice_dim(CONCAT(a, b, dim=1), 1, 3, 8), "return %1"),
        (lambda a, b: slice_dim(CONCAT(a, b, dim=1), 1, 4, 8, 2),
         "%2: f32[2, 2] = slice(%1, starts=(0, 1), stops=(2, 4), steps=(1, 2))\nreturn %2"),
        (lambda a, b: _slice(CONCAT(a, b, dim=1), (1, 0), (2, 3)),
         "%2: f32[1, 3] = slice(%0, starts=(1, 0), stops=(2, 3), steps=(1, 1))\nreturn %2"),
        (lambda a, b: CONCAT(*(slice_dim(b, 1, i, i + 1) for i in range(5)), dim=1), "return %1"),
        (lambda a, b: CONCAT(slice_dim(b, 1, 0, 2), slice_dim(b, 1, 2, 4), a, dim=1),
         "%2: f32[2, 4] = slice(%1, starts=(0, 0), stops=(2, 4), steps=(1, 1))\n"
         "%3: f32[2, 7] = concat(%2, %0, dim=1)\nreturn %3"),
        (lambda a, b: CONCAT(a, slice_dim(b, 1, 2, 2), dim=1), "return %0"),
        (lambda a, b: CONCAT(slice_dim(a, 1, 2, 2), slice_dim(b, 1, 2, 2), dim=1),
         "%2: f32[2, 0] = slice(%0, starts=(0, 2), stops=(2, 2), steps=(1, 1))\nreturn %2"),
    ],
)  # fmt: skip
def test_concat_and_slice_cancel(build, expected):
    check(simplify_movement, graph_of(build, A, B), expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda a, b: slice_dim(CONCAT(a, b, dim=1), 1, 2, 4),  # of both
        lambda a, b: CONCAT(slice_dim(b, 1, 2, 3), slice_dim(b, 1, 1, 2), dim=1),  # in another order
        lambda a, b: CONCAT(slice_dim(b, 1, 0, 2, 2), slice_dim(b, 1, 2, 5, 2), dim=1),
        lambda a, b: CONCAT(slice_dim(b, 0, 0, 1), slice_dim(b, 0, 1, 2), dim=1),
        lambda a, b: CONCAT(_slice(b, (0, 0), (1, 2)), _slice(b, (1, 2), (2, 4)), dim=1),
    ],
)
def test_concat_that_stays(build):
    graph = graph_of(build, A, B)
    assert check(simplify_movement, graph) is graph
