"""`GradientTape`: TensorFlow's way of asking for gradients, for training steps that were written with it.

Operations are recorded anyway, so the tape only remembers what to differentiate by.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentTypeError
from onegraph.frontend import EXPORTS
from onegraph.frontend.autograd import grad
from onegraph.frontend.state import enable_grad
from onegraph.frontend.tensor import Tensor
from onegraph.keras.layers.symbolic import flatten, map_structure


class GradientTape:
    """Gives gradients of what is computed within it.

    Args:
        persistent: `gradient` may be called several times.
        watch_accessed_variables: accepted; weights are always watched.

    >>> import onegraph as og
    >>> x = og.tensor([1.0, 2.0])
    >>> with GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = (x * x).sum()
    >>> tape.gradient(y, x)
    tensor([2., 4.])
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self._context: Any = None

    def __enter__(self) -> GradientTape:
        self._context = enable_grad()
        self._context.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._context.__exit__(*exception)

    def watch(self, tensor: Any) -> None:
        """Let a tensor be one to differentiate by; to be called before it is used."""
        for t in flatten(tensor):
            if not isinstance(t, Tensor):
                raise ArgumentTypeError(f"GradientTape.watch: expected a tensor, got {type(t).__name__}")
            if not t.requires_grad:
                t.requires_grad_(True)

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: str = "none"
    ) -> Any:
        """The gradients of a target (summed) by sources, nested as those; None where there is no way.

        Args:
            target: a tensor.
            sources: tensors, in any nesting.
            output_gradients: what to multiply the target by.
            unconnected_gradients: 'none' or 'zero'.
        """
        variables = list(flatten(sources))
        weight = EXPORTS["ones_like"](target.detach()) if output_gradients is None else output_gradients
        found: Any = grad(target, variables, weight, retain_graph=True, allow_unused=True)
        if unconnected_gradients == "zero":
            found = [
                EXPORTS["zeros_like"](v.detach()) if g is None else g for v, g in zip(variables, found, strict=True)
            ]
        values = iter(found)
        return map_structure(lambda _: next(values), sources)
