"""Networks have the names, shapes and results of torchvision's (timm's where it has none), for the same weights and images.

What those give was recorded by `record_published.py`; the weights are those of `filling.py`. Read next: `test_training.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn, zoo
from tests.zoo.filling import digest, filled, image, kept

RECORDED = json.loads(Path(__file__).with_name("published_networks.json").read_text())["networks"]
QUICK = ("squeezenet1_1", "resnet18", "mobilenet_v3_small")
TOLERANCE = 1e-4  # of the root mean square of the results


def title(row: dict[str, Any]) -> str:
    options = ",".join(f"{k}={v}" for k, v in row["options"].items())
    return row["network"] + (f"[{options}]" if options else "") + (f".{row['part']}" if row["part"] else "")


def cases() -> Iterator[Any]:
    for row in RECORDED:
        quick = row["network"] in QUICK and not row["options"]
        yield pytest.param(row, id=title(row), marks=() if quick else pytest.mark.slow)


def fill(model: nn.Module, row: dict[str, Any]) -> None:
    floating = [(name, value) for name, value in model.state_dict().items() if value.dtype.is_floating_point]
    state = {}
    for place, (name, value) in enumerate(floating):
        key = str(place) if "timm" in row else name
        state[name] = og.from_numpy(filled(key, name.rpartition(".")[2], tuple(value.shape), row["gain"]))
    model.load_state_dict(state, strict=False)


def compare(row: dict[str, Any]) -> None:
    model = getattr(zoo, row["network"])(**row["options"]).eval()
    assert sum(p.numel() for p in model.parameters()) == row["parameters"]
    if row["names"]:
        entries = [(n, tuple(v.shape), v.dtype.name) for n, v in model.state_dict().items()]
        assert digest(entries) == row["names"], sorted(entries)
    fill(model, row)
    part = model.get_submodule(row["part"]) if row["part"] else model
    with og.no_grad():
        found = kept(part(og.from_numpy(image(tuple(row["input"])))).numpy())
    assert found["shape"] == row["shape"]
    scale = row["norm"] / np.prod(row["shape"]) ** 0.5
    np.testing.assert_allclose(found["norm"], row["norm"], rtol=TOLERANCE)
    np.testing.assert_allclose(found["values"], row["values"], rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("row", list(cases()))
def test_results_are_those_of_the_published_networks(row: dict[str, Any]) -> None:
    with og.config.using(backend="reference"):  # the compiler is compared with it elsewhere
        compare(row)


def test_another_weight_or_image_is_noticed() -> None:
    row = next(row for row in RECORDED if row["network"] == "squeezenet1_1")
    with og.config.using(backend="reference"):
        with pytest.raises(AssertionError):
            compare({**row, "gain": 1.0, "input": [1, 3, 72, 64]})
        with pytest.raises(AssertionError):
            compare({**row, "values": [v * 1.001 for v in row["values"]]})
