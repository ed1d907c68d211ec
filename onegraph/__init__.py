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

__version__ = "0.1.0"
__all__ = [*_frontend.EXPORTS, "__version__"]

_SUBPACKAGES = frozenset({"board", "config", "data", "errors", "keras", "nn", "optim", "static", "storage", "utils"})


def __getattr__(name: str) -> _Any:
    """Subpackages, imported when they are first used, so that `import onegraph` stays quick."""
    if name in _SUBPACKAGES:
        return _importlib.import_module(f"onegraph.{name}")
    raise AttributeError(f"module 'onegraph' has no attribute {name!r}")
