"""Catching the gradients that pass a call of a module, for `Module.register_full_backward_hook`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import UnsupportedError
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.dim import Size
from onegraph.ir.node import Node
from onegraph.ops.custom import with_gradient
from onegraph.ops.movement import concat, reshape_to, slice_dim

Hook = Callable[..., Any]
Gradients = tuple[Tensor | None, ...]


class BackwardWatch:
    """Stands around one call of a module, and sees the gradients of its outputs and of its inputs.

    Args:
        module: handed to the hooks.
        pre_hooks: called with (module, gradients of the outputs); a result replaces them.
        hooks: called with (module, gradients of the inputs, gradients of the outputs); a result replaces the first.
    """

    def __init__(self, module: Any, pre_hooks: Sequence[Hook], hooks: Sequence[Hook]) -> None:
        self.module, self.pre_hooks, self.hooks = module, pre_hooks, hooks
        self.of_outputs: Gradients = ()
        self.positions: list[int] = []
        self.count = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, of which tensors that require gradients record theirs."""
        self.count = len(args)
        self.positions = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a._requires_grad]
        if not self.positions or not self.hooks:
            return args
        values = list(args)
        tapped = self._tap("inputs", [args[i] for i in self.positions], self._inputs_reached)
        for i, tensor in zip(self.positions, tapped, strict=True):
            values[i] = tensor
        return tuple(values)

    def watch_output(self, result: Any) -> Any:
        """The result: a tensor, or a tuple or list with tensors in it."""
        single = isinstance(result, Tensor)
        if not single and not isinstance(result, (tuple, list)):
            raise UnsupportedError(
                f"full backward hooks on {type(self.module).__name__}: the result is neither a tensor nor a tuple of "
                f"them, but {type(result).__name__}"
            )
        parts = [result] if single else list(result)
        places = [i for i, p in enumerate(parts) if isinstance(p, Tensor) and p._requires_grad]
        if not places:
            return result
        count = len(parts)

        def reached(gradients: list[Node]) -> list[Node]:
            found: list[Tensor | None] = [None] * count
            for i, g in zip(places, gradients, strict=True):
                found[i] = wrap(g, False)
            return [g.node for i, g in enumerate(self._outputs_reached(tuple(found))) if i in places and g is not None]

        for i, tensor in zip(places, self._tap("outputs", [parts[i] for i in places], reached), strict=True):
            parts[i] = tensor
        if single:
            return parts[0]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)

    def _outputs_reached(self, gradients: Gradients) -> Gradients:
        for hook in self.pre_hooks:
            found = hook(self.module, gradients)
            if found is not None:
                gradients = found if isinstance(found, tuple) else (found,)
        self.of_outputs = gradients
        if not self.positions:
            self._call((None,) * self.count)
        return gradients

    def _inputs_reached(self, gradients: list[Node]) -> list[Node]:
        known: list[Tensor | None] = [None] * self.count
        for i, g in zip(self.positions, gradients, strict=True):
            known[i] = wrap(g, False)
        found = self._call(tuple(known))
        changed = [found[i] for i in self.positions]
        return [g if c is None else c.node for g, c in zip(gradients, changed, strict=True)]

    def _call(self, gradients: Gradients) -> Gradients:
        for hook in self.hooks:
            found = hook(self.module, gradients, self.of_outputs)
            if found is not None:
                gradients = found if isinstance(found, tuple) else (found,)
        return gradients

    def _tap(self, what: str, tensors: Sequence[Tensor], reached: Callable[[list[Node]], list[Node]]) -> list[Tensor]:
        """The same tensors; `reached` is called with all of their gradients, once they are known."""
        nodes = [t.node for t in tensors]
        if len(nodes) == 1:
            return [wrap(with_gradient(nodes[0], nodes, lambda g: reached([g])), True)]
        # Several are made one vector, so that their gradients arrive together.
        if len({n.dtype for n in nodes}) > 1:
            raise UnsupportedError(
                f"full backward hooks on {type(self.module).__name__}: {len(nodes)} {what} of different dtypes require "
                "gradients",
                hint="use tensor.register_hook on each instead",
            )
        flat = concat([reshape_to(n, (n.size,)) for n in nodes], 0)
        joined = with_gradient(
            flat, [flat], lambda g: [concat([reshape_to(r, (r.size,)) for r in reached(_split(g, nodes))], 0)]
        )
        return [wrap(n, True) for n in _split(joined, nodes)]


def _split(flat: Node, like: Sequence[Node]) -> list[Node]:
    parts: list[Node] = []
    start: Size = 0
    for node in like:
        stop = start + node.size
        parts.append(reshape_to(slice_dim(flat, 0, start, stop), node.shape))
        start = stop
    return parts
