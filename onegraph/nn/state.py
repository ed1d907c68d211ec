"""Saving and loading the values of modules: `state_dict`, `load_state_dict`. Also tensors of zeros that are no pending work.

Each module saves and loads its own part (`_save_to_state_dict`, `_load_from_state_dict`), which subclasses may override
as in PyTorch. Loading looks at everything before it changes anything. Read next: `module.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentTypeError, StateError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import mode, no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.ir.dtype import DType
from onegraph.nn.parameter import is_lazy
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


class StateDict(OrderedDict[str, Any]):
    """Tensors by name, and the versions of the modules that they come from."""

    _metadata: OrderedDict[str, dict[str, Any]]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._metadata = OrderedDict()


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


def local_state(module: Module) -> dict[str, Tensor]:
    """A module's own parameters and saved buffers, without those of modules inside."""
    buffers = {n: b for n, b in module._buffers.items() if n not in module._non_persistent_buffers_set}
    return {n: t for n, t in (*module._parameters.items(), *buffers.items()) if t is not None}


def _has_extra(module: Module) -> bool:
    from onegraph.nn.module import Module

    return type(module).get_extra_state is not Module.get_extra_state


# --------------------------------------------------------------------------------------------------- saving


def save_own(module: Module, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """See `Module._save_to_state_dict`."""
    for name, value in local_state(module).items():
        destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()
    if _has_extra(module):
        destination[prefix + EXTRA] = module.get_extra_state()


def state_dict(module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool) -> dict[str, Any]:
    """See `Module.state_dict`."""
    result: Any = StateDict() if destination is None else destination
    metadata = {"version": module._version}
    if hasattr(result, "_metadata"):
        result._metadata[prefix[:-1]] = metadata
    for hook in list(module._state_dict_pre_hooks.values()):
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(result, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=result, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in list(module._state_dict_hooks.values()):
        found = hook(module, result, prefix, metadata)
        result = result if found is None else found
    return result  # type: ignore[no-any-return]


# -------------------------------------------------------------------------------------------------- loading


class _Loading:
    """One call of `load_state_dict`: what is to be written once all of it was looked at."""

    current: _Loading | None = None

    def __init__(self, assign: bool) -> None:
        self.assign = assign
        self.writes: list[Callable[[], None]] = []


def load_own(
    module: Module,
    values: Mapping[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """See `Module._load_from_state_dict`."""
    for hook in list(module._load_state_dict_pre_hooks.values()):
        hook(values, prefix, metadata, strict, missing, unexpected, errors)
    own = local_state(module)
    loading = _Loading.current
    writes = [] if loading is None else loading.writes
    for name, target in own.items():
        key = prefix + name
        if key not in values:
            missing.append(key)
            continue
        given = _as_tensor(key, values[key], errors)
        if given is None or is_lazy(given):
            continue
        if not is_lazy(target) and tuple(given.shape) != tuple(target.shape):
            errors.append(f"{key}: {show(given.shape)} is given, {show(target.shape)} is needed")
            continue
        writes.append(_writer(target, given, loading is not None and loading.assign))
    _load_extra(module, values, prefix + EXTRA, missing, unexpected, writes)
    for key in values:
        first, inner, _ = key[len(prefix) :].partition(".")
        if key.startswith(prefix) and first != EXTRA and first not in (module._modules if inner else own):
            unexpected.append(key)
    if loading is None:  # called by itself
        for write in writes:
            write()


def _load_extra(
    module: Module,
    values: Mapping[str, Any],
    key: str,
    missing: list[str],
    unexpected: list[str],
    writes: list[Callable[[], None]],
) -> None:
    if not _has_extra(module):
        if key in values:
            unexpected.append(key)
    elif key in values:
        value = values[key]
        writes.append(lambda: module.set_extra_state(value))
    else:
        missing.append(key)


def _as_tensor(key: str, value: Any, errors: list[str]) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__"):
        errors.append(f"{key}: a {type(value).__name__} is given, a tensor is needed")
        return None
    return make_tensor(np.asarray(value))


def _writer(target: Tensor, value: Tensor, assign: bool) -> Callable[[], None]:
    def write() -> None:
        if value is target:
            return
        with no_grad():
            if is_lazy(target):
                target.materialize(tuple(value.shape), dtype=value.dtype if assign else None)  # type: ignore[attr-defined]
            if assign:
                target.data = value
            else:
                target._assign(cast(value.node, target.dtype))

    return write


def _walk(
    module: Module, values: Any, prefix: str, strict: bool, found: tuple[list[str], list[str], list[str]]
) -> None:
    """Let each module look at its part."""
    metadata: Any = getattr(values, "_metadata", None) or {}
    module._load_from_state_dict(values, prefix, metadata.get(prefix[:-1], {}), strict, *found)
    for name, child in module._modules.items():
        if child is not None:
            inner = f"{prefix}{name}."
            part = StateDict([(k, v) for k, v in values.items() if k.startswith(inner)])
            part._metadata = metadata
            _walk(child, part, inner, strict, found)


def load_state_dict(module: Module, values: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    if not isinstance(values, Mapping):
        raise ArgumentTypeError(f"load_state_dict: expected a dict of tensors by name, got {type(values).__name__}")
    copied = StateDict(values.items())  # hooks may change it
    copied._metadata = getattr(values, "_metadata", None) or OrderedDict()
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    before, _Loading.current = _Loading.current, _Loading(assign)
    loading = _Loading.current
    try:
        _walk(module, copied, "", strict, (missing, unexpected, errors))
    finally:
        _Loading.current = before
    result = IncompatibleKeys(missing, unexpected)
    judges = [(m, hook) for m in module.modules() for hook in m._load_state_dict_post_hooks.values()]
    _complain(module, result, errors, strict and not judges)
    for write in loading.writes:
        write()
    for owner, hook in judges:
        if hook(owner, result) is not None:
            raise ArgumentTypeError("a hook after load_state_dict must return None: it changes the two lists in place")
    _complain(module, result, [], strict)
    return result


def _complain(module: Module, keys: IncompatibleKeys, errors: list[str], strict: bool) -> None:
    """A typed error that lists everything that is wrong."""
    problems = [f"  {e}" for e in errors]
    if strict:
        problems += [f"  {name}: missing" for name in keys.missing_keys]
        problems += [f"  {name}: unexpected" for name in keys.unexpected_keys]
    if problems:
        hint = "strict=False skips names that only one side has" if len(problems) > len(errors) else None
        raise StateError(f"the state_dict does not fit {type(module).__name__}:\n" + "\n".join(problems), hint=hint)


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take a prefix such as 'module.' from all names of a dict that begin with it, in place.

    >>> names = {"module.weight": 1, "bias": 2}
    >>> consume_prefix_in_state_dict_if_present(names, "module.")
    >>> names
    {'bias': 2, 'weight': 1}
    """
    for key in [k for k in state_dict if k.startswith(prefix)]:
        state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    for key in [k for k in metadata or () if k == prefix.rstrip(".") or k.startswith(prefix)]:
        if len(key) > len(prefix.rstrip(".")):
            metadata[key[len(prefix) :]] = metadata.pop(key)  # type: ignore[index, union-attr]
        else:
            metadata[""] = metadata.pop(key)  # type: ignore[index, union-attr]
