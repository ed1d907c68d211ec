"""Layers give what Keras 3 gives, with its weights: outputs, gradients and statistics, as `record_keras.py` recorded them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.keras import layers as L
from onegraph.keras.layers.symbolic import flatten
from tests.keras.cases import CASES, MASK, SEVERAL, given, numbers, weights_for

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = np.load(FIXTURES / "layers.npz")
SIGNATURES = json.loads((FIXTURES / "layers.json").read_text())

COUNTS = {"batch_norm_training": 12, "batch_norm_axis": 6}


def run(expression: str, spec: Any, options: str) -> list[np.ndarray]:
    """What `record_keras.run` does, here."""
    layer = eval(expression, {"L": L})
    keywords = eval(f"dict({options})", {"MASK": og.tensor(MASK)})
    image = isinstance(spec, tuple) and spec[0] == "image"
    data = [og.tensor(x, requires_grad=x.dtype.kind == "f" and not image) for x in flatten(given(spec))]
    several = isinstance(spec, list) and any(name in expression for name in SEVERAL)
    arguments = data if several else [data] if isinstance(spec, list) else data[:1]
    layer(*arguments, **keywords)
    if "STFT" not in expression:
        layer.set_weights(weights_for([tuple(w.shape) for w in layer.weights]))
    outputs = [o for o in flatten(layer(*arguments, **keywords)) if o is not None]
    total = sum((o * og.tensor(numbers(tuple(o.shape), 9 + i))).sum() for i, o in enumerate(outputs))
    wanted = [x for x in data[:1] if x.requires_grad] + layer.trainable_weights
    gradients: Any = []
    if wanted and total.requires_grad:
        gradients = og.autograd.grad(total, wanted, allow_unused=True)
    gradients = [np.zeros(tuple(w.shape)) if g is None else g.numpy() for g, w in zip(gradients, wanted, strict=False)]
    after = [w.detach().numpy() for w in layer.non_trainable_weights]
    return [*[o.detach().numpy() for o in outputs], *gradients, *after]


@pytest.mark.parametrize("name", list(CASES))
def test_layers_compute_what_keras_computes(name: str) -> None:
    with og.config.using(backend="reference", shape_change_warning=10_000):
        found = run(*CASES[name])
    wanted = [RECORDED[f"{name}.{i}"] for i in range(len([k for k in RECORDED if k.rsplit(".", 1)[0] == name]))]
    assert len(found) == len(wanted) > 0
    if name in COUNTS:  # the moving variance is that of the unbiased variance, see README.md
        before = 0.99 * weights_for([found[-1].shape] * 4)[3]
        found[-1] = before + (found[-1] - before) * (1 - 1 / COUNTS[name])
    for i, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        if "stft" in name or "mel" in name:  # logarithms and roots of what is left of sums: few digits, no gradients
            np.testing.assert_allclose(found[0], wanted[0], rtol=1e-3, atol=1e-2)
            break
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=5e-5, err_msg=f"{name}: result {i}")
