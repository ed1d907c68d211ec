"""How results of real Keras 3 are compared with ours: the same expressions are evaluated with both.

The values of Keras 3 stand in `recorded/NAME.json`. To record them anew, where Keras 3 is installed:

    KERAS_BACKEND=torch python -m tests.keras.recorded ops losses metrics optimizers
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("recorded")


def names() -> dict[str, Any]:
    """The arrays that expressions use."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return rng.normal(size=shape).astype("float32")

    values = {"a": draw(2, 3), "b": draw(2, 3), "u": draw(4), "v": draw(4), "t": draw(2, 4, 3), "q": draw(1, 3, 2, 4)}
    root = draw(3, 3)
    values.update(p=np.abs(values["a"]) + 0.5, m=root @ root.T + np.eye(3, dtype="float32"), w=draw(32))
    values.update(g=rng.random((1, 5, 5, 3)).astype("float32"), z=draw(3, 3, 3, 2))
    values.update(k=np.array([1, 2]), i=np.array([3, 5, 0, 6]), j=np.array([2, 5, 1, 4]), np=np)
    values.update(probabilities=rng.random((6, 3)).astype("float32"), classes=np.array([0, 1, 2, 2, 1, 0]))
    values.update(one=rng.random(8).astype("float32"), binary=np.array([0, 1, 1, 0, 1, 0, 0, 1], "float32"))
    return values


def plain(value: Any) -> Any:
    """Tensors, nested in anything, as lists that JSON can hold."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if hasattr(value, "detach"):
        value = value.detach()
        value = value.cpu().numpy() if hasattr(value, "cpu") else value.numpy()
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        array = np.asarray(value)
        return [float(f"{float(x):.7g}") for x in array.reshape(-1)] if array.ndim else float(f"{float(array):.7g}")
    return value


def flat(value: Any) -> list[float]:
    """All numbers of nested lists, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for v in value for n in flat(v)]
    return [float(value)] if isinstance(value, (int, float, bool)) else [float(len(str(value)))]


def expected(kind: str) -> dict[str, Any]:
    """What Keras 3 gave."""
    found: dict[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text())
    return found


def check(kind: str, name: str, value: Any, tolerance: float = 2e-5) -> None:
    """Compare a value of ours with Keras 3's."""
    ours, theirs = flat(plain(value)), flat(expected(kind)[name])
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=f"{kind}: {name}")


def record(kind: str) -> None:
    """Write down what Keras 3 gives."""
    import keras  # type: ignore[import-not-found]

    cases = importlib.import_module(f"tests.keras.cases_{kind}").CASES
    found = {}
    for name, expression in cases.items():
        try:
            found[name] = plain(eval(expression, {**names(), "keras": keras, "ops": keras.ops}))
        except Exception as error:  # what one backend of Keras lacks is recorded as missing
            print(f"{kind} {name}: {type(error).__name__}: {error}", file=sys.stderr)
    FOLDER.mkdir(exist_ok=True)
    lines = ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
    (FOLDER / f"{kind}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        record(argument)
