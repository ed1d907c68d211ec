"""Hooks of modules: functions called before and after `forward`, when gradients pass, and when state is saved or loaded.

Read next: `backward_watch.py` (how gradients are caught), `module.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.autograd import RemovableHandle
from onegraph.nn.backward_watch import BackwardWatch

Hook = Callable[..., Any]
Table = dict[int, Hook]

OF_MODULES = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
"""The tables that every module has, under PyTorch's names."""


class Everywhere:
    """Hooks of all modules at once."""

    def __init__(self) -> None:
        self.forward_pre: Table = {}
        self.forward: Table = {}
        self.forward_always: Table = {}
        self.backward_pre: Table = {}
        self.backward: Table = {}
        self.module_registration: Table = {}
        self.parameter_registration: Table = {}
        self.buffer_registration: Table = {}

    @property
    def calls(self) -> bool:
        """Whether calls of modules have hooks."""
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


everywhere = Everywhere()


def register(hooks: Table, hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Put a hook into a table, last or first."""
    if not callable(hook):
        raise ArgumentTypeError(f"a hook must be a function, got {type(hook).__name__}")
    number = register.count = register.count + 1  # type: ignore[attr-defined]
    before = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[number] = hook
    hooks.update(before)
    return RemovableHandle(hooks, number)


register.count = 0  # type: ignore[attr-defined]


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, args)` before the `forward` of every module."""
    return register(everywhere.forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, result)`, or with kwargs before the result, after the `forward` of every module."""
    if not with_kwargs:
        plain = hook

        def hook(module: Any, args: Any, kwargs: Any, result: Any) -> Any:
            return plain(module, args, result)

    handle = register(everywhere.forward, hook)
    if always_call:
        everywhere.forward_always[handle.number] = hook
    return handle


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` when gradients reach the output of any module."""
    return register(everywhere.backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` when gradients have passed any module."""
    return register(everywhere.backward, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, submodule)` when a module is added to another; a result takes its place."""
    return register(everywhere.module_registration, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, parameter)` when a parameter is added to a module; a result takes its place."""
    return register(everywhere.parameter_registration, hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, buffer)` when a buffer is added to a module; a result takes its place."""
    return register(everywhere.buffer_registration, hook)


def changed_by(hooks: Table, module: Any, name: str, value: Any) -> Any:
    """What registration hooks make of a value."""
    for hook in list(hooks.values()):
        found = hook(module, name, value)
        value = value if found is None else found
    return value


# ------------------------------------------------------------------------------------------------ during calls


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`forward` with all hooks around it."""
    called: set[int] = set()
    result: Any = None
    try:
        args, kwargs = _before(module, args, kwargs)
        pre = [*everywhere.backward_pre.values(), *module._backward_pre_hooks.values()]
        post = [*everywhere.backward.values(), *module._backward_hooks.values()]
        watch = BackwardWatch(module, pre, post) if pre or post else None
        if watch is not None:
            args = watch.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        result = _after(module, args, kwargs, result, called)
        return result if watch is None else watch.watch_output(result)
    except BaseException:
        _after_failure(module, args, kwargs, result, called)
        raise


def _before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in list(everywhere.forward_pre.values()):
        args = _as_arguments(hook(module, args), args)
    for number, hook in list(module._forward_pre_hooks.items()):
        if number in module._forward_pre_hooks_with_kwargs:
            found = hook(module, args, kwargs)
            if found is not None:
                args, kwargs = found
        else:
            args = _as_arguments(hook(module, args), args)
    return args, kwargs


def _as_arguments(found: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if found is None:
        return args
    return found if isinstance(found, tuple) else (found,)


def _after(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, called: set[int]) -> Any:
    for number, hook in list(everywhere.forward.items()):
        called.add(number)
        found = hook(module, args, kwargs, result)
        result = result if found is None else found
    for number, hook in list(module._forward_hooks.items()):
        called.add(number)
        with_kwargs = number in module._forward_hooks_with_kwargs
        found = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        result = result if found is None else found
    return result


def _after_failure(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, called: set[int]) -> None:
    """The hooks that are called whatever happens, each once."""
    for number, hook in list(everywhere.forward_always.items()):
        if number not in called and number in everywhere.forward:
            hook(module, args, kwargs, result)
    for number in list(module._forward_hooks_always_called):
        hook = module._forward_hooks.get(number)
        if hook is None or number in called:
            continue
        if number in module._forward_hooks_with_kwargs:
            hook(module, args, kwargs, result)
        else:
            hook(module, args, result)


# ------------------------------------------------------------------------------------------------- the methods


class HookMethods:
    """The methods of `Module` that register hooks."""

    def _table(self, name: str) -> Table:
        table: Table = self.__dict__[name]
        return table

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns replaces the arguments.

        Args:
            hook: returns None, an argument, or a tuple of them.
            prepend: before the hooks that there are.
            with_kwargs: call `hook(module, args, kwargs)`, which returns None or (args, kwargs).
        """
        handle = register(self._table("_forward_pre_hooks"), hook, prepend)
        if with_kwargs:
            self._table("_forward_pre_hooks_with_kwargs")[handle.number] = hook
        return handle

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, result)` after `forward`; what it returns replaces the result.

        Args:
            hook: returns None or a result.
            prepend: before the hooks that there are.
            with_kwargs: call `hook(module, args, kwargs, result)`.
            always_call: call it also where `forward` fails, with the result None.
        """
        handle = register(self._table("_forward_hooks"), hook, prepend)
        if with_kwargs:
            self._table("_forward_hooks_with_kwargs")[handle.number] = hook
        if always_call:
            self._table("_forward_hooks_always_called")[handle.number] = hook
        return handle

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when gradients reach the output; a result replaces them."""
        return register(self._table("_backward_pre_hooks"), hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when gradients pass; a result replaces the inputs' gradients.

        The hook is called when the gradient is derived; the gradients that it gets are computed when somebody looks.
        """
        return register(self._table("_backward_hooks"), hook, prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """As `register_full_backward_hook`; PyTorch keeps this older name for code written before it."""
        return register(self._table("_backward_hooks"), hook)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before this module's part of `state_dict` is made."""
        return register(self._table("_state_dict_pre_hooks"), hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` afterwards; it may change the dict in place."""
        return self._register_state_dict_hook(lambda *args: hook(*args) and None)

    def _register_state_dict_hook(self, hook: Hook) -> RemovableHandle:
        """As `register_state_dict_post_hook`, but what the hook returns replaces the dict."""
        return register(self._table("_state_dict_hooks"), hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call a hook before this module's part of a state_dict is loaded; it may change the dict in place.

        It is called with (module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs).
        """
        return register(self._table("_load_state_dict_pre_hooks"), lambda *args: hook(self, *args))

    def _register_load_state_dict_pre_hook(self, hook: Hook, with_module: bool = False) -> RemovableHandle:
        """As `register_load_state_dict_pre_hook`; without the module unless `with_module`."""
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return register(self._table("_load_state_dict_pre_hooks"), hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading; it may change the two lists in place."""
        return register(self._table("_load_state_dict_post_hooks"), hook)
