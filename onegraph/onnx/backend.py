"""The interface of ONNX's own test suite and of programs that choose among runtimes: `onnx.backend.base.Backend`.

`onnx.backend.test.BackendTest(onegraph.onnx.backend, __name__)` runs the suite unmodified.
Read next: `module.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onegraph as og
from onegraph.onnx.interpreter import outputs_as_arrays
from onegraph.onnx.module import OnnxModule, load
from onegraph.onnx.values import onnx_package

_base: Any = onnx_package("onnx.backend.base")


class BackendRep(_base.BackendRep):  # type: ignore[name-defined, misc]
    """A model that is ready to run; made by `Backend.prepare`."""

    def __init__(self, module: OnnxModule) -> None:
        self.module = module

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Outputs as NumPy arrays.

        Args:
            inputs: arrays in the order of the graph, or a dict by name.
            kwargs: accepted and not used.
        """
        with og.no_grad():
            if isinstance(inputs, dict):
                return tuple(outputs_as_arrays(self.module.run(**inputs)))
            values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
            return tuple(outputs_as_arrays(self.module.run(*values)))


class Backend(_base.Backend):  # type: ignore[name-defined, misc]
    """onegraph as a runtime of ONNX models."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """A model that can be run again and again.

        Args:
            model: an `onnx.ModelProto`.
            device: "CPU".
            kwargs: accepted and not used.
        """
        super().prepare(model, device, **kwargs)
        return BackendRep(load(model))

    @classmethod
    def run_node(
        cls, node: Any, inputs: Sequence[Any], device: str = "CPU", outputs_info: Any = None, **kwargs: Any
    ) -> Any:
        """Run a single node on arrays.

        Args:
            node: an `onnx.NodeProto`.
            inputs: arrays, in order; those that the node leaves out are left out here too.
            device: "CPU".
            outputs_info: accepted and not used.
            kwargs: `opset_version`, the newest by default.
        """
        onnx = onnx_package()
        super().run_node(node, inputs, device, outputs_info)
        names = [name for name in node.input if name]
        values = [onnx.ValueInfoProto(name=n) for n in names]
        graph = onnx.helper.make_graph([node], "node", values, [onnx.ValueInfoProto(name=o) for o in node.output])
        version = kwargs.get("opset_version", onnx.defs.onnx_opset_version())
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
        return cls.prepare(model, device).run(list(inputs))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether models run there."""
        return device.split(":")[0] == "CPU"


prepare = Backend.prepare
run_node = Backend.run_node
run_model = Backend.run_model
supports_device = Backend.supports_device
is_compatible = Backend.is_compatible
