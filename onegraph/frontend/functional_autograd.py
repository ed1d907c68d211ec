"""Derivatives of functions: `og.autograd.functional` (jacobian, hessian, vjp, ...), `og.func`, and `gradcheck`.

All of them end in `onegraph.autodiff`: a vector-Jacobian product is one reverse pass, a Jacobian-vector product two.
There is no `vmap`. Read next: `autograd.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import onegraph.autodiff as autodiff
from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError
from onegraph.frontend.autograd import grad
from onegraph.frontend.state import enable_grad
from onegraph.frontend.tensor import Tensor, tensor_from_array, wrap
from onegraph.ir.dtype import float64, from_numpy
from onegraph.ops.elementwise import DETACH
from onegraph.ops.movement import concat, full, reshape_to
from onegraph.ops.shapes import show

Tensors = tuple[Tensor, ...]


def _tuple(op: str, given: Any, what: str) -> tuple[Tensors, bool]:
    """Tensors as a tuple, and whether they were one."""
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    for value in values:
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"{op}: {what} must be tensors, got {type(value).__name__}")
    return values, isinstance(given, (tuple, list))


def _like(values: Sequence[Any], several: bool) -> Any:
    return tuple(values) if several else values[0]


def _variables(inputs: Tensors, create_graph: bool) -> Tensors:
    """The inputs as variables of their own; connected to them when results shall be differentiable."""
    if create_graph:
        return tuple([x * 1 if x.requires_grad else x.detach().requires_grad_(True) for x in inputs])
    return tuple([wrap(DETACH(x.node), False).requires_grad_(True) for x in inputs])


def _run(op: str, func: Callable[..., Any], inputs: Any, create_graph: bool) -> tuple[Tensors, bool, Tensors, bool]:
    values, several_inputs = _tuple(op, inputs, "the inputs")
    variables = _variables(values, create_graph)
    with enable_grad():
        outputs, several_outputs = _tuple(op, func(*variables), "the results of the function")
    return variables, several_inputs, outputs, several_outputs


def _gradients(outputs: Tensors, weights: Sequence[Tensor | None], variables: Tensors, create_graph: bool) -> Tensors:
    reached = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    if not reached:
        return tuple([_zeros(v) for v in variables])
    found = grad(
        [o for o, _ in reached], variables, [w for _, w in reached], create_graph=create_graph, materialize_grads=True
    )
    return found  # type: ignore[return-value]


def _zeros(x: Tensor) -> Tensor:
    return wrap(full(x.node.shape, 0, x.dtype), False)


def _let_go(tensors: Tensors, create_graph: bool) -> Tensors:
    return tensors if create_graph else tuple([t.detach() for t in tensors])


def _weights(op: str, v: Any, like: Tensors, what: str) -> Tensors:
    if v is None:
        if len(like) != 1 or like[0].shape.numel() != 1:
            raise ArgumentError(
                f"{op}: v may be left out only for one {what} of one element", hint=f"give v, shaped like the {what}s"
            )
        return (wrap(full(like[0].node.shape, 1, like[0].dtype), False),)
    values, _ = _tuple(op, v, "v")
    shapes = [tuple(x.shape) for x in values]
    if shapes != [tuple(x.shape) for x in like]:
        raise ShapeError(f"{op}: v has shapes {shapes}, the {what}s {[tuple(x.shape) for x in like]}")
    return values


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The results of a function, and the vector-Jacobian product: gradients of its results weighted by v.

    Args:
        func: takes tensors, gives a tensor or a tuple of tensors.
        inputs: one tensor or a tuple of tensors.
        v: shaped like the results; may be left out for a result of one element.
        create_graph: let the product be differentiated again.
        strict: accepted; inputs that do not matter get zeros.

    >>> import onegraph as og
    >>> og.autograd.functional.vjp(lambda x: x * x, og.tensor([1.0, 2.0]), og.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    variables, several_inputs, outputs, several_outputs = _run("vjp", func, inputs, create_graph)
    weights = _weights("vjp", v, outputs, "result")
    found = _gradients(outputs, weights, variables, create_graph)
    return _like(_let_go(outputs, create_graph), several_outputs), _like(found, several_inputs)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The results of a function, and the Jacobian-vector product: how they change when the inputs change by v.

    >>> import onegraph as og
    >>> og.autograd.functional.jvp(lambda x: x * x, og.tensor([1.0, 2.0]), og.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    variables, _, outputs, several = _run("jvp", func, inputs, create_graph)
    weights = _weights("jvp", v, variables, "input")
    nodes = autodiff.reverse.jvp([o.node for o in outputs], [x.node for x in variables], [w.node for w in weights])
    found = tuple([wrap(n, True) if create_graph else wrap(DETACH(n), False) for n in nodes])
    return _like(_let_go(outputs, create_graph), several), _like(found, several)


def _rows(output: Tensor, variables: Tensors, create_graph: bool) -> list[Tensor]:
    """The Jacobian of one result by each variable, of shape (*result, *variable)."""
    count = output.shape.numel()
    rows = []
    for i in range(count):
        # One seed is an input of the plan, so all rows are computed by the same one.
        seed = np.zeros(count, np.float64)
        seed[i] = 1
        weight = tensor_from_array(seed, float64).to(output.dtype).reshape(tuple(output.shape))
        rows.append(_gradients((output,), (weight,), variables, create_graph))
    jacobians = []
    for j, x in enumerate(variables):
        parts = [reshape_to(row[j].node, (1, x.shape.numel())) for row in rows]
        shape = (*output.shape, *x.shape)
        node = reshape_to(concat(parts, 0), shape) if parts else full(shape, 0, x.dtype)
        jacobians.append(wrap(node, create_graph and any(row[j].requires_grad for row in rows)))
    return jacobians


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All derivatives of a function's results by its inputs.

    Args:
        func: takes tensors, gives a tensor or a tuple of tensors.
        inputs: one tensor or a tuple of tensors.
        create_graph: let the derivatives be differentiated again.
        strict, vectorize, strategy: accepted; inputs that do not matter get zeros.

    Returns:
        A tensor of shape (*result, *input); a tuple of them over the inputs, the results, or both, where there are tuples.

    >>> import onegraph as og
    >>> og.autograd.functional.jacobian(lambda x: x * x, og.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    variables, several_inputs, outputs, several_outputs = _run("jacobian", func, inputs, create_graph)
    rows = [_like(_rows(o, variables, create_graph), several_inputs) for o in outputs]
    return _like(rows, several_outputs)


def _one_number(op: str, func: Callable[..., Any]) -> Callable[..., Tensor]:
    def checked(*args: Any) -> Tensor:
        output = func(*args)
        if not isinstance(output, Tensor) or output.shape.numel() != 1:
            shape = show(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ShapeError(f"{op}: the function must give one number, got {shape}")
        return output.reshape(())

    return checked


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function with one number as its result: (*input, *input), in nested tuples for a tuple.

    >>> import onegraph as og
    >>> og.autograd.functional.hessian(lambda x: (x ** 3).sum(), og.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    scalar = _one_number("hessian", func)
    several = isinstance(inputs, (tuple, list))

    def gradient(*args: Tensor) -> Any:
        return jacobian(scalar, args if several else args[0], create_graph=True)

    return jacobian(gradient, inputs, create_graph=create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result of a function with one number as its result, and its Hessian times v."""
    scalar = _one_number("hvp", func)
    variables, several, outputs, _ = _run("hvp", scalar, inputs, create_graph)
    weights = _weights("hvp", v, variables, "input")
    first = _gradients(outputs, (None,), variables, True)
    found = _gradients(first, weights, variables, create_graph)
    return _let_go(outputs, create_graph)[0], _like(found, several)


vhp = hvp  # the Hessian is symmetric


# ---- og.func: functions that give functions


def vjp_function(func: Callable[..., Any], *primals: Tensor, has_aux: bool = False) -> Any:
    """`func.vjp`: the results at `primals`, and the function from weights of the results to gradients by each of them.

    >>> import onegraph as og
    >>> output, pull = og.func.vjp(lambda x: x * x, og.tensor([1.0, 2.0]))
    >>> pull(og.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    variables = _variables(_tuple("vjp", primals, "the primals")[0], any(p.requires_grad for p in primals))
    with enable_grad():
        result = func(*variables)
    result, extra = result if has_aux else (result, None)
    outputs, several = _tuple("vjp", result, "the results of the function")
    keep = any(p.requires_grad for p in primals)

    def pull(*weights: Any) -> Tensors:
        given = weights[0] if len(weights) == 1 else weights
        return _gradients(outputs, _weights("vjp", given, outputs, "result"), variables, keep)

    shown = _like(_let_go(outputs, keep), several)
    return (shown, pull, extra) if has_aux else (shown, pull)


def jvp_function(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """`func.jvp`: the results at `primals`, and how they change along `tangents`."""
    extra: list[Any] = []

    def main(*args: Tensor) -> Any:
        result = func(*args)
        if has_aux:
            extra.append(result[1])
            return result[0]
        return result

    keep = any(p.requires_grad for p in primals)
    output, change = jvp(main, tuple(primals), tuple(tangents), create_graph=keep)
    return (output, change, extra[0]) if has_aux else (output, change)


def _by_position(derive: Callable[..., Any]) -> Callable[..., Any]:
    """The function that derives by the arguments at given positions, the others staying as they are."""

    def make(func: Callable[..., Any], argnums: int | Sequence[int] = 0, **options: Any) -> Callable[..., Any]:
        if options.pop("has_aux", False):
            raise ArgumentError("has_aux is not supported here", hint="compute the extra result apart")
        positions = [argnums] if isinstance(argnums, int) else list(argnums)

        def derived(*args: Any) -> Any:
            def vary(*changing: Tensor) -> Any:
                values = list(args)
                for p, x in zip(positions, changing, strict=True):
                    values[p] = x
                return func(*values)

            chosen = tuple([args[p] for p in positions])
            keep = any(isinstance(a, Tensor) and a.requires_grad for a in args)
            return derive(vary, chosen[0] if isinstance(argnums, int) else chosen, create_graph=keep)

        return derived

    return make


jacrev = _by_position(jacobian)
jacrev.__doc__ = "`func.jacrev(f, argnums=0)`: the function that gives the Jacobian of f by the arguments at `argnums`."
jacfwd = _by_position(jacobian)
jacfwd.__doc__ = "As `jacrev`: the same derivatives, taken in reverse too."
hessian_function = _by_position(hessian)
hessian_function.__doc__ = "`func.hessian(f, argnums=0)`: the function that gives the second derivatives of f."


# ---- checking gradients


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **ignored: Any,
) -> bool:
    """Compare gradients with differences of function values, at every element of the inputs that require gradients.

    Args:
        func: takes the inputs, gives a tensor or a tuple of tensors.
        inputs: tensors (float64, to be accurate enough) and other arguments.
        eps: how far inputs are moved.
        atol, rtol: how much the two may differ.
        raise_exception: raise a GradientError where they differ, instead of giving False.

    >>> import onegraph as og
    >>> og.autograd.gradcheck(og.sin, og.ones(3, dtype=og.float64, requires_grad=True))
    True
    """
    args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not places:
        raise ArgumentError("gradcheck: no input requires gradients", hint="make one with requires_grad=True")

    def vary(*changing: Tensor) -> Any:
        values = list(args)
        for p, x in zip(places, changing, strict=True):
            values[p] = x
        found = func(*values)
        return tuple(f for f in found if f.dtype.is_floating_point) if isinstance(found, (tuple, list)) else (found,)

    chosen = tuple([args[p].detach() for p in places])
    analytic = jacobian(vary, chosen)
    for j, x in enumerate(chosen):
        numeric = _differences(vary, chosen, j, eps)
        for i, expected in enumerate(numeric):
            actual = analytic[i][j].numpy().reshape(expected.shape)
            if not np.allclose(actual, expected, rtol, atol, equal_nan=True):
                if raise_exception:
                    raise GradientError(
                        f"gradcheck: the gradient of result {i} by input {places[j]} {show(x.shape)} differs from "
                        f"differences of values by up to {np.abs(actual - expected).max():.3g}",
                        hint="check the backward of custom functions; use float64 inputs",
                    )
                return False
    return True


def _differences(func: Callable[..., Any], inputs: Tensors, which: int, eps: float) -> list[np.ndarray[Any, Any]]:
    """For each result, the differences (result elements, input elements) by one input."""
    value = np.array(inputs[which].numpy())
    columns: list[list[np.ndarray[Any, Any]]] = []
    for k in range(value.size):
        ends = []
        for step in (eps, -eps):
            moved = value.copy()
            moved.reshape(-1)[k] += step
            changed = tensor_from_array(moved, from_numpy(moved.dtype))
            args = [changed if i == which else x for i, x in enumerate(inputs)]
            ends.append([np.array(o.detach().numpy()).reshape(-1) for o in func(*args)])
        columns.append([(a - b) / (2 * eps) for a, b in zip(*ends, strict=True)])
    if not columns:
        return []
    return [np.stack([c[i] for c in columns], axis=1) for i in range(len(columns[0]))]


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """The tensor itself; `Variable` is what PyTorch called tensors that record gradients before version 0.4."""
    return data.requires_grad_(True) if requires_grad else data


class functional:
    """The names of `og.autograd.functional`."""

    hessian = staticmethod(hessian)
    hvp = staticmethod(hvp)
    jacobian = staticmethod(jacobian)
    jvp = staticmethod(jvp)
    vhp = staticmethod(vhp)
    vjp = staticmethod(vjp)
