"""The `onnx` package, loaded when it is first needed."""

from __future__ import annotations

import functools
from typing import Any

from onegraph.errors import UnsupportedError


@functools.cache
def onnx_package() -> Any:
    """The module `onnx` with its helpers and checker.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.shape_inference
    except ImportError as error:
        raise UnsupportedError(
            "the package `onnx` is not installed, which models in that format need", hint="pip install onegraph[onnx]"
        ) from error
    return onnx
