"""What the define-by-run front end knows beside its tensors: gradient mode, tracing, and tensors that wait to be computed."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from onegraph.ir.dtype import DType
from onegraph.ir.node import Node

if TYPE_CHECKING:
    from onegraph.frontend.control import Body
    from onegraph.frontend.tensor import Tensor
    from onegraph.frontend.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])


class Mode(threading.local):
    """Settings of the running thread."""

    gradients: bool = True
    """Whether operations on tensors that require gradients give tensors that do."""
    trace: Trace | Body | None = None
    """The function that is being traced, if any."""
    autocast: DType | None = None
    """The half precision that products are cast to, see `autocast.py`."""
    recorded: int = 0
    """Operations recorded since something was last computed."""

    def __init__(self) -> None:
        self.waiting: dict[int, weakref.ref[Tensor]] = {}
        """Tensors whose value must be computed with the next plan: written in place, gradients, losses after backward."""


mode = Mode()


class FormerLeaves:
    """Tensors by nodes, both held weakly."""

    def __init__(self) -> None:
        self._tensors: weakref.WeakKeyDictionary[Node, weakref.ref[Tensor]] = weakref.WeakKeyDictionary()

    def __setitem__(self, node: Node, tensor: Tensor) -> None:
        self._tensors[node] = weakref.ref(tensor)

    def get(self, node: Node) -> Tensor | None:
        """The tensor that a node stood for."""
        found = self._tensors.get(node)
        return None if found is None else found()

    def forget(self, node: Node) -> None:
        """A node stands for its tensor again."""
        self._tensors.pop(node, None)

    def __len__(self) -> int:
        return len(self._tensors)


leaves: weakref.WeakValueDictionary[Node, Tensor] = weakref.WeakValueDictionary()
"""Tensors that collect gradients, by the node that stands for them."""

former_leaves: FormerLeaves = FormerLeaves()
"""Nodes that stood for such a tensor before it was written: a gradient that arrives there is the tensor's too."""


def leaf_of(node: Node) -> Tensor | None:
    """The tensor that collects the gradients which arrive at a node."""
    tensor = leaves.get(node)
    return former_leaves.get(node) if tensor is None else tensor


def wait_for(tensor: Tensor) -> None:
    """Compute this tensor with the next plan, whatever is looked at then."""
    waiting = mode.waiting
    waiting.pop(id(tensor), None)  # a dead tensor's place is not taken over: the order is that of the calls alone
    waiting[id(tensor)] = weakref.ref(tensor)


def take_waiting() -> list[Tensor]:
    """The tensors that wait and are still alive; they wait no longer."""
    found = [t for t in (r() for r in mode.waiting.values()) if t is not None]
    mode.waiting.clear()
    return found


class _GradientMode(contextlib.ContextDecorator):
    """Base of `no_grad` and `enable_grad`: a context manager and a decorator."""

    wanted = False

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self.before: list[bool] = []
        self.function = function
        if function is not None:
            functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.function is not None:  # used as @no_grad without parentheses
            with type(self)():
                return self.function(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def _recreate_cm(self) -> _GradientMode:  # a decorated function may run in several threads at once
        again = copy.copy(self)
        again.before = []
        return again

    def __enter__(self) -> None:
        self.before.append(mode.gradients)
        mode.gradients = self.wanted

    def __exit__(self, *exception: object) -> None:
        mode.gradients = self.before.pop()


class no_grad(_GradientMode):
    """Within this context, or in a function that it decorates, no gradients are recorded.

    >>> import onegraph as og
    >>> w = og.ones(2, requires_grad=True)
    >>> with og.no_grad():
    ...     (w * 2).requires_grad
    False
    """


class enable_grad(_GradientMode):
    """Within this context gradients are recorded, also inside `no_grad`."""

    wanted = True


class inference_mode(_GradientMode):
    """As `no_grad`; `inference_mode(False)` does nothing."""

    def __init__(self, mode: Any = True) -> None:
        super().__init__(mode if callable(mode) else None)
        self.wanted = mode is False


class set_grad_enabled(_GradientMode):
    """Record gradients or not, as a context or at once."""

    def __init__(self, mode_: bool) -> None:
        super().__init__()
        self.wanted = bool(mode_)
        self.at_once = mode.gradients
        mode.gradients = self.wanted

    def __enter__(self) -> None:
        self.before.append(self.at_once)
        mode.gradients = self.wanted


def is_grad_enabled() -> bool:
    """Whether gradients are recorded now."""
    return mode.gradients


@contextlib.contextmanager
def tracing(trace: Trace | Body | None) -> Iterator[None]:
    """Record operations into a trace."""
    before = mode.trace
    mode.trace = trace
    try:
        yield
    finally:
        mode.trace = before
