"""Tensors that stand for a model's inputs and outputs before there is data, and what shape a layer makes of them.

A layer called on a `KerasTensor` records a `Connection`; a functional model is the set of connections between its inputs
and its outputs. A layer's output shape is found by calling it on nodes without values, twice with different numbers for
the sizes that are not known: sizes that differ in the results are not known either. Nothing is computed.

Read next: `base.py` (layers), `../functional.py` (models made of connections).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import onegraph.frontend.state as state
from onegraph.config import using
from onegraph.errors import ArgumentTypeError, DTypeError, ShapeError
from onegraph.frontend.state import no_grad, tracing, wait_for
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import DType, as_dtype
from onegraph.ir.node import input_node, scopes

if TYPE_CHECKING:
    from onegraph.keras.layers.base import Layer

Shape = tuple[int | None, ...]

_BATCH = (7919, 7927)  # unlikely to be a size of anything else: `infer` writes None for it in messages
_OTHER = (384, 416)  # large and divisible enough for any stack of strides


def stands_for_batch(size: Any) -> bool:
    """Whether a size stands for that of a batch which is not known, while output shapes are looked for."""
    return size in _BATCH


class _Text:
    """The element type of texts, which are no tensors: only layers such as `TextVectorization` take them."""

    name = "string"
    is_floating_point = False

    def __str__(self) -> str:
        return self.name


TEXT: Any = _Text()


class KerasTensor:
    """Stands for a tensor of a model that is being put together.

    Attributes:
        shape: sizes, None where unknown; the first is the batch.
        dtype: element type.
        connection: the call that made it; None for an input.
        name: of an input, or of the layer.
    """

    __array_ufunc__ = None  # NumPy lets our operators go first

    def __init__(self, shape: Shape, dtype: DType, connection: Connection | None = None, name: str = "") -> None:
        self.shape, self.dtype, self.connection, self.name = tuple(shape), dtype, connection, name

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype.name}, name={self.name}>"

    def __bool__(self) -> bool:
        raise ArgumentTypeError(
            f"{self!r} has no value: it stands for data that the model will be given", hint="use layers on it"
        )

    def __iter__(self) -> Any:
        raise ArgumentTypeError(f"{self!r} has no value and cannot be iterated")

    def __getitem__(self, index: Any) -> KerasTensor:
        from onegraph.keras.layers.merge import GetItem

        return GetItem(index)(self)  # type: ignore[no-any-return]


def _operator(name: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: KerasTensor, other: Any) -> Any:
        from onegraph.keras.layers.merge import Arithmetic

        if isinstance(other, KerasTensor):
            return Arithmetic(name)([other, self] if reflected else [self, other])
        if isinstance(other, (int, float)):
            return Arithmetic(name, number=other, reflected=reflected)(self)
        return _operation(_OPERATIONS[name])(*((other, self) if reflected else (self, other)))

    return operator


_OPERATIONS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
    "matmul": "matmul",
    "floordiv": "floor_divide",
    "mod": "mod",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "and": "logical_and",
    "or": "logical_or",
    "invert": "logical_not",
    "abs": "abs",
}
"""Operators of symbolic tensors, and what they are called in `keras.ops`."""


def _operation(name: str) -> Callable[..., Any]:
    from onegraph.keras import ops

    found: Callable[..., Any] = getattr(ops, name)
    return found


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    setattr(KerasTensor, f"__{_name}__", _operator(_name))
    setattr(KerasTensor, f"__r{_name}__", _operator(_name, reflected=True))
for _name in ("floordiv", "mod", "lt", "le", "gt", "ge", "and", "or", "invert", "abs"):
    setattr(KerasTensor, f"__{_name}__", lambda *args, _name=_name: _operation(_OPERATIONS[_name])(*args))
KerasTensor.__neg__ = lambda self: self * -1  # type: ignore[attr-defined, operator]


class Connection:
    """One call of a layer on symbolic tensors.

    Attributes:
        layer: what was called.
        args, kwargs: its arguments, with KerasTensors among them.
        outputs: the KerasTensors that it gave, nested as the layer gave them.
    """

    def __init__(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.args, self.kwargs = layer, args, kwargs
        self.outputs: Any = None

    @property
    def inputs(self) -> list[KerasTensor]:
        """The KerasTensors among the arguments."""
        return [t for t in flatten((self.args, self.kwargs)) if isinstance(t, KerasTensor)]


def flatten(value: Any) -> Iterator[Any]:
    """The leaves of nested lists, tuples and dicts."""
    if isinstance(value, (list, tuple)):
        for v in value:
            yield from flatten(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from flatten(v)
    else:
        yield value


def map_structure(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nesting with a function applied to each leaf."""
    if isinstance(value, (list, tuple)):
        items = [map_structure(function, v) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {k: map_structure(function, v) for k, v in value.items()}
    return function(value)


def is_symbolic(*values: Any) -> bool:
    """Whether a KerasTensor is among the values."""
    return any(isinstance(v, KerasTensor) for v in flatten(values))


def connect(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer on symbolic tensors: build it, find its output shapes and record the connection."""
    layer._build_for(args, kwargs)
    connection = Connection(layer, args, kwargs)
    shapes = layer.compute_output_spec(*args, **kwargs)
    connection.outputs = map_structure(lambda s: KerasTensor(s.shape, s.dtype, connection, layer.name), shapes)
    layer._connections.append(connection)
    return connection.outputs


def infer(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Shapes and dtypes of what a layer gives for symbolic arguments, nested as it gives them."""
    first = _abstract_call(layer, args, kwargs, 0)
    unknown = any(None in t.shape for t in flatten((args, kwargs)) if isinstance(t, KerasTensor))
    second = _abstract_call(layer, args, kwargs, 1) if unknown else first
    others = iter(list(flatten(second)))

    def merge(tensor: Any) -> Any:
        other = next(others)
        if not isinstance(tensor, Tensor):
            raise ArgumentTypeError(f"layer {layer.name!r} must give tensors, got {type(tensor).__name__}")
        return _Leaf(
            tuple([a if a == b else None for a, b in zip(tensor.shape, other.shape, strict=True)]), tensor.dtype
        )

    return map_structure(merge, first)


class _Leaf:
    """Shape and dtype of an output."""

    def __init__(self, shape: Shape, dtype: DType) -> None:
        self.shape, self.dtype = shape, dtype


def _abstract_call(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], which: int) -> Any:
    def stand_in(value: Any) -> Any:
        if not isinstance(value, KerasTensor):
            return value
        sizes = [s if s is not None else _OTHER[which] if i else _BATCH[which] for i, s in enumerate(value.shape)]
        return wrap(input_node(tuple(sizes), value.dtype), False)

    kept = [(t, t._node) for t in (*layer.parameters(), *layer.buffers())]
    own = [g for g in (getattr(m, "_generator", None) for m in layer.modules()) if g is not None]
    streams = [(g, g._stream) for g in own]
    before, recorded = scopes.enter("build"), state.mode.recorded
    waiting = state.take_waiting()
    try:
        with using(eager=False), no_grad(), tracing(None):
            return layer(*map_structure(stand_in, args), **map_structure(stand_in, kwargs))
    except (ShapeError, DTypeError) as error:
        error.message = error.message.replace(str(_BATCH[which]), "None")
        raise
    finally:
        scopes.leave(before)
        state.mode.recorded = recorded
        state.take_waiting()  # nothing that was written while shapes were looked for may be computed
        for tensor in waiting:
            wait_for(tensor)
        for tensor, node in kept:
            tensor._node = node
        for generator, stream in streams:  # a layer's own seed counts what is computed only
            generator._stream = stream


def input_tensor(shape: Shape, dtype: Any = None, name: str = "") -> KerasTensor:
    """A model's input."""
    for size in shape[1:]:
        if size is not None and (not isinstance(size, int) or size < 0):
            raise ShapeError(f"Input: sizes must be positive whole numbers or None, got {shape}")
    kind = TEXT if dtype is TEXT or str(dtype) == "string" else as_dtype(dtype or "float32")
    return KerasTensor(shape, kind, None, name)
