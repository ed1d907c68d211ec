"""What printing and reading of graphs agree on: names, limits, and how listed elements become an array."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import numpy as np

from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32, float32_to_bfloat16

MAX_DEPTH: Final = 32  # of graphs within graphs, and of tuples within tuples
MAX_NDIM: Final = 64
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def literal_array(elements: list[Any], dtype: DType) -> np.ndarray[Any, Any]:
    """Listed elements in the dtype's storage; an OverflowError when one does not fit."""
    if dtype.kind in ("int", "uint") and elements:
        limits = np.iinfo(dtype.numpy)
        if min(elements) < limits.min or max(elements) > limits.max:
            raise OverflowError
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(elements, np.float32 if dtype is bfloat16 else dtype.numpy)
    stored = float32_to_bfloat16(array) if dtype is bfloat16 else array
    if dtype.is_floating_point:
        rounded = bfloat16_to_float32(stored) if dtype is bfloat16 else stored
        if np.isinf(rounded).sum() != sum(map(math.isinf, elements)):
            raise OverflowError
    return stored
