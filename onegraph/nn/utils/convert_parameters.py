"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from onegraph.errors import ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.nodes import node_of
from onegraph.ops.cast import cast
from onegraph.ops.movement import reshape_to, slice_dim
from onegraph.ops.shapes import show


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """One vector with the elements of all parameters, through which gradients flow.

    >>> import onegraph as og
    >>> og.nn.utils.parameters_to_vector([og.zeros(2), og.ones(1, 2)])
    tensor([0., 0., 1., 1.])
    """
    vector: Tensor = namespaces[""]["cat"]([p.reshape(-1) for p in parameters])
    return vector


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into parameters."""
    tensors = list(parameters)
    count = sum(t.shape.numel() for t in tensors)
    if vec.ndim != 1 or vec.shape[0] != count:
        raise ShapeError(f"vector_to_parameters: the parameters have {count} elements, the vector is {show(vec.shape)}")
    start = 0
    with no_grad():
        for tensor in tensors:
            stop = start + tensor.shape.numel()
            part = reshape_to(slice_dim(node_of(vec), 0, start, stop), tensor.node.shape)
            tensor._assign(cast(part, tensor.dtype))
            start = stop
