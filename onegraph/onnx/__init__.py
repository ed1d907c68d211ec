"""ONNX: `og.onnx.load` reads a model as a module that trains, compiles and saves like any other.

Needs the `onnx` package (`pip install onegraph[onnx]`), which is imported when a file is read.
Read next: `module.py` (what `load` gives), `reader.py` (files), `operators/` (one function an operator), `backend.py`.
"""

from __future__ import annotations

from onegraph.onnx.module import OnnxModule, load

__all__ = ["OnnxModule", "load"]
