"""The define-by-run Tensor: operations check shapes at once and record nodes; values are computed when somebody looks.

The methods that are plain operations are generated from the table of public functions (`generate.py`), operators are in
`operators.py`, differentiation in `autograd.py`, writing in place and aliasing in `views.py`.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import ArgumentTypeError, DTypeError, GradientError, ShapeError, TraceError
from onegraph.frontend.aliasing import Storage, View, same_node
from onegraph.frontend.arrays import array_from_data
from onegraph.frontend.device import Device, Size
from onegraph.frontend.state import former_leaves, leaves, mode, no_grad, take_waiting, wait_for
from onegraph.frontend.values import Values
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import (
    DType,
    as_dtype,
    get_default_dtype,
)
from onegraph.ir.node import EMPTY, Node
from onegraph.ops.cast import cast
from onegraph.ops.custom import with_gradient
from onegraph.ops.elementwise import DETACH
from onegraph.ops.movement import full
from onegraph.ops.shapes import show
from onegraph.runtime.plan import current_backend
from onegraph.runtime.realize import HOW_TO_TRACE, NOT_TRACED, realize


class Tensor(Values):
    """An array of numbers that remembers how it was computed.

    Made by `onegraph.tensor`, `zeros`, `randn` and the like, and by operations on other tensors. Operations check
    shapes and dtypes at once and are computed when a value is looked at.

    >>> import onegraph as og
    >>> x = og.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x @ x).sum()
    tensor(54.)
    """

    # Class-level defaults keep the making of a tensor cheap.
    _requires_grad = False
    _view: View | None = None
    _storage: weakref.ref[Storage] | None = None
    _version = 0
    _freed = False
    _made_in: int | None = None  # the number of the trace that recorded it
    _retains_grad = False
    _hooks: dict[int, Callable[[Tensor], Tensor | None]] | None = None
    _after_gradient: dict[int, Callable[[Tensor], None]] | None = None
    _grad: Tensor | None = None
    name: str | None = None

    if TYPE_CHECKING:  # what generate.py, operators.py and convert.py add, as far as a type checker cares

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        """From values, as floats unless a dtype is given; from sizes, `Tensor(2, 3)`, with elements yet to be written.

        `onegraph.tensor` keeps the dtype of its values, and is what to use in new programs.
        """
        if all(type(d) is int for d in data):  # sizes
            self._node = full(data or (0,), 0, get_default_dtype() if dtype is None else as_dtype(dtype))
        elif len(data) > 1:
            raise ArgumentTypeError(f"Tensor: expected values or sizes, got {len(data)} arguments: {data!r:.60}")
        else:
            keep = dtype is not None or isinstance(data[0], Tensor)
            self._node = _node_from_data(data[0], dtype if keep else get_default_dtype())
        if mode.trace is not None:
            self._made_in = mode.trace.number_of_trace
        if requires_grad:
            self.requires_grad_(True)

    # ---- the node behind the tensor

    @property
    def node(self) -> Node:
        """The node that stands for the tensor's present value."""
        view = self._view
        if view is not None:
            base_node = view.base.node
            if view.version != view.base._version:
                node = view.function(base_node)
                base = view.base
                view.version = base._version
                leaf = self._requires_grad and leaves.get(self._node) is self
                if view.detached:
                    node = DETACH(node) if base._requires_grad else node
                elif (base._requires_grad or view.follows) and not leaf and node.dtype.is_floating_point:
                    self._requires_grad = base._requires_grad  # since it was made with gradients on
                if leaf:
                    self._become_leaf(node)
                elif self._hooks is not None:
                    from onegraph.frontend.autograd import hooked

                    self._node = hooked(node, self._hooks)
                else:
                    self._node = node
                self._version += 1  # views of this view follow
        return self._node

    @property
    def shape(self) -> Size:
        """The sizes.

        >>> import onegraph as og
        >>> og.zeros(2, 3).shape
        onegraph.Size([2, 3])
        """
        return Size(self._node.shape)  # type: ignore[arg-type]

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._node.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._node.shape)

    @property
    def device(self) -> Device:
        """Where the tensor is: the host's processor."""
        return Device("cpu")

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than by an operation that records gradients."""
        return not self._requires_grad or leaves.get(self._node) is self

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` computes a gradient for this tensor, or for something it was computed from."""
        if self._view is not None:
            self.node  # noqa: B018  a view follows its base
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has added up for this tensor, or None."""
        if mode.trace is not None:
            mode.trace.gradient_read(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise ArgumentTypeError(f"a gradient is a tensor or None, got {type(value).__name__}")
            if value._node.shape != self._node.shape:
                raise ShapeError(
                    f"a gradient of shape {show(value.shape)} was set for a tensor of shape {show(self.shape)}"
                )
        if mode.trace is not None:
            mode.trace.gradient_written(self)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or stop) collecting gradients for this tensor, in `.grad`.

        Raises:
            DTypeError: for integers and bools, which have no gradients.
            GradientError: when stopping at the result of an operation; use `detach()` there.
        """
        if requires_grad and not self.dtype.is_floating_point:
            raise DTypeError(
                f"only floating tensors can require gradients, this one is {self.dtype.name} {show(self.shape)}",
                hint="convert it first: x.float().requires_grad_()",
            )
        if bool(requires_grad) != self._requires_grad and mode.trace is not None:
            self._change_outside("requires_grad_()")
        if requires_grad and not self._requires_grad:
            self._become_leaf(self.node)
            self._requires_grad = True
            self._version += 1  # views are told
        elif not requires_grad and self._requires_grad:
            if not self.is_leaf:
                raise GradientError(
                    "this tensor is the result of an operation, so it cannot stop requiring gradients",
                    hint="use x.detach()",
                )
            leaves.pop(self._node, None)
            self._requires_grad = False
            self._version += 1
        return self

    def _change_outside(self, what: str) -> None:
        """Note a change to a tensor from outside of the trace that a plan cannot make."""
        trace = mode.trace
        if trace is not None and not trace.is_own(self):
            trace.written(self)
            trace.run_lazily(f"it calls {what} on a tensor from outside")

    def _become_leaf(self, node: Node) -> None:
        """Stand for a value from which no gradient flows on; a node of its own marks the tensor."""
        if leaves.get(self._node) is self:
            former_leaves[self._node] = leaves.pop(self._node)
        value = node.value
        if type(value) is Buffer and mode.trace is None:
            self._node = Node("input", (), EMPTY, node.shape, node.dtype, None, value)
        else:
            self._node = DETACH(node)
        leaves[self._node] = self

    def _assign(self, node: Node, requires_grad: bool = False) -> None:
        """Replace the tensor's value, as every in-place operation does, by one that may require gradients."""
        before = self._node
        if node.shape != before.shape:
            raise ShapeError(
                f"in-place: a result of shape {show(node.shape)} does not fit into a tensor of shape {show(before.shape)}"
            )
        node = cast(node, before.dtype)
        leaf = self._requires_grad and self.is_leaf
        if leaf and mode.gradients:
            raise GradientError(
                "a leaf tensor that requires gradients is written in place while gradients are recorded",
                hint="write it under `with og.no_grad():`",
            )
        if mode.trace is not None:
            mode.trace.seen(self)
            mode.trace.written(self)
        if requires_grad and not mode.gradients:
            node = DETACH(node)
        elif requires_grad and self.dtype.is_floating_point:
            self._requires_grad = True
        if self._view is not None:
            from onegraph.frontend.views import write_through

            write_through(self, node)
        self._replace(node, leaf)
        wait_for(self)

    def _replace(self, node: Node, leaf: bool) -> None:
        if leaf:
            self._become_leaf(node)
        elif self._requires_grad and self._view is None and not mode.gradients:
            self._node = with_gradient(node, [self._node], lambda g: [g])  # the value changes, its history does not
        else:
            self._node = node
        self._version += 1
        view = self._view
        if view is not None:
            # A view that was written under no_grad is a function of its base still.
            stale = self._requires_grad and not leaf and not mode.gradients and not view.detached
            view.version = -1 if stale else view.base._version
        if settings.eager:
            self._realize()

    def _settle(self) -> None:
        """Once the value is known, forget the graph that led to it, unless a gradient may still be asked for."""
        node = self._node
        if node.op == "constant" and type(node.value) is Buffer:  # shared by many: take a node of our own
            self._node = Node(
                "input", (), EMPTY, node.shape, node.dtype, None, Buffer(node.value.array.copy(), node.dtype)
            )
            return
        if not node.inputs or type(node.value) is not Buffer:
            return
        if self._requires_grad and leaves.get(node) is self:
            # The node itself, since a loss that was computed from it finds this tensor through it.
            node.op, node.inputs, node.attributes = "input", (), EMPTY
        elif not self._requires_grad or self._freed:
            self._node = Node("input", (), EMPTY, node.shape, node.dtype, None, node.value)
        view = self._view
        if view is not None and view.function is same_node and view.version == view.base._version:
            base = view.base
            if base._node.inputs and not base._requires_grad and base.dtype is self.dtype:
                base._node = Node("input", (), EMPTY, node.shape, node.dtype, None, node.value)

    # ---- values

    def _realize(self) -> Buffer:
        """Compute the value, together with everything else that waits."""
        if mode.trace is not None:
            mode.trace.looked(self)
        value = self.node.value
        if type(value) is not Buffer:
            realize_tensors([self])
            value = self._node.value
        return value  # type: ignore[no-any-return]

    def __hash__(self) -> int:
        return id(self)

    def _traced(self) -> bool:
        from onegraph.ir.traverse import topological

        return any(
            (n.op == "input" and n.value is None) or n.op == "dimension" or any(type(s) is Dim for s in n.shape)
            for n in topological([self.node], stop=lambda n: type(n.value) is Buffer)
        )

    # ---- differentiation

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to `.grad` of every tensor that it was computed from and that requires one.

        Args:
            gradient: gradient of this tensor, of its shape; not needed for a single element.
            retain_graph: allow another `backward` from this tensor (default: the value of create_graph).
            create_graph: record the gradients too, so that they can be differentiated again.
            inputs: only add to these tensors.
        """
        from onegraph.frontend.autograd import backward

        backward([self], [gradient], retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same value, through which no gradient flows. It shares storage: writing to one is seen in the other."""
        from onegraph.frontend.views import alias

        return alias(self)

    def detach_(self) -> Tensor:
        """Forget how the tensor was computed."""
        node = self.node
        if mode.trace is not None:
            self._change_outside("detach_()")
        leaves.pop(self._node, None)
        self._node = DETACH(node)
        self._requires_grad = False
        return self

    def _leave_storage(self) -> None:
        """Let views of this tensor keep what they show, and go on without it."""
        storage = self.storage_of_views()
        if storage is None:
            return
        left = Tensor.__new__(Tensor)
        left._node, left._requires_grad = self.node, self._requires_grad
        left._view, left._version, left._storage = self._view, self._version, self._storage
        storage.left_to, self._storage = left, None

    def storage_of_views(self) -> Storage | None:
        """What this tensor shares with its views, where it has any."""
        return None if self._storage is None else self._storage()

    @property
    def data(self) -> Tensor:
        """The tensor's storage without gradients; writing to it writes to the tensor."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        leaf = self._requires_grad and self.is_leaf
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"data is set to a tensor, got {type(value).__name__}")
        if mode.trace is not None:
            mode.trace.data_set(self, value)
        self._leave_storage()
        self._view = None
        with no_grad():
            self._replace(value.node, leaf)
        if leaf or not self._requires_grad:
            self._view = View(value, same_node, detached=True)
        wait_for(self)


_new = Tensor.__new__


def wrap(node: Node, requires_grad: bool) -> Tensor:
    """A tensor for the node that an operation gave."""
    tensor = _new(Tensor)
    if requires_grad and node.dtype.is_floating_point:
        if mode.gradients:
            tensor._requires_grad = True
        else:
            node = DETACH(node)
    tensor._node = node
    mode.recorded += 1
    if mode.trace is not None:
        tensor._made_in = mode.trace.number_of_trace
    elif settings.eager:
        realize_tensors([tensor])
    elif mode.recorded > settings.lazy_limit:
        realize_tensors([tensor])  # a loop that never looks at anything: keep its memory bounded
    return tensor


def realize_tensors(tensors: Sequence[Tensor]) -> None:
    """Compute tensors, and all that wait, in one plan; then let go of graphs that are no longer needed."""
    if mode.trace is not None:
        for tensor in tensors:
            if type(tensor.node.value) is not Buffer and tensor._traced():
                raise TraceError(NOT_TRACED, hint=HOW_TO_TRACE)
        realize([t.node for t in tensors])
        return
    waiting = take_waiting()
    try:
        _compute([*tensors, *waiting])
    except Exception:
        _compute_apart(tensors, waiting)
        raise
    except BaseException:  # interrupted: they wait again
        for tensor in waiting:
            wait_for(tensor)
        raise


def _compute(tensors: Sequence[Tensor]) -> None:
    realize([t.node for t in tensors])
    mode.recorded = 0
    for tensor in tensors:
        tensor._settle()


def _compute_apart(tensors: Sequence[Tensor], waiting: Sequence[Tensor]) -> None:
    """After an error, compute what is not touched by it; the rest fails again when it is looked at, and only then."""
    for group in (tensors, waiting):
        if group and waiting:
            with contextlib.suppress(Exception):
                _compute(group)


def tensor_from_array(array: np.ndarray[Any, Any], dtype: DType) -> Tensor:
    """A tensor that shares memory with an array in the host storage of its dtype."""
    tensor = wrap_buffer(current_backend().copy_in(array, dtype))
    if mode.trace is not None:
        mode.trace.made(tensor)
    return tensor


def tensor_of_copy(array: np.ndarray[Any, Any], dtype: DType) -> Tensor:
    """A tensor for an array among the operands: a copy, since what is written to the array later must not be seen."""
    return tensor_from_array(np.array(array), dtype)


def wrap_buffer(buffer: Buffer) -> Tensor:
    """A tensor with a value that is known."""
    tensor = _new(Tensor)
    tensor._node = Node("input", (), EMPTY, buffer.shape, buffer.dtype, None, buffer)
    return tensor


def _node_from_data(data: Any, dtype: Any) -> Node:
    if isinstance(data, Tensor):
        if mode.trace is not None:
            mode.trace.seen(data)
        node = data.node
        return DETACH(node) if dtype is None else cast(DETACH(node), as_dtype(dtype))
    array, kind = array_from_data(data, dtype)
    tensor = wrap_buffer(Buffer(array, kind))
    if mode.trace is not None:
        mode.trace.made(tensor)
    return tensor._node
