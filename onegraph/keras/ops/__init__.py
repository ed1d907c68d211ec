"""`keras.ops`: Keras 3's operations, on tensors and on the symbolic tensors of functional models. Start with README.md.

from onegraph.keras import ops
ops.softmax(ops.matmul(x, w))
"""

import types as _types
from typing import Any as _Any

from onegraph.keras.ops import (
    arrangement,
    core,
    creation,
    elementwise,
    image,
    image_geometry,
    layer,
    linalg,
    nn,
    reduction,
    spatial,
    spectral,
)

_HELPERS = frozenset({"per_dim", "same_padding", "as_batch", "from_batch", "OperationLayer"})


def _operations_of(module: _types.ModuleType) -> dict[str, _Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, _types.FunctionType)
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and name not in _HELPERS
    }


_NUMPY_LIKE = (elementwise, reduction, arrangement, creation, spectral)
_everything: dict[str, _Any] = {}
for _module in (*_NUMPY_LIKE, core, linalg, nn, spatial):
    _everything.update(_operations_of(_module))
__all__ = ["image", "linalg", "nn", "numpy", *sorted(_everything)]

numpy = _types.SimpleNamespace(**{k: v for m in (*_NUMPY_LIKE, linalg) for k, v in _operations_of(m).items()})
vars(nn).update(_operations_of(spatial), normalize=linalg.normalize, moments=reduction.moments)
vars(nn).update(ctc_decode=core.ctc_decode)
vars(image).update(_operations_of(image_geometry))
globals().update(_everything)


def __getattr__(name: str) -> _Any:
    """Tells type checkers that operations are there, which they cannot see."""
    raise AttributeError(f"keras.ops has no operation {name!r}")
