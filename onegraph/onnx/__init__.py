"""ONNX both ways: `og.onnx.load` reads a model as a module that trains, compiles and saves; `og.onnx.export` writes one.

Needs the `onnx` package (`pip install onegraph[onnx]`), which is imported when a file is read or written.
Read next: `module.py` (what `load` gives), `reader.py` (files), `operators/` (one function an operator), `backend.py`,
`export/` (writing).
"""

from __future__ import annotations

from onegraph.onnx.export import ONNXProgram, export
from onegraph.onnx.module import OnnxModule, load

__all__ = ["ONNXProgram", "OnnxModule", "export", "load"]
