"""`Module`: the base of all layers and models. It keeps parameters, buffers and other modules by name.

What it saves and loads is in `state.py`. Read next: `layers.py` (the simplest modules), `containers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from onegraph.errors import ArgumentError, ArgumentTypeError, OneGraphError, UnsupportedError
from onegraph.frontend.legacy import compile as compile_call
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor
from onegraph.ir.node import scopes
from onegraph.nn import state
from onegraph.nn.conversion import Conversions
from onegraph.nn.hooks import OF_MODULES, HookMethods, call_with_hooks, changed_by, everywhere
from onegraph.nn.parameter import Buffer, Parameter, UninitializedBuffer, is_lazy

M = TypeVar("M", bound="Module")


class Module(HookMethods, Conversions):
    """A layer or a model: subclass it, make parts in `__init__`, and compute in `forward`.

    Parameters and modules that are set as attributes are found by `parameters()`, `state_dict()` and the rest.

    Attributes:
        training: whether it is in training mode, which dropout and batch normalization look at.

    >>> import onegraph as og
    >>> class Net(og.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = og.nn.Linear(4, 8)
    ...         self.out = og.nn.Linear(8, 2)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> net = Net()
    >>> net(og.ones(3, 4)).shape, len(list(net.parameters()))
    (onegraph.Size([3, 2]), 4)
    """

    training: bool = True
    _version: int = 1  # of the names in its state_dict
    dump_patches = False
    call_super_init = False
    _scope: str | None = None  # the attribute that holds it, for the layer names in graphs
    _ready = False  # whether the first values of its parameters were computed

    def __init__(self) -> None:
        put = self.__dict__.__setitem__
        for name in ("_parameters", "_buffers", "_modules", *OF_MODULES):
            put(name, {})
        put("_non_persistent_buffers_set", set())
        put("_compiled_call_impl", None)
        put("training", True)

    # ---- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; every module defines its own."""
        raise UnsupportedError(
            f"{type(self).__name__} has no forward, so it cannot be called", hint="define `def forward(self, x)` in it"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        compiled = self.__dict__["_compiled_call_impl"]
        return (self._call_impl if compiled is None else compiled)(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        before = scopes.enter(self._scope or type(self).__name__)
        if mode.trace is not None:
            mode.trace.called(self)
        try:
            if not self._ready and not before:
                self._prepare()
            if (
                self._forward_pre_hooks
                or self._forward_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
                or everywhere.calls
            ):
                return call_with_hooks(self, args, kwargs)
            return self.forward(*args, **kwargs)
        except OneGraphError as error:
            if error.layer is None and before:  # the innermost layer is named, the outermost one needs no name
                error.layer = f"{scopes.path.replace('/', '.')} ({type(self).__name__})"
            raise
        finally:
            scopes.leave(before)

    def _prepare(self) -> None:
        """Compute first values now, so that drawing them is no part of the plan of the first step."""
        tensors = [*self.parameters(), *self.buffers()]
        self.__dict__["_ready"] = not any(map(is_lazy, tensors))
        state.compute_pending([t for t in tensors if not is_lazy(t)])

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: what is computed is always compiled. `fullgraph=True` traces the Python too, as `onegraph.jit` does."""
        compiled = compile_call(self._call_impl, *args, **kwargs)
        self.__dict__["_compiled_call_impl"] = None if compiled == self._call_impl else compiled

    # ---- attributes

    def _table_of(self, name: str) -> dict[str, Any] | None:
        tables = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            if table in tables and name in tables[table]:
                return tables[table]  # type: ignore[no-any-return]
        return None

    def __getattr__(self, name: str) -> Any:
        table = self._table_of(name)
        if table is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return table[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__ and isinstance(value, (Tensor, Module)):
            raise AttributeError(
                f"cannot set {name!r} before Module.__init__() was called: write super().__init__() first"
            )
        if isinstance(value, Parameter):
            self._make_room(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._make_room(name, "_modules")
            self.add_module(name, value)
        elif isinstance(value, (Buffer, UninitializedBuffer)):
            self._make_room(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        else:
            self._set_plain(name, value)

    def _set_plain(self, name: str, value: Any) -> None:
        table = self._table_of(name)
        if table is None:
            object.__setattr__(self, name, value)
        elif value is None or (table is self._buffers and isinstance(value, Tensor)):
            table[name] = value
        else:
            kind = {id(self._parameters): "parameter", id(self._buffers): "buffer"}.get(id(table), "module")
            raise ArgumentTypeError(
                f"cannot set {kind} {name!r} of {type(self).__name__} to {type(value).__name__}",
                hint="wrap it in nn.Parameter(...), or write into it: p.copy_(value) under no_grad()",
            )

    def __delattr__(self, name: str) -> None:
        if self._table_of(name) is None:
            object.__delattr__(self, name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.__dict__.pop(name, None)
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _make_room(self, name: str, table: str) -> None:
        """Forget what an attribute was, but its place among others of its kind."""
        if name not in self.__dict__.get(table, ()):
            self._forget(name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._parameters, *self._buffers, *self._modules})

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_compiled_call_impl": None, "_jit_methods": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _check_name(self, kind: str, name: Any, table: Mapping[str, Any]) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(
                f"cannot add a {kind} before Module.__init__() was called: write super().__init__() first"
            )
        if not isinstance(name, str):
            raise ArgumentTypeError(f"the name of a {kind} must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise ArgumentError(f"the name of a {kind} must not be empty nor contain a dot, got {name!r}")
        if hasattr(self, name) and name not in table:
            raise ArgumentError(f"{type(self).__name__} already has an attribute {name!r}")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None keeps the name for later."""
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentTypeError(f"parameter {name!r} must be an nn.Parameter or None, got {type(param).__name__}")
        self._parameters[name] = changed_by(everywhere.parameter_registration, self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned, such as a running mean.

        Args:
            name: of the attribute.
            tensor: its value; None keeps the name for later.
            persistent: whether it belongs to `state_dict`.
        """
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(f"buffer {name!r} must be a tensor or None, got {type(tensor).__name__}")
        self._buffers[name] = changed_by(everywhere.buffer_registration, self, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name."""
        self._check_name("module", name, self._modules)
        if module is not None and not isinstance(module, Module):
            raise ArgumentTypeError(f"module {name!r} must be a Module or None, got {type(module).__name__}")
        module = changed_by(everywhere.module_registration, self, name, module)
        self._modules[name] = module
        if module is not None:
            module.__dict__["_scope"] = name

    register_module = add_module

    # ---- looking for parts

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module ('') and all modules inside, with dotted names."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all modules inside."""
        return (m for _, m in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (m for _, m in self.named_children())

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, tensor in getattr(module, table).items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield f"{path}.{name}" if path else name, tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters, with dotted names."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers, with dotted names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with a dotted name; '' is this one."""
        module = self
        for part in target.split(".") if target else ():
            found = module._modules.get(part)
            if found is None:
                raise AttributeError(f"{type(module).__name__} has no module {part!r} (looking for {target!r})")
            module = found
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Replace the module with a dotted name, or add one unless `strict`."""
        path, _, name = target.rpartition(".")
        if not name:
            raise ArgumentError("set_submodule: the name must not be empty")
        if not isinstance(module, Module):
            raise ArgumentTypeError(f"set_submodule: expected a Module, got {type(module).__name__}")
        parent = self.get_submodule(path)
        if strict and parent._modules.get(name) is None:
            raise AttributeError(f"{type(parent).__name__} has no module {name!r} to replace (looking for {target!r})")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise AttributeError(f"there is no parameter {target!r}")
        return found  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted name."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._buffers.get(name)
        if found is None:
            raise AttributeError(f"there is no buffer {target!r}")
        return found  # type: ignore[no-any-return]

    # ---- saved state

    def state_dict(
        self, *args: Any, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by dotted name; the tensors share storage with the module's.

        >>> import onegraph as og
        >>> list(og.nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:  # an older order of arguments
            given = [*args, *(destination, prefix, keep_vars)[len(args) :]]
            destination, prefix, keep_vars = given[:3]
        return state.state_dict(self, destination, prefix, keep_vars)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Put what this module itself saves, without modules inside, into a dict."""
        state.save_own(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take what this module itself needs from a dict, and add to the lists what is wrong.

        A subclass may rename keys of `state_dict` (a copy) and then call this. The values are written only if the whole
        dict fits.
        """
        state.load_own(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values from a `state_dict` into this module. Nothing is changed when something does not fit.

        Args:
            state_dict: tensors (or arrays) by dotted name.
            strict: refuse missing and unexpected names.
            assign: take the given values with their dtypes, instead of casting to this module's.

        Returns:
            (missing_keys, unexpected_keys).

        Raises:
            StateError: lists everything that is missing, unexpected or of another shape.
        """
        return state.load_state_dict(self, state_dict, strict, assign)

    def get_extra_state(self) -> Any:
        """Anything else to save in `state_dict`; a module that has such state defines this and `set_extra_state`."""
        raise UnsupportedError(f"{type(self).__name__} does not define get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise UnsupportedError(f"{type(self).__name__} does not define set_extra_state")

    # ---- text

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module prints."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        parts = [f"({name}): " + str(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not parts and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join([*lines, *parts]) + "\n)"
