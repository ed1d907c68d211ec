"""`ONNXProgram`: an exported model before it is a file, and how it becomes one.

Read next: `external_data.py`, which keeps large weights in a file beside the model.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from onegraph.errors import ArgumentTypeError, StorageError
from onegraph.ir.dtype import DType
from onegraph.onnx.export.emitter import tensor_proto
from onegraph.onnx.external_data import ExternalWriter
from onegraph.onnx.values import ELEMENT_TYPES, onnx_package
from onegraph.storage.atomic import atomic_write

MOST_BYTES: Final = 2_000_000_000
"""Protocol buffers hold at most 2 GiB; larger weights go into a file beside the model."""

_SMALL: Final = 1024  # bytes; smaller tensors stay in the model file, so that shapes can be inferred from it


@dataclass(frozen=True)
class Weight:
    """A named tensor of a model: its storage and its dtype."""

    array: np.ndarray[Any, Any]
    dtype: DType


class ONNXProgram:
    """An exported model.

    Attributes:
        weights: parameters and buffers by name, as in the model's `state_dict`.
        input_names, output_names: of the model.

    Example:
        >>> import onegraph as og
        >>> from onegraph.onnx.export import export
        >>> program = export(og.nn.Linear(3, 2), og.zeros(1, 3))
        >>> [node.op_type for node in program.model_proto.graph.node], list(program.weights)
        (['Gemm'], ['weight', 'bias'])
    """

    def __init__(self, proto: Any, weights: Mapping[str, Weight], names: tuple[Sequence[str], Sequence[str]]) -> None:
        self._proto = proto
        self.weights = dict(weights)
        self.input_names, self.output_names = list(names[0]), list(names[1])

    @property
    def model_proto(self) -> Any:
        """The model as an `onnx.ModelProto` with all weights inside.

        Raises:
            StorageError: they are more than a ModelProto can hold.
        """
        if self._bytes() > MOST_BYTES:
            raise StorageError(
                f"onnx.export: the weights are {self._bytes():,} bytes, a ModelProto holds at most {MOST_BYTES:,}",
                hint="save it with program.save(path, external_data=True)",
            )
        proto = onnx_package().ModelProto()
        proto.CopyFrom(self._proto)
        proto.graph.initializer.extend([tensor_proto(name, w.array, w.dtype) for name, w in self.weights.items()])
        return proto

    def _bytes(self) -> int:
        return sum(w.array.nbytes for w in self.weights.values())

    def save(self, destination: Any, *, external_data: bool | None = None) -> None:
        """Write the model, whole or not at all.

        Args:
            destination: a path, or a file opened for writing bytes.
            external_data: whether the weights go into a file beside the model, called `NAME.data`; by default
                only where the model file could not hold them.

        Raises:
            StorageError: the file cannot be written. ExternalDataError: the data file would be a link.
            ArgumentTypeError: the destination is neither path nor file; or a file, and the weights do not fit into it.
        """
        outside = self._bytes() > MOST_BYTES if external_data is None else external_data
        if not isinstance(destination, (str, os.PathLike)):
            kind = type(destination).__name__
            if isinstance(destination, io.TextIOBase) or not hasattr(destination, "write"):
                raise ArgumentTypeError(f"onnx.export: f must be a path or a file opened for bytes, got {kind}")
            if outside:
                raise ArgumentTypeError(f"onnx.export: external data needs a path to write to, got {kind}")
            destination.write(self.model_proto.SerializeToString())
            return
        if not outside:
            content = self.model_proto.SerializeToString()
        else:
            content = self._save_beside(Path(destination))
        with atomic_write(destination) as file:
            file.write(content)

    def _save_beside(self, path: Path) -> bytes:
        onnx = onnx_package()
        proto = onnx.ModelProto()
        proto.CopyFrom(self._proto)
        with ExternalWriter(path.parent, f"{path.name}.data") as writer:
            for name, weight in self.weights.items():
                if weight.array.nbytes < _SMALL:
                    proto.graph.initializer.append(tensor_proto(name, weight.array, weight.dtype))
                    continue
                tensor = proto.graph.initializer.add(
                    name=name, data_type=ELEMENT_TYPES[weight.dtype.name], dims=weight.array.shape
                )
                tensor.data_location = onnx.TensorProto.EXTERNAL
                little = weight.array.astype(weight.array.dtype.newbyteorder("<"), copy=False)
                for key, value in writer.add(name, little).items():
                    tensor.external_data.add(key=key, value=value)
        return bytes(proto.SerializeToString())

    def __repr__(self) -> str:
        taken, given = ", ".join(self.input_names), ", ".join(self.output_names)
        return f"<ONNXProgram ({taken}) -> ({given}): {len(self._proto.graph.node)} nodes, {len(self.weights)} weights>"
