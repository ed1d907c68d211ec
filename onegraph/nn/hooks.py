"""Functions that are called when gradients pass a module: `Module.register_full_backward_hook`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import UnsupportedError
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.node import Node
from onegraph.ops.custom import with_gradient

Hook = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]


class BackwardWatch:
    """Stands around one call of a module, and sees the gradients of its output and of its input.

    Args:
        module: handed to the hooks.
        hooks: called with (module, gradients of the inputs, gradients of the outputs).
    """

    def __init__(self, module: Any, hooks: dict[int, tuple[Hook, bool]]) -> None:
        self.module, self.hooks = module, hooks
        self.of_output: Tensor | None = None
        self.position: int | None = None
        self.count = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, one of which may record gradients."""
        self.count = len(args)
        watched = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a._requires_grad]
        if len(watched) > 1:
            raise UnsupportedError(
                f"full backward hooks on {type(self.module).__name__}: {len(watched)} inputs require gradients, one is supported",
                hint="use tensor.register_hook on each input instead",
            )
        if not watched:
            return args
        self.position = watched[0]
        values = list(args)
        values[self.position] = _tap(values[self.position], self._input_reached)
        return tuple(values)

    def watch_output(self, result: Any) -> Any:
        """The result, which must be one tensor."""
        if not isinstance(result, Tensor):
            raise UnsupportedError(
                f"full backward hooks on {type(self.module).__name__}: the result is no tensor but {type(result).__name__}"
            )
        return _tap(result, self._output_reached) if result._requires_grad else result

    def _output_reached(self, g: Node) -> Node:
        self.of_output = wrap(g, False)
        if self.position is None:
            self._call((None,) * self.count)
        return g

    def _input_reached(self, g: Node) -> Node:
        gradients: list[Tensor | None] = [None] * self.count
        assert self.position is not None
        gradients[self.position] = wrap(g, False)
        changed = self._call(tuple(gradients))[self.position]
        return g if changed is None else changed.node

    def _call(self, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook, _ in list(self.hooks.values()):
            found = hook(self.module, gradients, (self.of_output,))
            if found is not None:
                gradients = found if isinstance(found, tuple) else (found,)
        return gradients


def _tap(tensor: Tensor, reached: Callable[[Node], Node]) -> Tensor:
    return wrap(with_gradient(tensor.node, [tensor.node], lambda g: [reached(g)]), True)
