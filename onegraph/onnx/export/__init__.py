"""Our graphs as ONNX models.

Read next: `function.py` (what users call), `emitter.py`, `registry.py`.
"""

import onegraph.onnx.export.contraction as _contraction
import onegraph.onnx.export.control as _control
import onegraph.onnx.export.elementwise as _elementwise
import onegraph.onnx.export.movement as _movement
import onegraph.onnx.export.raising as _raising
import onegraph.onnx.export.raising_images as _raising_images
from onegraph.onnx.export.function import export
from onegraph.onnx.export.program import ONNXProgram

__all__ = ["ONNXProgram", "export"]

del _contraction, _control, _elementwise, _movement, _raising, _raising_images
