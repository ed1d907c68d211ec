"""The define-by-run Tensor: operations check shapes at once and record nodes; values are computed when somebody looks.

The methods that are plain operations are generated from the table of public functions (`generate.py`), operators are in
`operators.py`, differentiation in `autograd.py`, writing in place and aliasing in `views.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import onegraph.frontend.state as state
from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.errors import ArgumentTypeError, DTypeError, GradientError, ShapeError, TraceError
from onegraph.frontend.arrays import array_from_data
from onegraph.frontend.device import Device, Size
from onegraph.frontend.state import leaves, mode, take_waiting, wait_for
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import (
    DType,
    as_dtype,
    bfloat16,
    bfloat16_to_float32,
    get_default_dtype,
)
from onegraph.ir.node import EMPTY, Node
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import DETACH
from onegraph.ops.movement import full
from onegraph.ops.shapes import show
from onegraph.runtime.plan import current_backend
from onegraph.runtime.realize import HOW_TO_TRACE, NOT_TRACED, realize


class View:
    """How a tensor follows another: it is `function` of the base's node, and writing to it writes to the base."""

    __slots__ = ("base", "function", "version")

    def __init__(self, base: Tensor, function: Callable[[Node], Node]) -> None:
        self.base = base
        self.function = function
        self.version = base._version


class Tensor:
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
    _version = 0
    _freed = False
    _made_in: int | None = None  # the number of the trace that recorded it
    _retains_grad = False
    _hooks: dict[int, Callable[[Tensor], Tensor | None]] | None = None
    grad: Tensor | None = None
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
                self._node = view.function(base_node)
                view.version = view.base._version
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
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

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
        if requires_grad and not self._requires_grad:
            self._requires_grad = True
            self._become_leaf(self.node)
        elif not requires_grad and self._requires_grad:
            if not self.is_leaf:
                raise GradientError(
                    "this tensor is the result of an operation, so it cannot stop requiring gradients",
                    hint="use x.detach()",
                )
            leaves.pop(self._node, None)
            self._requires_grad = False
        return self

    def _become_leaf(self, node: Node) -> None:
        """Stand for a value from which no gradient flows on; a node of its own marks the tensor."""
        leaves.pop(self._node, None)
        value = node.value
        if type(value) is Buffer:
            self._node = Node("input", (), EMPTY, node.shape, node.dtype, None, value)
        else:
            self._node = DETACH(node)
        leaves[self._node] = self

    def _assign(self, node: Node) -> None:
        """Replace the tensor's value, as every in-place operation does."""
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
            mode.trace.written(self, before)
        if self._view is not None:
            from onegraph.frontend.views import write_through

            write_through(self, node)
        self._replace(node, leaf)
        wait_for(self)

    def _replace(self, node: Node, leaf: bool) -> None:
        if leaf:
            self._become_leaf(node)
        else:
            self._node = node
        self._version += 1
        if self._view is not None:
            self._view.version = self._view.base._version
        if settings.eager:
            self._realize()

    def _settle(self) -> None:
        """Once the value is known, forget the graph that led to it, unless a gradient may still be asked for."""
        node = self._node
        if node.op == "constant" and type(node.value) is Buffer:  # shared by many: take a node of our own
            self._node = Node("input", (), EMPTY, node.shape, node.dtype, None, Buffer(node.value.array.copy(), node.dtype))
            return
        if not node.inputs or type(node.value) is not Buffer:
            return
        if self._requires_grad and leaves.get(node) is self:
            # The node itself, since a loss that was computed from it finds this tensor through it.
            node.op, node.inputs, node.attributes = "input", (), EMPTY
        elif not self._requires_grad or self._freed:
            self._node = Node("input", (), EMPTY, node.shape, node.dtype, None, node.value)

    # ---- values

    def _realize(self) -> Buffer:
        """Compute the value, together with everything else that waits."""
        value = self.node.value
        if type(value) is not Buffer:
            realize_tensors([self])
            value = self._node.value
        return value  # type: ignore[no-any-return]

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The value as a NumPy array. It may share memory with the tensor, so it is read-only; copy it to write.

        Args:
            force: also for a tensor that requires gradients (as `detach().numpy()`).
        """
        if self._requires_grad and not force:
            raise GradientError(
                "numpy() of a tensor that requires gradients would lose them", hint="use x.detach().numpy()"
            )
        return self._array()

    def _array(self) -> np.ndarray[Any, Any]:
        """The value as a read-only array; bfloat16 as float32, since NumPy has no bfloat16."""
        buffer = self._realize()
        array = current_backend().copy_out(buffer)
        if buffer.dtype is bfloat16:
            return bfloat16_to_float32(array)
        array = array.view()
        array.flags.writeable = False
        return array

    def item(self) -> Any:
        """The value of a tensor with one element, as a Python number."""
        if self._node.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {show(self.shape)} has more than one element",
                hint="use tolist() or index it first",
            )
        return self._array().item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._array().tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return array.astype(dtype) if dtype is not None and array.dtype != dtype else array.copy() if copy else array

    def __dlpack__(self, **kwargs: Any) -> Any:
        array = self.numpy()
        return np.array(array).__dlpack__(**kwargs)  # a copy: NumPy exports only writable arrays

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __bool__(self) -> bool:
        if self._node.size != 1:
            raise ShapeError(
                f"the truth of a tensor of shape {show(self.shape)} is ambiguous", hint="use .any() or .all()"
            )
        return bool(self._array().item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point:
            raise ArgumentTypeError("only integer tensors of a single element can be used as an index")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._node.shape == () and spec else format(str(self), spec)

    def __len__(self) -> int:
        if not self._node.shape:
            raise ArgumentTypeError("a tensor without dimensions has no len()")
        return int(self._node.shape[0])

    def __iter__(self) -> Iterable[Tensor]:
        if not self._node.shape:
            raise ArgumentTypeError("a tensor without dimensions cannot be iterated")
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        if mode.trace is not None and self._traced():
            return f"tensor(<traced>, shape={show(self.shape)}, dtype={self.dtype})"
        from onegraph.frontend.printing import tensor_text

        return tensor_text(self)

    def _traced(self) -> bool:
        from onegraph.ir.traverse import topological

        return any(
            (n.op == "input" and n.value is None) or n.op == "dimension" or any(type(s) is Dim for s in n.shape)
            for n in topological([self.node], stop=lambda n: type(n.value) is Buffer)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GradientError(
                "only tensors made by the user can be deep-copied, not results of operations", hint="use x.detach()"
            )
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        extra = {
            k: v for k, v in self.__dict__.items() if k not in ("_node", "_view", "_requires_grad", "grad", "_hooks")
        }
        copied.__dict__.update(extra)
        copied._node = Node("input", (), EMPTY, self.node.shape, self.dtype, None, self._realize())
        if self._requires_grad:
            copied.requires_grad_(True)
        if self.grad is not None:
            copied.grad = self.grad.__deepcopy__(memo)
        return copied

    def __reduce__(self) -> Any:
        return (_unpickle, (type(self), np.array(self._realize().array), self.dtype.name, self._requires_grad))

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
        leaves.pop(self._node, None)
        self._node = DETACH(node)
        self._requires_grad = False
        return self

    @property
    def data(self) -> Tensor:
        """The tensor's storage without gradients; writing to it writes to the tensor."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        leaf = self._requires_grad and self.is_leaf
        if mode.trace is not None:
            mode.trace.written(self, self._node)
        self._view = None
        self._replace(value.node, leaf)
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
    state.recorded += 1
    if mode.trace is not None:
        tensor._made_in = mode.trace.number_of_trace
    elif settings.eager:
        realize_tensors([tensor])
    elif state.recorded > settings.lazy_limit:
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
    everything = [*tensors, *take_waiting()]
    realize([t.node for t in everything])
    state.recorded = 0
    for tensor in everything:
        tensor._settle()


def tensor_from_array(array: np.ndarray[Any, Any], dtype: DType) -> Tensor:
    """A tensor that shares memory with an array in the host storage of its dtype."""
    return wrap_buffer(current_backend().copy_in(array, dtype))


def wrap_buffer(buffer: Buffer) -> Tensor:
    """A tensor with a value that is known."""
    tensor = _new(Tensor)
    tensor._node = Node("input", (), EMPTY, buffer.shape, buffer.dtype, None, buffer)
    return tensor


def _node_from_data(data: Any, dtype: Any) -> Node:
    if isinstance(data, Tensor):
        node = data.node
        return DETACH(node) if dtype is None else cast(DETACH(node), as_dtype(dtype))
    array, kind = array_from_data(data, dtype)
    return wrap_buffer(Buffer(array, kind))._node


def _unpickle(kind: type[Tensor], array: np.ndarray[Any, Any], dtype: str, requires_grad: bool) -> Tensor:
    tensor = kind.__new__(kind)
    tensor._node = wrap_buffer(Buffer(array, as_dtype(dtype)))._node
    if requires_grad:
        tensor.requires_grad_(True)
    return tensor
