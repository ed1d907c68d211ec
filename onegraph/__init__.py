"""onegraph: one graph for deep learning. Define-by-run, define-and-run and layers share one IR, one autodiff and one compiler.

    import onegraph as og            # PyTorch's names
    import onegraph.static as tf     # TensorFlow 1's
    from onegraph import keras       # Keras's

Read next: `frontend/tensor.py` (what a Tensor is), `ops/record.py` (what an op is), `runtime/realize.py` (how values are computed).
"""

import importlib as _importlib
from typing import Any as _Any

from onegraph import frontend as _frontend

globals().update(_frontend.EXPORTS)
_frontend.protocols.set_loader(_importlib.import_module)

__version__ = "0.1.0"
__all__ = [*_frontend.EXPORTS, "__version__"]

_SUBPACKAGES = frozenset(
    {
        "accelerator",
        "amp",
        "array_api",
        "backends",
        "board",
        "compiler",
        "config",
        "cpu",
        "cuda",
        "data",
        "distributions",
        "errors",
        "func",
        "fx",
        "hub",
        "interop",
        "inspection",
        "keras",
        "linalg",
        "masked",
        "multiprocessing",
        "nn",
        "onnx",
        "optim",
        "profiler",
        "random",
        "serialization",
        "signal",
        "sparse",
        "special",
        "static",
        "storage",
        "utils",
        "version",
        "vision",
        "zoo",
    }
)
_ELSEWHERE = {  # names that live in a subpackage, imported when they are first used
    "save": "storage",
    "load": "storage",
    "save_model": "storage",
    "load_model": "storage",
    "summary": "inspection",
}


def __getattr__(name: str) -> _Any:
    """Subpackages, imported when they are first used, so that `import onegraph` stays quick."""
    if name in _SUBPACKAGES:
        return _importlib.import_module(f"onegraph.{name}")
    if name in _ELSEWHERE:
        return getattr(_importlib.import_module(f"onegraph.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module 'onegraph' has no attribute {name!r}")
