"""A run-time error names the operation and the user's line, although many operations run in one kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import onegraph as og
from onegraph.errors import DivisionError, OneGraphError, OutOfRangeError
from onegraph.runtime.plan import plans

CASES: dict[str, Callable[[], object]] = {
    "floor_div": lambda: (og.tensor([6, 8]) // og.tensor([2, 0]) + 1).tolist(),
    "mod": lambda: (og.tensor([6, 8]) % (og.tensor([2, 1]) - 1) * 2).tolist(),
    "index": lambda: (og.ones(3, 2)[og.tensor([0, 7])] * 2).tolist(),
    "gather": lambda: (og.gather(og.ones(2, 3), 1, og.tensor([[4], [0]])) + 1).tolist(),
    "embedding": lambda: og.nn.functional.embedding(og.tensor([0, 9]), og.ones(3, 2)).tolist(),
    "cross entropy": lambda: og.nn.functional.cross_entropy(og.ones(2, 3), og.tensor([0, 5])).item(),
    "bfloat16": lambda: (og.ones(3, dtype=og.bfloat16)[og.tensor([8])] + 1).tolist(),
    "two": lambda: ((og.tensor([1]) // og.tensor([0])) + og.tensor([3, 4])[og.tensor([0])]).tolist(),
}


def error_of(name: str, backend: str) -> OneGraphError:
    plans.clear()  # a plan of the same structure remembers the lines of the program that compiled it
    with og.config.using(backend=backend), pytest.raises((DivisionError, OutOfRangeError)) as caught:
        CASES[name]()
    assert isinstance(caught.value, OneGraphError)
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_the_error_is_that_of_the_reference(name: str) -> None:
    native, reference = error_of(name, "native"), error_of(name, "reference")
    assert type(native) is type(reference) and str(native) == str(reference)
    assert native.location is not None and native.location[0] == __file__


def test_the_error_of_a_training_step() -> None:
    model = og.nn.Linear(4, 3)
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    @og.jit
    def step(x: og.Tensor, y: og.Tensor) -> og.Tensor:
        loss = og.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    with og.config.using(backend="native"):
        step(og.ones(2, 4), og.tensor([0, 2])).item()
        with pytest.raises(OutOfRangeError, match="take: index 5 is out of range for size 3"):
            step(og.ones(2, 4), og.tensor([0, 5])).item()
