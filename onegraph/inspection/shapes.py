"""Calling a model for its shapes: operations are recorded and checked, nothing is computed, and nothing has changed afterwards.

Read next: `layers.py`, which watches the layers during such a call; `cost.py`, which counts in what was recorded.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from onegraph import config
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.convert import from_numpy_array
from onegraph.frontend.random import get_rng_state, set_rng_state
from onegraph.frontend.state import mode, no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dtype import DType, as_dtype, float32
from onegraph.nn.module import Module
from onegraph.ops.leaf import constant
from onegraph.ops.movement import expand_to


@contextlib.contextmanager
def shapes_only(model: Module, train: bool = False) -> Iterator[None]:
    """Within this context a call of the model records operations and computes none of them.

    Parameters that have no values yet keep waiting for them, and weights of layers that are built at their first call are
    made but not drawn. Modes, buffers and the random state are put back. A model that looks at values
    (`if x.sum() > 0`) has them computed, as always.

    Args:
        model: what is called.
        train: call it in training mode instead of evaluation mode.
    """
    modes = [(module, module.training) for module in model.modules()]
    before = [(buffer, buffer._node) for buffer in model.buffers()]
    ready = model.__dict__.get("_ready", False)
    random, recorded, waiting = get_rng_state(), mode.recorded, dict(mode.waiting)
    model.train(train)
    model.__dict__["_ready"] = True  # otherwise the call begins with the first values of the parameters
    try:
        with config.using(eager=False, lazy_limit=sys.maxsize), no_grad():
            yield
    finally:
        model.__dict__["_ready"] = ready
        for module, training in modes:
            module.training = training
        for buffer, node in before:
            if buffer._node is not node and buffer._node.shape == node.shape:  # statistics of batch normalization
                buffer._node = node
                buffer._version += 1
        set_rng_state(random)
        mode.recorded = recorded
        mode.waiting.clear()
        mode.waiting.update(waiting)


def zeros_of(shape: Sequence[int], dtype: Any = None) -> Tensor:
    """An input of a shape, whose value nobody is going to ask for."""
    return wrap(expand_to(constant(0, float32 if dtype is None else as_dtype(dtype)), tuple(shape)), False)


def as_inputs(
    name: str, input_size: Any, input_data: Any, dtypes: Sequence[Any] | None = None, batch_dim: int | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a call, from shapes or from data.

    Args:
        name: of the function, for messages.
        input_size: one shape, or a list of shapes; with the batch dimension unless `batch_dim` is given.
        input_data: a tensor or array, a sequence of positional arguments, or a dict of named ones.
        dtypes: of the inputs that `input_size` makes; float32 by default.
        batch_dim: where a batch dimension of size 1 is put into the shapes.

    Raises:
        ArgumentError: both or neither are given, or sizes below 1.
        ArgumentTypeError: `input_size` is no shape.
    """
    if (input_size is None) == (input_data is None):
        raise ArgumentError(
            f"{name}: give one of input_size and input_data", hint="for example input_size=(1, 3, 224, 224)"
        )
    if input_size is not None:
        sizes = shapes_in(name, input_size)
        kinds: list[Any] = [None] * len(sizes) if dtypes is None else list(dtypes)
        if len(kinds) != len(sizes):
            raise ArgumentError(f"{name}: {len(sizes)} inputs and {len(kinds)} dtypes: one dtype for each input")
        if batch_dim is not None:
            sizes = [(*size[:batch_dim], 1, *size[batch_dim:]) for size in sizes]
        return tuple(zeros_of(size, kind) for size, kind in zip(sizes, kinds, strict=True)), {}
    if isinstance(input_data, Mapping):
        return (), {key: _as_tensor(value) for key, value in input_data.items()}
    if isinstance(input_data, (Tensor, np.ndarray)):
        return (_as_tensor(input_data),), {}
    if not isinstance(input_data, (list, tuple)):
        raise ArgumentTypeError(
            f"{name}: input_data is {type(input_data).__name__}, not a tensor or a list or dict of them"
        )
    return tuple(_as_tensor(value) for value in input_data), {}


def shapes_in(name: str, input_size: Any) -> list[tuple[int, ...]]:
    """The shapes in `input_size`, which is one of them or several.

    >>> shapes_in("f", (1, 3)), shapes_in("f", [(1, 3), (1, 5)])
    ([(1, 3)], [(1, 3), (1, 5)])
    """
    if not isinstance(input_size, (list, tuple)):
        raise ArgumentTypeError(
            f"{name}: input_size is {input_size!r}, not a shape", hint="for example input_size=(1, 3, 224, 224)"
        )
    several = bool(input_size) and all(isinstance(size, (list, tuple)) for size in input_size)
    found = [tuple(size) for size in input_size] if several else [tuple(input_size)]
    for size in found:
        if not all(isinstance(n, int | np.integer) for n in size):
            raise ArgumentTypeError(f"{name}: input_size {size} holds something that is no whole number")
        if not size or any(n < 1 for n in size):
            raise ArgumentError(f"{name}: input_size {size}: sizes are at least 1")
    return found


def _as_tensor(value: Any) -> Any:
    return from_numpy_array(value) if isinstance(value, np.ndarray) else value


def first_shape(value: Any) -> tuple[list[int], DType | None]:
    """Shape and dtype of the first tensor in nested lists and tuples, and of the last one in a dict.

    >>> import onegraph as og
    >>> first_shape((og.zeros(2, 3), og.zeros(4)))
    ([2, 3], onegraph.float32)
    """
    while not isinstance(value, Tensor):
        if isinstance(value, np.ndarray):
            value = from_numpy_array(value)
        elif isinstance(value, Mapping) and value:
            value = list(value.values())[-1]
        elif isinstance(value, (list, tuple)) and value:
            value = value[0]
        elif isinstance(getattr(value, "data", None), Tensor):  # a packed sequence
            value = value.data
        else:
            return [], None
    return [int(size) for size in value.shape], value.dtype


def bytes_of(value: Any) -> int:
    """Bytes of all tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return int(value.numel()) * value.dtype.itemsize
    if isinstance(value, Mapping):
        return sum(bytes_of(v) for v in value.values())
    return sum(bytes_of(v) for v in value) if isinstance(value, (list, tuple)) else 0
