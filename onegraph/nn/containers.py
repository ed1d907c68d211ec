"""Modules that hold other modules or parameters: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, OutOfRangeError
from onegraph.frontend.tensor import Tensor
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.ops.shapes import show


def _position(index: Any, length: int, name: str) -> int:
    index = operator.index(index)
    if not -length <= index < length:
        raise OutOfRangeError(f"{name}: index {index} is outside 0 to {length - 1}")
    return index % length


class Container(Module):
    """Modules by name, given as keywords; an old class that PyTorch still has. Subclass `Module` instead."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        warnings.warn("nn.Container is deprecated: subclass nn.Module instead", FutureWarning, stacklevel=2)
        for name, module in kwargs.items():
            self.add_module(name, module)


class _Numbered(Module):
    """Modules under the names '0', '1', ..."""

    def _replace_all(self, modules: Iterable[Module]) -> None:
        kept = list(modules)
        self._modules.clear()
        for i, module in enumerate(kept):
            self.add_module(str(i), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        modules = list(self._modules.values())
        if isinstance(index, slice):
            return self._slice(index)
        return modules[_position(index, len(modules), type(self).__name__)]

    def _slice(self, index: slice) -> Any:
        return type(self)(list(self._modules.values())[index])  # type: ignore[call-arg]

    def __setitem__(self, index: Any, module: Module) -> None:
        names = list(self._modules)
        self.add_module(names[_position(index, len(names), type(self).__name__)], module)

    def __delitem__(self, index: Any) -> None:
        modules = list(self._modules.values())
        if not isinstance(index, slice):
            index = _position(index, len(modules), type(self).__name__)
        del modules[index]
        self._replace_all(modules)

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before a position."""
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._replace_all(modules)
        return self

    def pop(self, key: int) -> Module:
        """Take a module out."""
        module: Module = self[key]
        del self[key]
        return module


class Sequential(_Numbered):
    """Modules called one after the other, each with the result of the one before.

    Args:
        args: modules, or one dict of modules by name.

    >>> import onegraph as og
    >>> nn = og.nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        """The result of the last module."""
        for module in self._modules.values():
            input = module(input)
        return input

    def extend(self, sequential: Iterable[Module]) -> Any:
        """Add modules at the end."""
        return super().extend(sequential)

    def _slice(self, index: slice) -> Sequential:
        return Sequential(dict(list(self._modules.items())[index]))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)


class ModuleList(_Numbered):
    """A list of modules, whose parameters belong to the module that holds the list.

    Args:
        modules: the modules.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __repr__(self) -> str:
        """Equal neighbours once, with their number: (0-1): 2 x Linear(...)."""
        groups: list[tuple[int, str, int]] = []  # first, text, how many
        for i, text in enumerate(map(repr, self)):
            if groups and groups[-1][1] == text:
                groups[-1] = (groups[-1][0], text, groups[-1][2] + 1)
            else:
                groups.append((i, text, 1))
        if not groups:
            return f"{self._get_name()}()"
        lines = [
            f"({first}-{first + n - 1}): {n} x {text}" if n > 1 else f"({first}): {text}" for first, text, n in groups
        ]
        return f"{self._get_name()}(\n  " + "\n  ".join(line.replace("\n", "\n  ") for line in lines) + "\n)"

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        self.extend(modules)
        return self

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ModuleDict(Module):
    """Modules by name, whose parameters belong to the module that holds the dict.

    Args:
        modules: a dict, or pairs of name and module.
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a module out."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules from a dict, or from pairs of name and module."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self.add_module(name, module)


def _as_parameter(value: Any) -> Any:
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    if not isinstance(value, Parameter):
        raise ArgumentTypeError(f"expected a parameter or a tensor, got {type(value).__name__}")
    return value


class _Parameters(Module):
    """What ParameterList and ParameterDict share: how they print."""

    def __len__(self) -> int:
        return len(self._parameters)

    def extra_repr(self) -> str:
        """One line for each parameter."""
        shown = [
            f"({name}): Parameter containing: [{p.dtype} of size {show(p.shape)}]"
            for name, p in self._parameters.items()
        ]
        return "\n".join(shown)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"a {type(self).__name__} only holds parameters and cannot be called")


class ParameterList(_Parameters):
    """A list of parameters; tensors are made parameters."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def __getitem__(self, index: Any) -> Any:
        parameters = list(self._parameters.values())
        if isinstance(index, slice):
            return ParameterList(parameters[index])
        return parameters[_position(index, len(parameters), "ParameterList")]

    def __setitem__(self, index: int, value: Any) -> None:
        self._parameters[str(_position(index, len(self), "ParameterList"))] = _as_parameter(value)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def append(self, value: Any) -> ParameterList:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add parameters at the end."""
        for value in list(values):
            self.append(value)
        return self

    __iadd__ = extend


class ParameterDict(_Parameters):
    """Parameters by name; tensors are made parameters."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: str) -> bool:
        return key in self._parameters

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and parameters."""
        return self._parameters.items()

    def update(self, parameters: Any) -> None:
        """Add parameters from a dict, or from pairs of name and parameter."""
        for name, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[name] = value

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter with a name, or a default."""
        return self._parameters.get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter with a name, which is added if it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a parameter out."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last parameter out; gives its name too."""
        key = next(reversed(list(self)))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self):
            del self[key]

    def copy(self) -> ParameterDict:
        """Another dict with the same parameters."""
        return ParameterDict(dict(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dict with the same value under several names."""
        return ParameterDict(dict.fromkeys(keys, default))
