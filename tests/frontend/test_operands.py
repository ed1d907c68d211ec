"""Calls that PyTorch refuses are refused here with an error of the same class, and say what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import onegraph as og
from onegraph.errors import DimensionError, OneGraphError

CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "number first": (lambda: og.eq(2, og.ones(2)), TypeError, "eq: got 2, .*: the first operand must be a tensor"),
    "two numbers": (lambda: og.pow(2, 3), TypeError, "pow: got 2, 3: one operand must be a tensor"),
    "out of another kind": (
        lambda: og.amax(og.ones(2, 3), 0, out=og.zeros(3, dtype=og.int32)),
        RuntimeError,
        "out= is int32, the result float32",
    ),
    "nothing to reduce": (lambda: og.amax(og.ones(2, 0), 1), IndexError, r"max: \(2, 0\) has no elements"),
    "unbind a number": (lambda: og.unbind(og.tensor(1.0)), IndexError, "without dimensions"),
    "roll a number": (lambda: og.roll(og.tensor(1.0), 0, 0), IndexError, "without dimensions"),
    "narrow from a truth value": (lambda: og.narrow(og.ones(3), 0, og.tensor(True), 1), RuntimeError, "one integer"),
    "negative tolerance": (lambda: og.isclose(og.ones(1), og.ones(1), rtol=-1.0), RuntimeError, "rtol must not"),
    "cross of two ranks": (lambda: og.linalg.cross(og.ones(2, 3), og.ones(3)), RuntimeError, "as many dimensions"),
    "negative weight": (lambda: og.multinomial(og.tensor([-1.0, 2.0]), 1), RuntimeError, "negative, infinite or NaN"),
    "NaN weight": (
        lambda: og.multinomial(og.tensor([float("nan"), 2.0]), 1),
        RuntimeError,
        "negative, infinite or NaN",
    ),
    "no weight": (lambda: og.multinomial(og.zeros(2, 3), 1), RuntimeError, "all weights of a row are 0"),
    "too many categories": (lambda: og.multinomial(og.ones(2**24 + 1), 1), RuntimeError, "at most 16777216"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str) -> None:
    call, kind, message = CASES[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, OneGraphError)


def test_a_number_may_stand_beside_a_tensor() -> None:
    x = og.tensor([2.0, -3.0])
    assert og.maximum(x, 0).tolist() == [2.0, 0.0]
    assert og.pow(2, x).tolist() == [4.0, 0.125]
    assert (x < 2).tolist() == [False, True]


def test_an_error_about_a_dimension_is_both_of_shapes_and_of_indices() -> None:
    assert issubclass(DimensionError, ValueError) and issubclass(DimensionError, IndexError)


def test_multinomial_in_traced_code_looks_at_nothing() -> None:
    draw = og.jit(lambda w: og.multinomial(w, 1))
    assert draw(og.tensor([0.0, 1.0])).tolist() == [1]
