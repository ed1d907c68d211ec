"""Summaries: the same text as torchinfo's; nothing is computed; what is said about bad arguments."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.inspection import summary
from onegraph.inspection.summary import clear_cached_forward_pass
from onegraph.runtime import plan
from tests.inspection.nets import CASES, blocks, golden, lenet


def printed(model: Any, **options: Any) -> str:
    with redirect_stdout(io.StringIO()) as text:
        summary(model, **options)
    return text.getvalue()


@pytest.mark.parametrize("name", CASES)
def test_text_is_that_of_torchinfo(name: str) -> None:
    make, options = CASES[name]
    assert printed(make(og.nn), **{"verbose": 1, **options}) == golden(name)


def test_nothing_is_computed_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = blocks(og.nn)
    model.head.eval()
    og.eval(model.state_dict())
    pending = lenet(og.nn)
    monkeypatch.setattr(plan.Plan, "run", lambda *_: pytest.fail("something was computed"))
    random = og.get_rng_state().tolist()
    for mode in ("eval", "train"):
        summary(model, (8, 3, 16, 16), mode=mode, verbose=0)
    summary(pending, (1, 1, 32, 32), verbose=0)  # parameters without values yet
    monkeypatch.undo()
    assert og.get_rng_state().tolist() == random
    assert [m.training for m in model.modules()].count(False) == 1
    assert model.blocks[1].bn.num_batches_tracked.item() == 0
    assert not model.blocks[1].bn.running_mean.any()
    assert all(not m._forward_pre_hooks and not m._forward_hooks for m in model.modules())


def test_values_in_training_mode_are_normalized_all_the_same() -> None:
    """A summary between two calls does not disturb them."""
    with og.config.using(backend="reference"):
        model, x = og.nn.BatchNorm1d(2), og.tensor([[1.0, 2.0], [3.0, 6.0]])
        model(x)
        summary(model, input_data=x, mode="train", verbose=0)
        assert model.num_batches_tracked.item() == 1
        assert model.running_mean.tolist() == pytest.approx([0.2, 0.4])


def test_input_data() -> None:
    model = lenet(og.nn)
    as_array = summary(model, input_data=np.zeros((2, 1, 32, 32), np.float32), verbose=0)
    as_dict = summary(model, input_data={"input": og.zeros(2, 1, 32, 32)}, verbose=0)
    assert str(as_array) == str(as_dict) == golden("lenet").rstrip("\n")
    assert as_array.total_params == 61_706 and as_array.total_input == 2 * 32 * 32 * 4


def test_cached_records() -> None:
    clear_cached_forward_pass()
    model = lenet(og.nn)
    first = summary(model, (2, 1, 32, 32), cache_forward_pass=True, verbose=0)
    again = summary(og.nn.Sequential(), (2, 1, 32, 32), cache_forward_pass=True, verbose=0)  # by the name of the class
    assert again.summary_list is first.summary_list
    clear_cached_forward_pass()


def test_keras_layers_are_built() -> None:
    model = og.keras.Sequential([og.keras.layers.Dense(4), og.keras.layers.Dense(2)])
    found = summary(model, (3, 5), verbose=0)
    assert found.total_params == 5 * 4 + 4 + 4 * 2 + 2
    assert found.summary_list[-1].output_size == [3, 2]


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"input_size": (1, 1, 32, 32), "input_data": og.zeros(1)}, ArgumentError, "give one of"),
        ({"col_names": ("output_size",)}, ArgumentError, "output_size need input_size"),
        ({"col_names": ("size",)}, ArgumentError, "any of input_size"),
        ({"row_settings": "depth"}, ArgumentError, "row_settings='depth'"),
        ({"input_size": 5}, ArgumentTypeError, "not a shape"),
        ({"input_size": (1, -1)}, ArgumentError, "at least 1"),
        ({"input_size": (1, 2.5)}, ArgumentTypeError, "no whole number"),
        ({"input_size": (1, 3, 32, 32)}, ShapeError, "0 \\(Conv2d\\)"),
        ({"input_size": (1, 3), "dtypes": ["int64", "int64"]}, ArgumentError, "1 inputs and 2 dtypes"),
        ({"verbose": 3}, ArgumentError, "verbose=3"),
        ({"input_data": "picture"}, ArgumentTypeError, "input_data is str"),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type[Exception], part: str) -> None:
    with pytest.raises(error, match=part):
        summary(lenet(og.nn), **options)
    with pytest.raises(ArgumentTypeError, match="expected a module"):
        summary(print, (1,))  # type: ignore[arg-type]
