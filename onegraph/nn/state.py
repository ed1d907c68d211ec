"""Saving and loading the values of modules: `state_dict`, `load_state_dict`. Also tensors of zeros that are no pending work.

Read next: `module.py`, which offers these as methods.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentTypeError, StateError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import mode, no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.ir.dtype import DType
from onegraph.ops.cast import cast
from onegraph.ops.shapes import show

if TYPE_CHECKING:
    from onegraph.nn.module import Module

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What a state_dict lacked, and what it had too much."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def full(shape: tuple[int, ...], value: float, dtype: DType) -> Tensor:
    """A tensor filled with a number, whose value is there at once: state that starts inside a traced function."""
    array = np.full(shape, value, dtype.numpy) if value else np.zeros(shape, dtype.numpy)
    return wrap_buffer(Buffer(array, dtype))


def zeros_like(tensor: Tensor) -> Tensor:
    """Zeros whose value is there at once (in the storage of any dtype, zero is all bits zero)."""
    return full(tuple(tensor.shape), 0, tensor.dtype)


def compute_pending(tensors: Iterable[Tensor]) -> None:
    """Compute tensors that have no value yet, and nothing when all have."""
    pending = [t for t in tensors if type(t._node.value) is not Buffer]
    if not pending:
        return
    if mode.trace is None:
        realize_tensors(pending)
        return
    for tensor in pending:
        mode.trace.seen(tensor)


def _entries(module: Module, prefix: str) -> Iterator[tuple[str, Any]]:
    """Name and tensor of all parameters and saved buffers, in PyTorch's order; extra state as the module itself."""
    for path, part in module.named_modules(prefix=prefix.rstrip("."), remove_duplicate=False):
        start = f"{path}." if path else ""
        for name, tensor in part._parameters.items():
            if tensor is not None:
                yield start + name, tensor
        for name, tensor in part._buffers.items():
            if tensor is not None and name not in part._not_saved:
                yield start + name, tensor
        if _has_extra(part):
            yield start + EXTRA, part


def _has_extra(module: Module) -> bool:
    from onegraph.nn.module import Module

    return type(module).get_extra_state is not Module.get_extra_state


def state_dict(module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool) -> dict[str, Any]:
    """See `Module.state_dict`."""
    result: dict[str, Any] = OrderedDict() if destination is None else destination
    for name, entry in _entries(module, prefix):
        if isinstance(entry, Tensor):
            result[name] = entry if keep_vars else entry.detach()
        else:
            result[name] = entry.get_extra_state()
    return result


def load_state_dict(module: Module, values: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    if not isinstance(values, Mapping):
        raise ArgumentTypeError(f"load_state_dict: expected a dict of tensors by name, got {type(values).__name__}")
    wanted = dict(_entries(module, ""))
    missing = [name for name in wanted if name not in values]
    unexpected = [name for name in values if name not in wanted]
    given = {
        name: _as_tensor(name, values[name])
        for name, entry in wanted.items()
        if name in values and isinstance(entry, Tensor)
    }
    mismatched = [name for name, tensor in given.items() if tuple(tensor.shape) != tuple(wanted[name].shape)]
    problems = [
        f"  {name}: {show(given[name].shape)} is given, {show(wanted[name].shape)} is needed" for name in mismatched
    ]
    if strict:
        problems += [f"  {name}: missing" for name in missing]
        problems += [f"  {name}: unexpected" for name in unexpected]
    if problems:
        hint = "strict=False skips names that only one side has" if strict and len(problems) > len(mismatched) else None
        raise StateError(f"the state_dict does not fit {type(module).__name__}:\n" + "\n".join(problems), hint=hint)
    with no_grad():
        for name, entry in wanted.items():
            if name in given:
                _write(entry, given[name], assign)
            elif name in values:
                entry.set_extra_state(values[name])
    return IncompatibleKeys(missing, unexpected)


def _as_tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__"):
        raise StateError(f"the state_dict has a {type(value).__name__} for {name!r}, not a tensor")
    return make_tensor(np.asarray(value))


def _write(target: Tensor, value: Tensor, assign: bool) -> None:
    if value is target:
        return
    if assign:
        target.data = value
    else:
        target._assign(cast(value.node, target.dtype))
