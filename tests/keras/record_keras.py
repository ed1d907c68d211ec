"""Record what Keras 3 computes for the layers of `cases.py`, and its layers' arguments, into `fixtures/`.

Run it where Keras and PyTorch are installed: `KERAS_BACKEND=torch python tests/keras/record_keras.py`.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, MASK, SEVERAL, given, numbers, weights_for

FIXTURES = Path(__file__).parent / "fixtures"


def flat(value: Any) -> list[Any]:
    """Tensors in nested lists."""
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def run(expression: str, spec: Any, options: str) -> list[np.ndarray]:
    """Outputs, and gradients of their sum weighted by `numbers` for the first input and the trained weights."""
    import torch
    from keras import layers, ops

    layer = eval(expression, {"L": layers})
    mask = ops.convert_to_tensor(MASK)
    keywords = eval(f"dict({options})", {"MASK": mask})
    data = [torch.tensor(x) for x in flat(given(spec))]
    for x in data:
        if x.is_floating_point() and (not isinstance(spec, tuple) or spec[0] != "image"):
            x.requires_grad_(True)
    several = isinstance(spec, list) and any(name in expression for name in SEVERAL)
    arguments = data if several else [data] if isinstance(spec, list) else data[:1]
    layer(
        *[x.clone() if isinstance(x, torch.Tensor) else x for x in arguments], **keywords
    )  # some write to their input
    if "STFT" not in expression:
        layer.set_weights(weights_for([tuple(w.shape) for w in layer.weights]))
    outputs = [o for o in flat(layer(*arguments, **keywords)) if o is not None]
    total = sum((o * torch.tensor(numbers(tuple(o.shape), 9 + i))).sum() for i, o in enumerate(outputs))
    wanted = [x for x in data[:1] if x.requires_grad] + [v.value for v in layer.trainable_weights]
    gradients = torch.autograd.grad(total, wanted, allow_unused=True) if wanted and total.requires_grad else []
    after = [w for w in layer.non_trainable_weights if "seed" not in w.path]
    found = [*outputs, *[torch.zeros(w.shape) if g is None else g for g, w in zip(gradients, wanted, strict=False)]]
    return [f.detach().numpy() for f in found] + [np.asarray(w.numpy()) for w in after]


def signatures() -> dict[str, list[list[Any]]]:
    """Name and default of each argument of each layer class; what has no default has none."""
    from keras import layers

    found = {}
    for name in sorted(dir(layers)):
        cls = getattr(layers, name)
        if inspect.isclass(cls):
            parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
            kept = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
            found[name] = [[p.name] if p.default is p.empty else [p.name, p.default] for p in kept]
    return found


def main(only: str = "") -> None:
    """Write the fixtures."""
    arrays: dict[str, np.ndarray] = {}
    for name, (expression, spec, options) in CASES.items():
        if only in name:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", ".*inconsistencies across backends")
                for i, array in enumerate(run(expression, spec, options)):
                    arrays[f"{name}.{i}"] = array
    FIXTURES.mkdir(exist_ok=True)
    np.savez_compressed(FIXTURES / "layers.npz", **arrays)
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in signatures().items())
    (FIXTURES / "layers.json").write_text(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
