"""Functions from functions: `grad` and `value_and_grad`.

Read next: `autograd.py` (gradients of tensors), `function.py` (`jit`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import GradientError
from onegraph.frontend.autograd import grad as gradients
from onegraph.frontend.tensor import Tensor


def grad(
    function: Callable[..., Tensor], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that gives the gradient of a function of tensors, with respect to one or several of its arguments.

    Args:
        function: gives a tensor of one element (with has_aux, also something else).
        argnums: which arguments to differentiate by.

    >>> import onegraph as og
    >>> og.grad(lambda x: (x ** 3).sum())(og.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    with_value = value_and_grad(function, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = with_value(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As `grad`, giving the pair (value, gradient)."""
    positions = [argnums] if isinstance(argnums, int) else list(argnums)

    def run(*args: Any, **kwargs: Any) -> Any:
        values = list(args)
        for p in positions:
            if not isinstance(values[p], Tensor):
                raise GradientError(f"grad: argument {p} is no tensor but {type(values[p]).__name__}")
            values[p] = _fresh(values[p])
        result = function(*values, **kwargs)
        output = result[0] if has_aux else result
        keep = any(isinstance(a, Tensor) and a._requires_grad for a in args)  # an outer derivative may go on
        found = gradients(output, [values[p] for p in positions], create_graph=keep, materialize_grads=True)
        return result, found[0] if isinstance(argnums, int) else found

    return run


def _fresh(tensor: Tensor) -> Tensor:
    """The same value; connected to the tensor when that records gradients itself, so that grad of grad works."""
    if tensor._requires_grad:
        return tensor * 1
    return tensor.detach().requires_grad_(True)
