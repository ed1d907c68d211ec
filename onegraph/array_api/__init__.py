"""The Python array API standard's namespace, version 2025.12: what `Tensor.__array_namespace__()` gives.

SciPy, scikit-learn and others that are written for the standard ask a tensor for this module and call its functions:

    xp = x.__array_namespace__()
    y = xp.mean(x, axis=0)

`onegraph` itself has PyTorch's names and rules (`dim=`, tensors without dimensions that promote as numbers do), and the two clash.
Read next: `support.py` (promotion), `elementwise.py`; `docs/decisions/0025-array-api-namespace.md` (why a module of its own).
"""

from __future__ import annotations

import math as _math
from typing import Any as _Any

from onegraph.array_api import creation, dtypes, elementwise, linalg, manipulation, statistics
from onegraph.frontend.device import Device

__array_api_version__ = "2025.12"

_FUNCTIONS = {
    **creation.FUNCTIONS,
    **dtypes.FUNCTIONS,
    **elementwise.FUNCTIONS,
    **linalg.FUNCTIONS,
    **manipulation.FUNCTIONS,
    **statistics.FUNCTIONS,
}
_CONSTANTS = {"e": _math.e, "inf": _math.inf, "nan": _math.nan, "newaxis": None, "pi": _math.pi}
globals().update(_FUNCTIONS)
globals().update(dtypes.DTYPES)
globals().update(_CONSTANTS)

__all__ = sorted({*_FUNCTIONS, *dtypes.DTYPES, *_CONSTANTS, "Device", "__array_api_version__", "linalg"})

_ABSENT = {
    **dict.fromkeys(("complex64", "complex128"), "there are no complex dtypes"),
    **dict.fromkeys(("uint16", "uint32", "uint64"), "uint8 is the only unsigned dtype"),
    "fft": "the extension needs complex dtypes, and there are none",
}


def __getattr__(name: str) -> _Any:
    reason = _ABSENT.get(name, "the standard has no such name")
    raise AttributeError(f"module 'onegraph.array_api' has no attribute {name!r}: {reason}")
