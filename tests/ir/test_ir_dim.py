"""Dims: their arithmetic and comparisons agree with integers, and their text reads back."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegraph.errors import ShapeError
from onegraph.ir import Dim
from onegraph.ir.dim import MAX_TERMS, evaluate_sizes
from tests.ir.graphs import dims

N, M = Dim.unknown("n"), Dim.unknown("m")
VALUES = st.fixed_dictionaries({name: st.integers(1, 20) for name in ("n", "batch", "x_1")})


def number(size: Any, values: dict[str, int]) -> int:
    result = size.evaluate(values) if isinstance(size, Dim) else size
    assert isinstance(result, int)
    return result


@given(dims, dims, VALUES)
@pytest.mark.parametrize("operate", [operator.add, operator.sub, operator.mul])
def test_arithmetic_agrees_with_integers(operate: Callable[..., Any], a: Dim, b: Dim, values: dict[str, int]) -> None:
    assert number(operate(a, b), values) == operate(number(a, values), number(b, values))


@given(dims, st.integers(-9, 9).filter(bool), VALUES)
def test_division_and_remainder_agree_with_integers(a: Dim, b: int, values: dict[str, int]) -> None:
    assert number(a // b, values) == number(a, values) // b
    assert number(a % b, values) == number(a, values) % b


@given(dims, st.integers(-9, 9), VALUES)
def test_arithmetic_with_an_integer_on_either_side(a: Dim, b: int, values: dict[str, int]) -> None:
    n = number(a, values)
    assert [number(x, values) for x in (b + a, b - a, b * a, a - b, -a)] == [b + n, b - n, b * n, n - b, -n]


@given(dims, dims, VALUES)
@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_a_comparison_that_answers_is_right(
    compare: Callable[..., Any], a: Dim, b: Dim, values: dict[str, int]
) -> None:
    for left, right in ((a, b), (a, 3), (0, b)):
        try:
            answer = compare(left, right)
        except ShapeError:
            continue
        assert answer == compare(number(left, values), number(right, values))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: N >= 1, True),
        (lambda: N < 1, False),
        (lambda: N > 0, True),
        (lambda: N // 2 >= 0, True),
        (lambda: 3 + N // 2 > 2, True),
        (lambda: 2 * N <= N, False),
        (lambda: 4 - N < 5, True),
        (lambda: N * M >= 1, True),
        (lambda: N <= N, True),
    ],
)
def test_comparisons_that_hold_for_all_sizes(answer: Callable[[], bool], expected: bool) -> None:
    assert answer() is expected


@pytest.mark.parametrize("compare", [lambda: N > 1, lambda: N < M, lambda: N // 2 > 0, lambda: N == 3 or N <= 3])
def test_comparisons_that_depend_on_the_size_say_so(compare: Callable[[], bool]) -> None:
    with pytest.raises(ShapeError, match="not known yet"):
        compare()


@given(dims)
def test_text_reads_back(a: Dim) -> None:
    back = Dim.parse(str(a))
    assert back == a and hash(back) == hash(a)


@given(dims, VALUES)
def test_partial_evaluation_agrees_with_full(a: Dim, values: dict[str, int]) -> None:
    partly = a.evaluate({"n": values["n"]})
    assert number(partly, values) == number(a, values)
    assert not isinstance(partly, Dim) or "n" not in partly.unknowns()


def test_equal_sums_are_equal_whatever_their_order() -> None:
    assert N + M * 2 - 1 == -1 + M + N + M
    assert hash(N * M) == hash(M * N)
    assert N - N == 0 and isinstance(N - N, int)
    assert N != 1 and N != M and N != "n"


def test_exact_division_by_a_size() -> None:
    assert (6 * N * M) // (2 * N) == 3 * M
    assert (N * 4) // N == 4 and N // N == 1 and 0 // N == 0
    for divide in (
        lambda: (N + 1) // M,
        lambda: N // (2 * N),
        lambda: 5 // N,
        lambda: N // (N + M),
        lambda: N // 0,
    ):
        with pytest.raises(ShapeError):
            divide()


def test_an_unknown_size_is_no_integer() -> None:
    for use in (int, range, lambda n: [0] * n):
        with pytest.raises(ShapeError, match="not known yet"):
            use(N)
    with pytest.raises(TypeError):
        N + 0.5
    with pytest.raises(TypeError):
        N // 0.5


def test_shapes_evaluate() -> None:
    assert evaluate_sizes((N, 3, N * M), {"n": 2, "m": 5}) == (2, 3, 10)


@pytest.mark.parametrize("name", ["", "2n", "a b", "a-b", "é", "né", "n\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match="needs a name"):
        Dim.unknown(name)


HOSTILE = {
    "wrong": ["", "n +", "n n", "n - 1", "(n", "n)", "n ** 2", "()", "٣", "__import__('os')"],
    "undefined": ["n // 0", "7 // n", "n // (m + 1)"],
    "long": ["9" * 5000, "(" * 60 + "n" + ")" * 60, "*".join(["n"] * 100), "n + " * 900 + "n"],
    "exploding": ["*".join(f"(a{i} + b{i})" for i in range(50))],
}


@pytest.mark.parametrize("text", [text for texts in HOSTILE.values() for text in texts])
def test_hostile_texts_are_typed_errors(text: str) -> None:
    with pytest.raises(ShapeError):
        Dim.parse(text)


def test_a_size_cannot_grow_without_limit() -> None:
    total: Any = N
    with pytest.raises(ShapeError, match=f"{MAX_TERMS} terms"):
        for i in range(MAX_TERMS + 1):
            total = total + Dim.unknown(f"x{i}")
