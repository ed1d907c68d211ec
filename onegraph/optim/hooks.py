"""Functions that an optimizer calls before and after a step, and when its state is saved or loaded.

In a traced function (`@og.jit`) they run once, while it is traced. Read next: `optimizer.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.autograd import RemovableHandle
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import realize_tensors

Hook = Callable[..., Any]

_before_every_step: dict[int, Hook] = {}
_after_every_step: dict[int, Hook] = {}


def _register(hooks: dict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    if not callable(hook):
        raise ArgumentTypeError(f"a hook must be a function, got {type(hook).__name__}")
    number = (min(hooks, default=1) - 1) if prepend else (max(hooks, default=-1) + 1)
    hooks[number] = hook
    return RemovableHandle(hooks, number)


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer.

    Returns:
        A handle whose `remove()` takes the hook away.
    """
    return _register(_before_every_step, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer.

    Returns:
        A handle whose `remove()` takes the hook away.
    """
    return _register(_after_every_step, hook)


def _in_order(hooks: dict[int, Hook]) -> list[Hook]:
    return [hooks[number] for number in sorted(hooks)]


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """The `step` of a class, with the hooks around it; a step that calls its parent's runs them once."""

    @functools.wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._is_stepping:
            return step(self, *args, **kwargs)
        self._is_stepping = True
        try:
            for hook in (*_in_order(_before_every_step), *_in_order(self._hooks["before step"])):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise ArgumentTypeError(
                            f"a hook before a step gives None or new (args, kwargs), got {type(changed).__name__}"
                        )
                    args, kwargs = changed
            result = step(self, *args, **kwargs)
            if self.rule is None and mode.trace is None:  # a step of the user's own: computed here, as ours are
                realize_tensors([p for g in self.param_groups for p in g["params"] if p.grad is not None])
            for hook in (*_in_order(self._hooks["after step"]), *_in_order(_after_every_step)):
                hook(self, args, kwargs)
            return result
        finally:
            self._is_stepping = False

    return run


class Hooks:
    """The part of `Optimizer` that keeps hooks. Each `register_...` returns a handle with `remove()`.

    >>> import onegraph as og
    >>> optimizer = og.optim.SGD([og.nn.Parameter(og.ones(1))], lr=0.1)
    >>> handle = optimizer.register_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
    >>> optimizer.step()
    stepped
    >>> handle.remove()
    """

    rule: Any = None
    _is_stepping = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = with_hooks(cls.__dict__["step"])  # type: ignore[attr-defined]

    @functools.cached_property
    def _hooks(self) -> dict[str, dict[int, Hook]]:
        names = ("before step", "after step", "before saving", "after saving", "before loading", "after loading")
        return {name: {} for name in names}

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may give new (args, kwargs)."""
        return _register(self._hooks["before step"], hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._hooks["after step"], hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return _register(self._hooks["before saving"], hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; what it gives is taken instead."""
        return _register(self._hooks["after saving"], hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before `load_state_dict`; what it gives is loaded instead."""
        return _register(self._hooks["before loading"], hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after `load_state_dict`."""
        return _register(self._hooks["after loading"], hook, prepend)

    def _before_state_dict(self) -> None:
        for hook in _in_order(self._hooks["before saving"]):
            hook(self)

    def _after_state_dict(self, state: dict[str, Any]) -> dict[str, Any]:
        for hook in _in_order(self._hooks["after saving"]):
            changed = hook(self, state)
            state = state if changed is None else changed
        return state

    def _before_load(self, state: Any) -> Any:
        for hook in _in_order(self._hooks["before loading"]):
            changed = hook(self, dict(state))
            state = state if changed is None else changed
        return state

    def _after_load(self) -> None:
        for hook in _in_order(self._hooks["after loading"]):
            hook(self)
