"""Functions that turn functions into their derivatives, under the names of `torch.func` (there is no `vmap`)."""

from typing import Any as _Any

from onegraph.frontend.functional_autograd import hessian_function as hessian
from onegraph.frontend.functional_autograd import jacfwd, jacrev
from onegraph.frontend.functional_autograd import jvp_function as jvp
from onegraph.frontend.functional_autograd import vjp_function as vjp
from onegraph.frontend.transforms import grad, value_and_grad
from onegraph.nn.utils.stateless import functional_call

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "value_and_grad", "vjp"]


def grad_and_value(func: _Any, argnums: _Any = 0, has_aux: bool = False) -> _Any:
    """As `value_and_grad`, giving the gradient first."""
    both = value_and_grad(func, argnums, has_aux)

    def run(*args: _Any, **kwargs: _Any) -> _Any:
        value, gradient = both(*args, **kwargs)
        return gradient, value

    return run
