"""Linear algebra under PyTorch's names, generated from the functions in `ops/` (`norms.py`, `linear_algebra.py`, ...)."""

from onegraph.frontend import namespaces as _namespaces

_functions = dict(_namespaces["linalg"])
globals().update(_functions)

__all__ = sorted(_functions)
