"""Parametrizations: a parameter that is computed from others whenever it is read.

Read next: `parametrizations.py` (those that are ready to use).
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.containers import ModuleDict, ModuleList
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.ops.shapes import show


class _Cache:
    """What parametrized tensors gave while `cached()` holds."""

    depth = 0
    values: dict[tuple[int, str], Tensor]


_cache = _Cache()
_cache.values = {}


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Within it, each parametrized tensor is computed at most once.

    >>> import onegraph as og
    >>> layer = og.nn.utils.parametrizations.weight_norm(og.nn.Linear(2, 3))
    >>> with og.nn.utils.parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


def _register(module: Module, name: str, tensor: Tensor) -> None:
    """Keep a tensor as a parameter if it is one, else as a buffer."""
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class ParametrizationList(ModuleList):
    """The modules that a tensor passes, one after the other, and the tensors that the first of them takes.

    Args:
        modules: at least one.
        original: the tensor that is parametrized.
        unsafe: allow another shape or dtype than the original's.

    Attributes:
        original: what is learned; `original0`, `original1`, ... where the first module takes several tensors.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ArgumentError("ParametrizationList: needs at least one module")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = tuple(original.shape), original.dtype
        found: Any = original
        with no_grad():
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    found = module.right_inverse(found)
        self.is_tensor = isinstance(found, Tensor)
        if not self.is_tensor and not (isinstance(found, Sequence) and all(isinstance(t, Tensor) for t in found)):
            raise ArgumentTypeError(
                f"right_inverse of {type(modules[0]).__name__} must give a tensor or several, got {type(found).__name__}"
            )
        self.ntensors = 1 if self.is_tensor else len(found)
        is_learned = isinstance(original, Parameter)
        for name, tensor in zip(self._names(), [found] if self.is_tensor else found, strict=True):
            if tensor is not original:
                tensor = Parameter(tensor.detach(), original.requires_grad) if is_learned else tensor.detach()
            _register(self, name, tensor)
        if not unsafe:
            with no_grad():
                given = self()
            if not isinstance(given, Tensor) or tuple(given.shape) != shape or given.dtype is not dtype:
                kind = f"{given.dtype.name} {show(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
                raise ShapeError(
                    f"a parametrization must give what it replaces, {dtype.name} {show(shape)}, got {kind}",
                    hint="pass unsafe=True, if this is what you want",
                )

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the original tensors so that the parametrized one gets a value, as far as it can."""
        with no_grad():
            found: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise UnsupportedError(
                        f"{type(module).__name__} defines no right_inverse, so the tensor cannot be assigned to"
                    )
                found = module.right_inverse(found)
            for name, tensor in zip(self._names(), [found] if self.is_tensor else found, strict=True):
                own = getattr(self, name)
                if tuple(tensor.shape) != tuple(own.shape):
                    raise ShapeError(f"{name} is {show(own.shape)}, right_inverse gave {show(tensor.shape)}")
                own.copy_(tensor)

    def forward(self) -> Tensor:  # type: ignore[override]
        """The parametrized tensor."""
        first, *rest = list(self)
        result = first(*[getattr(self, name) for name in self._names()])
        for module in rest:
            result = module(result)
        return result  # type: ignore[no-any-return]


def _property(name: str) -> property:
    def read(self: Any) -> Tensor:
        if not _cache.depth:
            return self.parametrizations[name]()  # type: ignore[no-any-return]
        key = (id(self), name)
        if key not in _cache.values:
            _cache.values[key] = self.parametrizations[name]()
        return _cache.values[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


class Parametrized:
    """Marks the classes that modules with parametrizations have; each stands over the module's own class."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise UnsupportedError(
            "a parametrized module cannot be pickled: its class is made on the way", hint="save its state_dict()"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy with a class of its own."""
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        state: Any = self.__getstate__()
        copied.__dict__.update(copy.deepcopy(state, memo))
        own = dict(type(self).__dict__)
        copied.__class__ = _make_class(type(self).__bases__[1])
        for name, value in own.items():
            if isinstance(value, property):
                setattr(type(copied), name, value)
        return copied


def _make_class(base: type) -> type:
    return type(f"Parametrized{base.__name__}", (Parametrized, base), {"__module__": base.__module__})


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a module compute one of its parameters or buffers from what it was.

    Args:
        module: changed in place; its class becomes one of its own.
        tensor_name: of the parameter or buffer.
        parametrization: a module from a tensor to one of equal shape and dtype. With `right_inverse`, it says what the
            original becomes, and the tensor can be assigned to; `right_inverse` may give several tensors, which its
            `forward` then takes.
        unsafe: do not check shapes and dtypes.

    Returns:
        The module.

    >>> import onegraph as og
    >>> class Symmetric(og.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = og.nn.utils.parametrize.register_parametrization(og.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all()), list(layer.state_dict())
    (True, ['bias', 'parametrizations.weight.original'])
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        parameters: Any = module.parametrizations[tensor_name]
        if not unsafe:
            _check_another(getattr(module, tensor_name), parametrization)
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                value = getattr(module, tensor_name)
            parameters.append(parametrization)
            parameters.right_inverse(value)
        else:
            parameters.append(parametrization)
        parameters.unsafe |= unsafe
        return module
    table = next((t for t in (module._parameters, module._buffers) if t.get(tensor_name) is not None), None)
    if table is None:
        raise ArgumentError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r} to parametrize")
    listed = ParametrizationList([parametrization], table[tensor_name], unsafe)
    del table[tensor_name]
    if not is_parametrized(module):
        module.__class__ = _make_class(type(module))
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = listed
    setattr(type(module), tensor_name, _property(tensor_name))
    return module


def _check_another(value: Tensor, parametrization: Module) -> None:
    with no_grad():
        given = parametrization(value)
    if not isinstance(given, Tensor) or given.shape != value.shape or given.dtype is not value.dtype:
        raise ShapeError(
            f"{type(parametrization).__name__} must give what it takes, {value.dtype.name} {show(value.shape)}",
            hint="pass unsafe=True, if this is what you want",
        )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module, or one of its tensors, has a parametrization."""
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrized tensor a usual one again.

    Args:
        module: changed in place.
        tensor_name: of the parameter or buffer.
        leave_parametrized: keep the value that it has; otherwise the original's comes back, if there is one original.

    Returns:
        The module.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"{type(module).__name__} has no parametrization on {tensor_name!r}")
    listed: Any = module.parametrizations[tensor_name]
    original = getattr(listed, listed._names()[0])
    if leave_parametrized:
        with no_grad():
            value = listed().detach()
        if listed.is_tensor and value.dtype is original.dtype and value.shape == original.shape:
            original.data = value
        else:
            original = Parameter(value) if isinstance(original, Parameter) else value
    elif not listed.is_tensor:
        raise ArgumentError(
            f"{tensor_name!r} is made of {listed.ntensors} tensors, so there is no single original to go back to",
            hint="leave_parametrized=True",
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[1]
    _register(module, tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before it was parametrized."""
    return type(module).__bases__[1] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give a module copies of another one's parametrizations, and the values of its parameters.

    Args:
        from_module: parametrized.
        to_module: changed in place.
        tensor_name: of the one tensor that is wanted; all when None.

    Returns:
        The module that was changed.
    """
    if not is_parametrized(from_module, tensor_name):
        raise ArgumentError(f"{type(from_module).__name__} has no parametrization to transfer")
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        listed: Any = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for part in listed:
            register_parametrization(to_module, name, copy.deepcopy(part), unsafe=listed.unsafe)
        with no_grad():
            for original in listed._names():
                getattr(to_module.parametrizations[name], original).copy_(getattr(listed, original))
    return to_module
