"""Collating: structures, dtypes and errors, compared with PyTorch's `default_collate`."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import onegraph
from onegraph.data import default_collate, default_convert, numpy_collate
from onegraph.errors import DataError

Pair = namedtuple("Pair", ["left", "right"])

BATCHES: dict[str, list[Any]] = {
    "floats": [1.0, 2.5],
    "integers": [1, -2],
    "booleans": [True, False],
    "numpy scalars": [np.float32(1), np.float32(2)],
    "arrays": [np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)],
    "tuples": [(1, 2.0), (3, 4.0)],
    "lists": [[1, [2]], [3, [4]]],
    "mappings": [{"a": 1, "b": {"c": 2.0}}, {"a": 3, "b": {"c": 4.0}}],
    "ordered": [OrderedDict(x=1, y=2), OrderedDict(x=3, y=4)],
    "named tuples": [Pair(1, np.ones(2)), Pair(2, np.zeros(2))],
    "strings": ["a", "b"],
    "bytes": [b"a", b"b"],
    "mixed": [("name", np.arange(2), 5), ("other", np.arange(2), 6)],
}


def plain(value: Any) -> Any:
    """Types, dtypes, shapes and values as something that compares with `==`."""
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(part) for part in value]
    return value


@pytest.mark.parametrize("kind", BATCHES)
def test_as_pytorch_collates(kind: str) -> None:
    torch_data = pytest.importorskip("torch.utils.data")
    ours, theirs = plain(numpy_collate(BATCHES[kind])), plain(torch_data.default_collate(BATCHES[kind]))
    assert ours == theirs


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        ([], "without samples"),
        ([np.zeros(2), np.zeros(3)], r"\(2,\) in the first sample.*\(3,\) in number 1"),
        ([{"a": [1, np.zeros(2)]}, {"a": [1, np.zeros(1)]}], r"sample\['a'\]\[1\]"),
        ([{"a": 1}, {"b": 1}], "keys"),
        ([{"a": 1}, 3], "keys"),
        ([[1, 2], [1]], "2 elements in the first sample and 1 in number"),
        ([[1, 2], 5], "in the first sample and int in number"),
        ([{1}, {2}], "sample is a set"),
        ([None, None], "NoneType"),
        ([np.array("text"), np.array("text")], "dtype <U4"),
    ],
)
def test_what_cannot_be_stacked_is_named(samples: list[Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        numpy_collate(samples)


def test_tensors_come_out() -> None:
    batch = default_collate([{"x": np.ones(2, np.float32), "name": "a"}] * 3)
    assert type(batch["x"]) is onegraph.Tensor
    assert tuple(batch["x"].shape) == (3, 2)
    assert batch["name"] == ["a"] * 3
    converted = default_convert((np.arange(3), "text", [np.float64(2)]))
    assert converted[0].numpy().tolist() == [0, 1, 2]
    assert converted[1] == "text"
    again = default_collate([batch["x"], batch["x"]])
    assert np.array_equal(again.numpy(), np.ones((2, 3, 2), np.float32))
