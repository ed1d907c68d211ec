"""Every layer class of Keras 3 is here, with the same arguments in the same order and the same defaults, or has a reason."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from onegraph.keras import layers as L

SIGNATURES = json.loads((Path(__file__).parent / "fixtures" / "layers.json").read_text())

MISSING = {
    "FlaxLayer": "wraps a module of Flax; there is no JAX underneath",
    "JaxLayer": "wraps a function of JAX; there is no JAX underneath",
    "TFSMLayer": "runs a TensorFlow SavedModel; there is no TensorFlow underneath",
    "MaxNumBoundingBoxes": "layers for images do not change bounding boxes",
    "ContrastLimitedAdaptiveHistogramEqualization": "not written yet",
}
# Arguments that Keras has and the layers here do not take.
LEFT_OUT = {
    "lora_rank": "low-rank adapters are no part of a layer here",
    "lora_alpha": "low-rank adapters are no part of a layer here",
    "quantization_config": "weights are not quantized",
    "gptq_unpacked_column_size": "weights are not quantized",
}


def ours(cls: Any) -> dict[str, Any]:
    """The constructor's arguments with their defaults, those that are handed on to the classes above included."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" in base.__dict__ and base is not object:
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
            for p in parameters:
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                    found.setdefault(p.name, p.default)
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return found


def same(ours: Any, theirs: Any) -> bool:
    """Whether defaults mean the same: (2, 2) is written 2 where one number stands for all dimensions."""
    theirs = tuple(theirs) if isinstance(theirs, list) else theirs
    if isinstance(theirs, tuple) and isinstance(ours, int):
        return set(theirs) == {ours} or set(theirs) == {(ours, ours)}
    if isinstance(theirs, tuple):
        theirs = tuple(tuple(t) if isinstance(t, list) else t for t in theirs)
    return bool(ours == theirs)


@pytest.mark.parametrize("name", list(SIGNATURES))
def test_arguments_and_defaults_are_those_of_keras(name: str) -> None:
    if name in MISSING:
        assert not hasattr(L, name) and len(MISSING[name]) > 10
        return
    mine = ours(getattr(L, name))
    positional = [n for n in mine if n not in LEFT_OUT]
    wanted = [row for row in SIGNATURES[name] if row[0] not in LEFT_OUT and row[0] != "kwargs"]
    for row in wanted:
        assert row[0] in mine, f"{name} has no argument {row[0]}"
        if len(row) == 2 and not (name == "InputLayer" and row[0] == "name"):
            assert same(mine[row[0]], row[1]), f"{name}: {row[0]} is {mine[row[0]]!r} by default, in Keras {row[1]!r}"
    if name not in ("Layer", "InputSpec"):  # keyword-only in Keras, too
        order = [row[0] for row in wanted if row[0] not in ("name", "dtype", "activity_regularizer", "trainable")]
        assert [n for n in positional if n in order][: len(order)] == order, f"{name}: another order"


def test_exceptions_are_needed() -> None:
    assert set(MISSING) <= set(SIGNATURES)
    arguments = {row[0] for rows in SIGNATURES.values() for row in rows}
    assert set(LEFT_OUT) <= arguments
