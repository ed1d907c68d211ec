"""`LayerRecord`: what one call of one layer showed; and `record_layers`, which watches all layers of a model during a call.

The rules of counting are torchinfo's, so that summaries can be compared; true multiply-adds are counted in `cost.py`.
Read next: `statistics.py`, which prints the records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from onegraph.inspection.shapes import first_shape, shapes_only
from onegraph.nn.module import Module


class LayerRecord:
    """A line of the summary.

    Attributes:
        module, name, depth: the layer, its name in the layer around it, and how deep it lies.
        parent: the record of the layer around it.
        depth_index: its number among the lines of its depth, from 1.
        children: the records below it.
        is_leaf: whether it has no layers inside.
        recursive: whether a line above stands for the same layer.
        input_size, output_size, kernel_size: shapes; empty where unknown.
        output_bytes: of the output.
        num_params, trainable_params, param_bytes: of this layer and all inside; of sparse (pruned) weights, those kept.
        mult_adds: see `count_mult_adds`.
        weights: (name, shape, count) of each parameter.
    """

    def __init__(self, name: str, module: Module, depth: int, parent: LayerRecord | None) -> None:
        self.name, self.module, self.depth, self.parent = name, module, depth, parent
        self.class_name = type(module).__name__
        self.depth_index = 0
        self.children: list[LayerRecord] = []
        self.is_leaf = not any(True for _ in module.children())
        self.recursive = False
        self.input_size: list[int] = []
        self.output_size: list[int] = []
        self.output_bytes = self.mult_adds = 0
        self.kernel_size = _kernel_size(module)
        self.count_params()

    def __repr__(self) -> str:
        return f"{self.class_name}: {self.depth}"

    def count_params(self) -> None:
        """Look at the parameters; those without a shape yet are counted after the call."""
        self.num_params = self.trainable_params = self.param_bytes = 0
        self.weights: list[tuple[str, list[int], int]] = []
        for name, parameter, count in counted_parameters(self.module):
            self.num_params += count
            self.param_bytes += count * parameter.dtype.itemsize
            self.trainable_params += count if parameter.requires_grad else 0
            shape = [int(size) for size in parameter.shape]
            if name == "weight" and len(shape) > 1:
                shape[0], shape[1] = shape[1], shape[0]  # from, to, window
            if self.parent is not None or "." not in name:
                self.weights.append((name, shape, count))

    def called(self, inputs: Any, outputs: Any, batch_dim: int | None) -> None:
        """Note what the layer was called with and gave."""
        self.count_params()
        self.input_size, _ = first_shape(inputs)
        self.output_size, dtype = first_shape(outputs)
        if batch_dim is not None:
            for size in (self.input_size, self.output_size):
                if batch_dim < len(size):
                    size[batch_dim] = 1
        self.output_bytes = math.prod(self.output_size) * (0 if dtype is None else dtype.itemsize)
        self.mult_adds += self.count_mult_adds()

    def count_mult_adds(self) -> int:
        """Multiply-adds by torchinfo's rule: each weight and bias once for each place where it is used.

        Weights of convolutions are used at every output position of every image, others once an image; those of
        recurrent layers once a step of an image.
        """
        total = 0
        first, *rest = self.output_size or [0]
        for name, _, count in counted_parameters(self.module):
            if name in ("weight", "bias"):
                places = math.prod(rest[1:]) if "Conv" in self.class_name else 1
                total += count * first * places
            elif "weight" in name or "bias" in name:
                total += count * first * (rest[0] if rest else 1)
        return total

    @property
    def trainable(self) -> str:
        """ "True", "False" or "Partial"; "--" without parameters."""
        if not self.num_params:
            return "--"
        if not self.trainable_params:
            return "False"
        return "True" if self.num_params == self.trainable_params else "Partial"

    def own_params(self) -> int:
        """Parameters that no line below stands for."""
        below = (c.num_params if c.is_leaf else c.own_params() for c in self.children if not c.recursive)
        return self.num_params - sum(below)

    def own_trainable_params(self) -> int:
        """Those of them that are trained."""
        below = (
            c.trainable_params if c.is_leaf else c.own_trainable_params() for c in self.children if not c.recursive
        )
        return self.trainable_params - sum(below)


def counted_parameters(module: Module) -> Iterator[tuple[str, Any, int]]:
    """(name, parameter, how many numbers) of all parameters that have a shape; masked ones count where the mask is 1."""
    for name, parameter in module.named_parameters():
        if getattr(parameter, "shape", None) is None or type(parameter).__name__.startswith("Uninitialized"):
            continue
        count = math.prod(int(size) for size in parameter.shape)
        if name.endswith("_orig"):
            mask = dict(module.named_buffers()).get(f"{name[:-5]}_mask")
            if mask is not None:
                count, name = int(mask.sum().item()), name[:-5]
        yield name, parameter, count


def _kernel_size(module: Module) -> Any:
    found = getattr(module, "kernel_size", None)
    return list(found) if isinstance(found, (list, tuple)) else found


def record_layers(
    model: Module, call: Callable[[], Any] | None, batch_dim: int | None = None, train: bool = False
) -> list[LayerRecord]:
    """Watch the layers of a model.

    Args:
        model: the model.
        call: calls it; with None all layers are listed as they are nested.
        batch_dim: the dimension of shapes that is shown as 1.
        train: call it in training mode.

    Returns:
        A record for each call of a layer, in the order of the calls, every layer before those inside.
    """
    records: list[LayerRecord] = []
    known: dict[int, LayerRecord] = {}  # module -> its latest record
    started: set[int] = set()
    handles: dict[int, tuple[Any, Any]] = {}

    def watch(name: str, module: Module, depth: int, parent: LayerRecord | None) -> None:
        record = known[id(module)] = LayerRecord(name, module, depth, parent)

        def before(*_: Any) -> None:
            new = known[id(module)] = LayerRecord(name, module, depth, parent)
            new.recursive = id(module) in started
            started.add(id(module))
            records.append(new)

        def after(_: Module, inputs: Any, outputs: Any) -> None:
            known[id(module)].called(inputs, outputs, batch_dim)

        if call is None:
            before()
        else:
            for handle in handles.pop(id(module), ()):  # a layer with two names goes by the last one
                handle.remove()
            handles[id(module)] = module.register_forward_pre_hook(before), module.register_forward_hook(after)
        for child_name, child in module._modules.items():
            if child is not None:
                watch(child_name, child, depth + 1, record)

    try:
        watch(type(model).__name__, model, 0, None)
        if call is not None:
            if any(getattr(module, "built", True) is False for module in model.modules()):
                with shapes_only(model, train):
                    call()  # layers that are built at their first call are called to find shapes as well
                records.clear()
                started.clear()
            with shapes_only(model, train):
                call()
    finally:
        for pair in handles.values():
            for handle in pair:
                handle.remove()
    if call is not None:
        records = _with_containers(records)
    _connect(records)
    return records


def _with_containers(records: list[LayerRecord]) -> list[LayerRecord]:
    """The records, with lines for containers that are never called themselves, such as a ModuleList."""
    seen = {id(record.module) for record in records}
    result: list[LayerRecord] = []
    open_at: dict[int, LayerRecord] = {}  # depth -> the line that is open there
    for record in records:
        around = []
        parent = record.parent
        while parent is not None and parent.depth > 0:
            around.append(parent)
            parent = parent.parent
        for parent in reversed(around):
            there = open_at.get(parent.depth)
            if there is None or there.module is not parent.module:
                if result and result[-1].module is parent.module:
                    open_at[parent.depth] = result[-1]
                    continue
                # One record for all its lines: a container that is entered again shows as recursive each time, and its
                # parameters are counted with the layers inside.
                parent.count_params()
                parent.recursive = id(parent.module) in seen
                seen.add(id(parent.module))
                result.append(parent)
                open_at[parent.depth] = parent
        result.append(record)
        open_at[record.depth] = record
        for depth in [d for d in open_at if d > record.depth]:
            del open_at[depth]
    return result


def _connect(records: list[LayerRecord]) -> None:
    """Number the lines of each depth, and let every line know those below it."""
    counts: dict[int, int] = {}
    for i, record in enumerate(records):
        counts[record.depth] = record.depth_index = counts.get(record.depth, 0) + 1
        end = next((j for j in range(i + 1, len(records)) if records[j].depth <= record.depth), len(records))
        record.children = records[i + 1 : end]
