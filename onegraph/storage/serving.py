"""What `load_model` gives: a model that runs for any batch size, from any number of threads.

Read next: `model.py` (how it is read), `passes/specialize.py` (sizes that become known), `runtime/plan.py`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import FeedError
from onegraph.frontend.tensor import Tensor, wrap_buffer
from onegraph.ir.dtype import ALL, DType, as_dtype, bfloat16, float32_to_bfloat16
from onegraph.ir.graph import Graph
from onegraph.passes.specialize import bind_sizes, has_unknown_sizes, specialize
from onegraph.runtime.plan import Plan, current_backend, plan_for
from onegraph.storage.manifest import damaged
from onegraph.storage.safetensors import StoredArray
from onegraph.storage.state import Decoder, load_tensor

_DTYPES: Final = {d.name: d for d in ALL}
_PLANS: Final = 64  # shapes that are remembered; a server that meets more should pad to a few sizes


@dataclass(frozen=True)
class ValueInfo:
    """Name, dtype and shape of an input or output; a size that is not known is its name, such as 'batch'."""

    name: str
    dtype: DType
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Signature:
    """What a saved model takes and gives.

    Attributes:
        name: of the class or function that it was made from.
        inputs, outputs: in order.
        version: of the onegraph that wrote it.
        extra: what was kept with it (class names, preprocessing, metrics).
        result: how the outputs are arranged in tuples, lists and dicts.
    """

    name: str
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    result: Any = None

    def __str__(self) -> str:
        taken = ", ".join([f"{v.name}: {v}" for v in self.inputs])
        given = ", ".join([f"{v.name}: {v}" for v in self.outputs])
        return f"({taken}) -> ({given})"


def signature_of(content: Mapping[str, Any], file: Path) -> Signature:
    """The signature in a JSON file; a StorageError when it is none."""
    inputs = _infos(content.get("inputs"), "inputs", file)
    outputs = _infos(content.get("outputs"), "outputs", file)
    name, version, extra = content.get("name"), content.get("onegraph"), content.get("extra")
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(extra, dict):
        damaged(file, "its name, onegraph (version) or extra is missing")
    if not inputs or not outputs:
        damaged(file, "a model has inputs and outputs")
    result = content.get("result")
    _Arranger(str(file), {str(i): None for i in range(len(outputs))}).decode_all(result)  # whether it can be arranged
    return Signature(name, inputs, outputs, version, extra, result)


def _infos(listed: Any, what: str, file: Path) -> tuple[ValueInfo, ...]:
    found = []
    for entry in listed if isinstance(listed, list) else [None]:
        if not isinstance(entry, dict) or entry.keys() != {"name", "dtype", "shape"}:
            damaged(file, f"its {what} must be a list of name, dtype and shape")
        name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
        if (
            not isinstance(name, str)
            or not isinstance(dtype, str)
            or dtype not in _DTYPES
            or not isinstance(shape, list)
        ):
            damaged(file, f"one of its {what} has no proper name, dtype or shape")
        if not all(type(size) in (int, str) for size in shape):
            damaged(file, f"the shape of {name[:100]!r} has something that is no size")
        found.append(ValueInfo(name, _DTYPES[dtype], tuple(shape)))
    if len({v.name for v in found}) != len(found):
        damaged(file, f"two of its {what} have one name")
    return tuple(found)


class LoadedModel:
    """A saved model, ready to run; made by `load_model`.

    Call it with tensors or arrays in order or by name; the result is arranged as the original's. `run` takes and
    gives NumPy arrays by name. Both work for any batch size and may be called from several threads at once.

    Attributes:
        graph: the computation, its unknown sizes included.
        signature: names, dtypes and shapes of inputs and outputs.
        weights: the tensors that the graph reads, by name.
    """

    def __init__(self, graph: Graph, signature: Signature, values: Sequence[StoredArray], names: Sequence[str]) -> None:
        self.graph = graph
        self.signature = signature
        self.weights: dict[str, Tensor] = {n: load_tensor(v) for n, v in zip(names, values, strict=True)}
        self._weights = [Buffer(v.data, as_dtype(v.dtype)) for v in values]
        self._dynamic = has_unknown_sizes(graph)
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def extra(self) -> dict[str, Any]:
        """What was kept with the model: class names, preprocessing, metrics."""
        return self.signature.extra

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Run on tensors or arrays.

        Returns:
            Tensors, arranged as the original model's result.

        Raises:
            FeedError: inputs are missing, unknown, or of another shape or dtype; the message has both.
        """
        return self._arrange([wrap_buffer(b) for b in self._run(self._collect(args, named))])

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Run on arrays by name.

        Args:
            inputs: an array (or nested lists of numbers) for each input.

        Returns:
            An array for each output; bfloat16 as float32.

        Raises:
            FeedError: inputs are missing, unknown, or of another shape or dtype; the message has both.
        """
        buffers = self._run(self._collect((), inputs))
        return {v.name: wrap_buffer(b).numpy() for v, b in zip(self.signature.outputs, buffers, strict=True)}

    def _collect(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Buffer]:
        wanted = self.signature.inputs
        if len(args) > len(wanted):
            raise FeedError(f"the model takes {len(wanted)} inputs, got {len(args)}: it is {self.signature}")
        given = dict(zip([v.name for v in wanted], args, strict=False))
        twice = given.keys() & named.keys()
        unknown = named.keys() - {v.name for v in wanted}
        missing = [v.name for v in wanted if v.name not in given and v.name not in named]
        for problem, names in (("is given twice", twice), ("is not known", unknown), ("is missing", missing)):
            if names:
                raise FeedError(f"input {min(map(str, names))[:100]!r} {problem}: the model is {self.signature}")
        given.update(named)
        return [_buffer(v, given[v.name]) for v in wanted]

    def _run(self, inputs: list[Buffer]) -> list[Buffer]:
        plan = self._plan(tuple([b.array.shape for b in inputs]))
        return plan.run([*inputs, *self._weights])

    def _plan(self, shapes: tuple[tuple[int, ...], ...]) -> Plan:
        """The plan for input shapes; one thread makes it, the others wait for it."""
        key = (settings.backend, shapes)
        with self._lock:
            plan = self._plans.get(key)
            if plan is not None:
                self._plans.move_to_end(key)
                return plan
            sizes: dict[str, int] = {}
            for info, node, shape in zip(self.signature.inputs, self.graph.inputs, shapes, strict=False):
                bind_sizes(f"input {info.name!r}", node.shape, shape, sizes)
            plan = self._plans[key] = plan_for(specialize(self.graph, sizes) if self._dynamic else self.graph)
            while len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
            return plan

    def _arrange(self, values: Sequence[Tensor]) -> Any:
        named: dict[str, Any] = {str(i): value for i, value in enumerate(values)}
        return _Arranger("signature.json", named).decode_all(self.signature.result)

    def __repr__(self) -> str:
        return f"<LoadedModel {self.signature.name}{self.signature}>"


class _Arranger(Decoder):
    """Puts outputs where the original's result had them."""

    def _make(self, kind: str, stored: Any, name: str, requires_grad: bool) -> Any:
        if kind != "tensor":
            self.fail(f"its result has a {kind}")
        return stored


def _buffer(info: ValueInfo, value: Any) -> Buffer:
    """A value as the model takes it. Only conversions that keep the kind of number are made."""
    if isinstance(value, Tensor):
        buffer = value.detach()._realize()
        if buffer.dtype is info.dtype:
            return buffer
        array, plain = value.detach().numpy(), False
    elif isinstance(value, (np.ndarray, np.generic)):
        array, plain = np.asarray(value), False
    else:
        try:
            array, plain = np.asarray(value), True
        except ValueError as error:  # lists of different lengths
            raise FeedError(f"input {info.name!r} needs {info}, got a {type(value).__name__}: {error}") from None
    target = np.dtype(np.float32) if info.dtype is bfloat16 else info.dtype.numpy
    if not np.can_cast(array.dtype, target, "same_kind") and not (plain and _fits(array, target)):
        raise FeedError(
            f"input {info.name!r} needs {info}, got {array.dtype}{list(array.shape)}",
            hint=f"convert it: x.astype(numpy.{target.name})",
        )
    with np.errstate(all="ignore"):
        converted = np.array(array, target, order="C")  # a copy: the caller may write to its array meanwhile
    stored = float32_to_bfloat16(converted) if info.dtype is bfloat16 else converted
    return current_backend().copy_in(stored, info.dtype)


def _fits(array: np.ndarray[Any, Any], target: np.dtype[Any]) -> bool:
    """Whether numbers that Python wrote, which have no dtype of their own, are exact in a dtype."""
    if array.dtype.kind not in "biuf":
        return False
    with np.errstate(all="ignore"):
        return bool((array.astype(target) == array).all())
