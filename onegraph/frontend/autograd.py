"""Differentiation of tensors: `backward`, `grad`, vjp and jvp, custom functions, hooks, recomputation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onegraph.autodiff as autodiff
from onegraph.errors import ArgumentError, GradientError
from onegraph.frontend.state import enable_grad, former_leaves, leaf_of, leaves, mode, no_grad, wait_for
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.binary import ADD
from onegraph.ops.custom import barrier, with_gradient
from onegraph.ops.elementwise import DETACH
from onegraph.ops.shapes import show


def _check_roots(tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if not tensor._requires_grad:
            raise GradientError(
                f"this tensor of shape {show(tensor.shape)} does not require gradients, and was not computed from one that does",
                hint="make a parameter with requires_grad=True, and do not compute the loss under no_grad or from detached values",
            )
        if tensor._freed:
            raise GradientError(
                "backward was already called from this tensor, which let go of its graph",
                hint="call backward(retain_graph=True) the first time; a second call adds to the gradients again",
            )


def backward(
    tensors: Sequence[Tensor],
    grad_tensors: Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of the sum of tensors to `.grad` of the leaves; see `Tensor.backward`."""
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    seeds = _seed_nodes(tensors, grad_tensors)
    _check_roots(tensors)
    roots = [t.node for t in tensors]
    if inputs is None:
        order = topological(roots, stop=lambda n: n.op == "detach")
        pairs = [(t, n) for t, n in ((leaf_of(n), n) for n in order) if t is not None]
    else:
        pairs = _places([inputs] if isinstance(inputs, Tensor) else list(inputs), roots)
    wanted = [n for _, n in pairs]
    found = autodiff.gradient(roots, seeds, wanted)
    for (target, _), node in zip(pairs, _with_zeros(found, roots, wanted), strict=True):
        if node is not None:
            accumulate(target, node, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    for tensor in tensors:
        if not keep and leaves.get(tensor._node) is not tensor:
            tensor._freed = True
        wait_for(tensor)


def _places(tensors: Sequence[Tensor], roots: Sequence[Node]) -> list[tuple[Tensor, Node]]:
    """Each tensor with its node, and with the nodes that stood for it before it was written in place."""
    places = [(t, t.node) for t in tensors]
    if len(former_leaves) > 0:
        wanted = {id(t) for t in tensors}
        for node in topological(roots, stop=lambda n: n.op == "detach"):
            tensor = former_leaves.get(node)
            if tensor is not None and id(tensor) in wanted:
                places.append((tensor, node))
    return places


def _with_zeros(found: list[Node | None], roots: Sequence[Node], wanted: Sequence[Node]) -> list[Node | None]:
    """Gradients, with zeros in place of None where a constant function (`floor`, `sign`) leads from the target to a root."""
    if all(node is not None for node in found):
        return found
    reached, todo = set(roots), list(roots)
    while todo:
        node = todo.pop()
        if node.op == "detach" or node.op == "with_gradient":  # there, None is what the user's rule gave
            continue
        for source in node.inputs:
            if source.dtype.is_floating_point and node.dtype.is_floating_point and source not in reached:
                reached.add(source)
                todo.append(source)
    return [
        autodiff.reverse.zeros_like(target) if node is None and (target in reached or target.size == 0) else node
        for node, target in zip(found, wanted, strict=True)
    ]


def _seed_nodes(tensors: Sequence[Tensor], seeds: Tensor | Sequence[Tensor | None] | None) -> list[Node | None]:
    if seeds is None:
        return [None] * len(tensors)
    seeds = [seeds] if isinstance(seeds, Tensor) else list(seeds)
    if len(seeds) != len(tensors):
        raise ArgumentError(f"{len(tensors)} outputs and {len(seeds)} gradients of outputs were given")
    return [None if s is None else s.node for s in seeds]


def accumulate(target: Tensor, node: Node, create_graph: bool) -> None:
    """Add a gradient to a tensor's `.grad`."""
    node = _through_hooks(target, node)
    gradient = wrap(node, True) if create_graph else wrap(DETACH(node), False)
    before = target.grad
    if before is not None:
        if mode.trace is not None:
            mode.trace.seen(before)
        gradient = wrap(ADD(before.node, gradient.node), create_graph)
    target.grad = gradient
    wait_for(gradient)
    for hook in list((target._after_gradient or {}).values()):
        hook(target)


def _through_hooks(tensor: Tensor, node: Node) -> Node:
    """A gradient that arrives at a tensor, after the hooks of a leaf; others have theirs in the graph."""
    if tensor._hooks and tensor.is_leaf:
        for hook in list(tensor._hooks.values()):
            changed = hook(wrap(node, False))
            node = node if changed is None else changed.node
    return node


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of the sum of outputs with respect to inputs, as `torch.autograd.grad`.

    Args:
        outputs: tensors to differentiate.
        inputs: tensors to differentiate by.
        grad_outputs: the gradient of each output; not needed for outputs of one element.
        create_graph: let the results be differentiated again.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        materialize_grads: give zeros for such inputs.

    >>> import onegraph as og
    >>> x = og.tensor(3.0, requires_grad=True)
    >>> (dx,) = og.autograd.grad(x ** 3, x, create_graph=True)
    >>> dx, og.autograd.grad(dx, x)[0]
    (tensor(27., grad_fn=<AddBackward>), tensor(18.))
    """
    tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    targets = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if is_grads_batched:
        raise ArgumentError("is_grads_batched is not supported; call grad once for each gradient")
    _check_roots(tensors)
    for target in targets:
        if not target._requires_grad:
            raise GradientError(f"an input of shape {show(target.shape)} does not require gradients")
    roots = [t.node for t in tensors]
    places = _places(targets, roots)
    wanted = [n for _, n in places]
    found = _with_zeros(autodiff.gradient(roots, _seed_nodes(tensors, grad_outputs), wanted), roots, wanted)
    for (tensor, _), more in zip(places[len(targets) :], found[len(targets) :], strict=True):
        i = next(i for i, t in enumerate(targets) if t is tensor)
        if more is not None:
            before = found[i]
            found[i] = more if before is None else ADD(before, more)
    del found[len(targets) :]
    found = [node if node is None else _through_hooks(t, node) for t, node in zip(targets, found, strict=True)]
    results: list[Tensor | None] = []
    for target, node in zip(targets, found, strict=True):
        if node is None and (materialize_grads or target is None):
            node = autodiff.reverse.zeros_like(target.node)
        if node is None and not allow_unused:
            raise GradientError(
                f"an input of shape {show(target.shape)} was not used in computing the outputs",
                hint="allow_unused=True gives None for it",
            )
        results.append(None if node is None else wrap(node, True) if create_graph else wrap(DETACH(node), False))
    return tuple(results)


def retain_grad(self: Tensor) -> None:
    """Let `backward` fill `.grad` of this tensor too, although an operation made it."""
    if not self._requires_grad:
        raise GradientError("retain_grad: this tensor does not require gradients")
    if not self.is_leaf:
        self._retains_grad = True
        self.register_hook(_keep(self))


def _keep(tensor: Tensor) -> Callable[[Tensor], None]:
    def keep(gradient: Tensor) -> None:
        tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient

    return keep


class RemovableHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self.hooks, self.number = hooks, number

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.number, None)


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call a function with the gradient of this tensor whenever it is computed; what it returns replaces the gradient."""
    if not self._requires_grad:
        raise GradientError("register_hook: this tensor does not require gradients")
    if mode.trace is not None and not mode.trace.is_own(self):
        mode.trace.run_lazily("it registers a hook on a tensor from outside")
        return RemovableHandle({0: hook}, 0)
    if self._hooks is None:
        node = self.node
        hooks: dict[int, Any] = {}
        self._hooks = hooks
        if not self.is_leaf:
            self._node = hooked(node, hooks)
    number = max(self._hooks, default=-1) + 1
    self._hooks[number] = hook
    return RemovableHandle(self._hooks, number)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call a function with this tensor whenever `backward` has added to its `.grad`, e.g. to update it at once.

    Raises:
        GradientError: for a tensor that an operation made, whose gradient is not kept.

    >>> import onegraph as og
    >>> w = og.nn.Parameter(og.ones(2))
    >>> handle = w.register_post_accumulate_grad_hook(lambda p: print(p.grad.tolist()))
    >>> (w * 3).sum().backward()
    [3.0, 3.0]
    """
    if not self._requires_grad or not self.is_leaf:
        raise GradientError("register_post_accumulate_grad_hook: only for leaf tensors that require gradients")
    if mode.trace is not None and not mode.trace.is_own(self):
        mode.trace.run_lazily("it registers a hook on a tensor from outside")
    if self._after_gradient is None:
        self._after_gradient = {}
    number = max(self._after_gradient, default=-1) + 1
    self._after_gradient[number] = hook
    return RemovableHandle(self._after_gradient, number)


def hooked(node: Node, hooks: dict[int, Any]) -> Node:
    def rule(g: Node) -> list[Node]:
        gradient = wrap(g, False)
        for hook in list(hooks.values()):
            changed = hook(gradient)
            gradient = gradient if changed is None else changed
        return [gradient.node]

    return with_gradient(node, [node], rule)


class FunctionContext:
    """What a custom function's forward keeps for its backward."""

    def __init__(self) -> None:
        self.saved_tensors: tuple[Tensor, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors for backward."""
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that outputs have no gradient."""

    def set_materialize_grads(self, value: bool) -> None:
        """Accepted; gradients of unused outputs are always zeros."""


class Function:
    """An operation with a gradient of your own: subclass it with static methods `forward` and `backward`, call `apply`.

    >>> import onegraph as og
    >>> class Double(og.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = og.ones(2, requires_grad=True)
    >>> Double.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the result."""
        raise NotImplementedError("a custom function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Compute the gradients of the inputs from those of the results."""
        raise NotImplementedError("a custom function needs a static method backward(ctx, ...)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, and let backward be called when gradients flow."""
        context = FunctionContext()
        context.needs_input_grad = tuple(isinstance(a, Tensor) and a._requires_grad for a in args)
        with no_grad():
            result = cls.forward(context, *args)
        if not mode.gradients or not any(context.needs_input_grad):
            return result
        single = isinstance(result, Tensor)
        outputs = [result] if single else list(result)
        inputs = [a for a in args if isinstance(a, Tensor)]
        wrapped = [_with_rule(cls, context, args, inputs, outputs, i) for i in range(len(outputs))]
        return wrapped[0] if single else tuple(wrapped)


def _with_rule(
    cls: type[Function],
    context: FunctionContext,
    args: Sequence[Any],
    inputs: list[Tensor],
    outputs: list[Tensor],
    position: int,
) -> Tensor:
    """Output number `position`; its gradient goes through the class's backward, the other outputs' gradients being zero."""

    def rule(g: Node) -> list[Node | None]:
        gradients = [
            wrap(g if i == position else autodiff.reverse.zeros_like(o.node), False) for i, o in enumerate(outputs)
        ]
        with enable_grad():
            found = cls.backward(context, *gradients)
        found = [found] if isinstance(found, Tensor) or found is None else list(found)
        if len(found) != len(args):
            raise GradientError(f"{cls.__name__}.backward gave {len(found)} gradients for {len(args)} inputs")
        return [None if f is None else f.node for f, a in zip(found, args, strict=True) if isinstance(a, Tensor)]

    return wrap(with_gradient(outputs[position].node, [i.node for i in inputs], rule), True)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Any] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call a function without keeping what it computes in between; backward computes that again.

    Args:
        function: gives one tensor or a tuple of tensors.
        args, kwargs: its arguments; gradients flow to tensors among args, and to parameters that it uses.
        use_reentrant, context_fn, determinism_check, debug, early_stop, preserve_rng_state: accepted. The graph is computed
            again, not the Python, and with the same random numbers.
    """
    result = function(*args, **kwargs)
    outputs = [result] if isinstance(result, Tensor) else list(result)
    if not mode.gradients or not any(o._requires_grad for o in outputs):
        return result
    wrapped = [wrap(_recomputed(o.node), o._requires_grad) for o in outputs]
    return wrapped[0] if isinstance(result, Tensor) else type(result)(wrapped)


def _recomputed(output: Node) -> Node:
    """The output, whose gradient is taken through a second copy of the graph that starts only then."""
    order = topological([output], stop=lambda n: n.op == "detach" or n in leaves)
    sources = [n for n in order if not n.inputs or n.op == "detach" or n in leaves]

    def rule(g: Node) -> list[Node | None]:
        copies = {s: barrier(s, g) for s in sources}
        for node in order:
            if node not in copies:
                copies[node] = with_inputs(node, tuple([copies[i] for i in node.inputs]))
        return autodiff.gradient([copies[output]], [g], [copies[s] for s in sources])

    return with_gradient(output, sources, rule)


class GradientFunction:
    """What a tensor's `grad_fn` shows: the operation that made it."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def name(self) -> str:
        """As `MulBackward`."""
        return "".join(part.capitalize() for part in self.node.op.split("_")) + "Backward"

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def _grad_fn(self: Tensor) -> GradientFunction | None:
    """The operation that made this tensor, where it records gradients; None for leaves."""
    return None if self.is_leaf else GradientFunction(self._node)


def install() -> None:
    """Give Tensor the methods that are defined here."""
    Tensor.retain_grad = retain_grad  # type: ignore[attr-defined]
    Tensor.register_hook = register_hook  # type: ignore[attr-defined]
    Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore[attr-defined]
    Tensor.grad_fn = property(_grad_fn)  # type: ignore[attr-defined]
