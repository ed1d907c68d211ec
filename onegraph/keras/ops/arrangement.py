"""Operations that move elements: shapes, joining and splitting, picking and writing at places.

Read next: `creation.py`.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.ops.dispatch import KerasTensor, axes_of, convert, dtype_of, operation, tensors


def shape(x: Any) -> tuple[Any, ...]:
    """The sizes of a tensor, as a tuple; None for sizes that are not known yet.

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    return tuple(x.shape) if isinstance(x, KerasTensor) else tuple(convert(x).shape)


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(shape(x))


def size(x: Any) -> Any:
    """The number of elements; None where sizes are not known yet."""
    sizes = shape(x)
    return None if None in sizes else int(np.prod(sizes, dtype=np.int64))


@operation
def reshape(x: Any, newshape: Any) -> Any:
    """The same elements in another shape, in which one size may be -1."""
    return convert(x).reshape(*([newshape] if isinstance(newshape, int) else newshape))


@operation
def ravel(x: Any) -> Any:
    """All elements in one dimension."""
    return convert(x).reshape(-1)


@operation
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Axes in another order, reversed if None."""
    x = convert(x)
    return x.permute(*(reversed(range(x.ndim)) if axes is None else axes))


@operation
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    return convert(x).transpose(axis1, axis2)


@operation
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places."""
    return convert(x).movedim(source, destination)


@operation
def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of size 1 at the given places of the result."""
    x = convert(x)
    places = [axis] if isinstance(axis, int) else list(axis)
    rank = x.ndim + len(places)
    for place in sorted(axes_of(places, rank)):
        x = x.unsqueeze(place)
    return x


@operation
def squeeze(x: Any, axis: Any = None) -> Any:
    """Axes of size 1 taken out: the given ones, or all."""
    x = convert(x)
    if axis is None:
        return x.squeeze()
    for a in axes_of(axis, x.ndim):
        if x.shape[a] != 1:
            raise ArgumentError(f"squeeze: axis {a} of shape {tuple(x.shape)} has size {x.shape[a]}, not 1")
    for a in sorted(axes_of(axis, x.ndim), reverse=True):
        x = x.squeeze(a)
    return x


@operation
def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Repeated along axes of size 1 to a shape."""
    return convert(x).broadcast_to(tuple(shape))


@operation
def concatenate(xs: Any, axis: int = 0) -> Any:
    """Tensors joined along an axis that they have.

    >>> concatenate([[1, 2], [3]])
    tensor([1, 2, 3], dtype=onegraph.int32)
    """
    return EXPORTS["cat"]([convert(x) for x in xs], axis)


@operation
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """Two tensors joined along an axis; both flat if None."""
    a, b = tensors(x1, x2)
    return concatenate([a.reshape(-1), b.reshape(-1)]) if axis is None else concatenate([a, b], axis)


@operation
def stack(x: Any, axis: int = 0) -> Any:
    """Tensors of one shape joined along a new axis."""
    return EXPORTS["stack"]([convert(v) for v in x], axis)


@operation
def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The list of tensors along an axis."""
    return list(convert(x).unbind(axis))


@operation
def vstack(xs: Any) -> Any:
    """Rows joined."""
    return EXPORTS["vstack"]([convert(x) for x in xs])


@operation
def hstack(xs: Any) -> Any:
    """Columns joined."""
    return EXPORTS["hstack"]([convert(x) for x in xs])


@operation
def dstack(xs: Any) -> Any:
    """Joined along the third axis."""
    return EXPORTS["dstack"]([convert(x) for x in xs])


@operation
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Pieces along an axis: so many nearly equal ones, or cut at places."""
    return list(EXPORTS["tensor_split"](convert(x), indices_or_sections, axis))


@operation
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Pieces along an axis: so many equal ones, or cut at places.

    Raises:
        ArgumentError: the size cannot be divided into so many.
    """
    x = convert(x)
    if isinstance(indices_or_sections, int) and x.shape[axis] % indices_or_sections:
        raise ArgumentError(
            f"split: size {x.shape[axis]} of axis {axis} cannot be divided into {indices_or_sections} equal parts"
        )
    return array_split(x, indices_or_sections, axis)


@operation
def vsplit(x: Any, indices_or_sections: Any) -> Any:
    """`split` along the first axis."""
    return split(x, indices_or_sections, 0)


@operation
def hsplit(x: Any, indices_or_sections: Any) -> Any:
    """`split` along the second axis (the first of a vector)."""
    return split(x, indices_or_sections, 1 if ndim(x) > 1 else 0)


@operation
def dsplit(x: Any, indices_or_sections: Any) -> Any:
    """`split` along the third axis."""
    return split(x, indices_or_sections, 2)


@operation
def tile(x: Any, repeats: Any) -> Any:
    """The whole repeated along axes."""
    return convert(x).tile(*([repeats] if isinstance(repeats, int) else repeats))


@operation
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element repeated along an axis (of the flat tensor if None)."""
    x = convert(x)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    if not isinstance(repeats, int):
        counts = np.broadcast_to(np.asarray(repeats), x.shape[axis])
        return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)
    return x.repeat_interleave(repeats, axis)


@operation
def flip(x: Any, axis: Any = None) -> Any:
    """Axes (all if None) in reverse."""
    x = convert(x)
    return x.flip(*axes_of(axis, x.ndim))


@operation
def fliplr(x: Any) -> Any:
    """The second axis in reverse."""
    return flip(x, 1)


@operation
def flipud(x: Any) -> Any:
    """The first axis in reverse."""
    return flip(x, 0)


@operation
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Elements moved along axes; what leaves at one end comes in at the other."""
    return convert(x).roll(shift, axis)


@operation
def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turned k times by 90 degrees in the plane of two axes."""
    return convert(array).rot90(k, tuple(axes))


_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "replicate",
    "wrap": "circular",
    "symmetric": "symmetric",
}


@operation
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """More elements before and behind, along each axis.

    Args:
        pad_width: a number, a pair for all axes, or a pair for each.
        mode: 'constant', 'reflect', 'symmetric', 'edge' or 'wrap'.
        constant_values: for mode 'constant'; 0 if None.
    """
    x = convert(x)
    if mode not in _MODES:
        raise ArgumentError(f"pad: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    if isinstance(pad_width, int):
        pad_width = (pad_width, pad_width)
    if all(isinstance(p, int) for p in pad_width):
        pad_width = [tuple(pad_width) if len(pad_width) == 2 else (pad_width[0],) * 2] * x.ndim
    widths = list(pad_width) * (x.ndim if len(pad_width) == 1 else 1)
    if mode == "constant":
        flat = [n for before, behind in reversed(widths) for n in (before, behind)]
        return EXPORTS["constant_pad_nd"](x, flat, 0 if constant_values is None else constant_values)
    for axis, (before, behind) in enumerate(widths):
        if before or behind:
            x = take(x, np.pad(np.arange(x.shape[axis]), (before, behind), mode=mode), axis)  # type: ignore[call-overload]
    return x


@operation
def diag(x: Any, k: int = 0) -> Any:
    """A matrix with a vector on its kth diagonal, or the kth diagonal of a matrix."""
    return EXPORTS["diag"](convert(x), k)


@operation
def diagflat(x: Any, k: int = 0) -> Any:
    """A matrix with all elements of x on its kth diagonal."""
    return EXPORTS["diagflat"](convert(x), k)


@operation
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis."""
    return EXPORTS["diagonal"](convert(x), offset, axis1, axis2)


@operation
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal of two axes."""
    return diagonal(x, offset, axis1, axis2).sum(-1)


@operation
def tril(x: Any, k: int = 0) -> Any:
    """0 above the kth diagonal."""
    return convert(x).tril(k)


@operation
def triu(x: Any, k: int = 0) -> Any:
    """0 below the kth diagonal."""
    return convert(x).triu(k)


@operation
def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Coordinates of a grid from those along its axes."""
    return list(EXPORTS["meshgrid"](*[convert(v) for v in x], indexing=indexing))


# ---- picking and writing


@operation
def get_item(x: Any, key: Any) -> Any:
    """x[key]."""
    return convert(x)[key]


@operation
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements (or slices along an axis) with some numbers; the flat tensor's if None.

    >>> take([10.0, 20.0, 30.0], [2, 0])
    tensor([30., 10.])
    """
    x, places = convert(x), convert(indices).long()
    if axis is None:
        x, axis = x.reshape(-1), 0
    (axis,) = axes_of(axis, x.ndim)
    count = x.shape[axis]
    places = EXPORTS["where"](places < 0, places + count, places)
    found = x.index_select(axis, places.reshape(-1))
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


@operation
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """For each place of `indices` the element with that number along an axis."""
    x, places = convert(x), convert(indices).long()
    if axis is None:
        return x.reshape(-1).gather(0, places.reshape(-1))
    sizes = [
        s if i in axes_of(axis, x.ndim) else builtins.max(s, t)
        for i, (s, t) in enumerate(zip(places.shape, x.shape, strict=True))
    ]
    return x.gather(axis, EXPORTS["where"](places < 0, places + x.shape[axis], places).expand(*sizes))


@operation
def nonzero(x: Any) -> Any:
    """The places that are not 0, as a tuple of one tensor for each axis. Looks at the values."""
    return tuple(convert(a.astype(np.int32)) for a in np.nonzero(convert(x).detach().numpy()))


@operation
def argwhere(x: Any) -> Any:
    """The places that are not 0, one a row. Looks at the values."""
    return convert(np.argwhere(convert(x).detach().numpy()).astype(np.int32))


@operation
def unravel_index(indices: Any, shape: Sequence[int]) -> Any:
    """From numbers in the flat tensor to a number along each axis."""
    rest, found = convert(indices), []
    for count in reversed(list(shape)):
        found.append(rest % count)
        rest = rest // count
    return tuple(reversed(found))


@operation
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """A block of a shape that starts somewhere; a size of -1 takes all that is left."""
    inputs = convert(inputs)
    for axis, (start, count) in enumerate(zip(_whole(start_indices), _whole(shape), strict=True)):
        inputs = inputs.narrow(axis, start, inputs.shape[axis] - start if count == -1 else count)
    return inputs


def _whole(values: Any) -> list[int]:
    return [int(v) for v in values]


@operation
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """A copy in which a block that starts somewhere has other values."""
    inputs, updates = convert(inputs), convert(updates)
    places = tuple(
        builtins.slice(start, start + count) for start, count in zip(_whole(start_indices), updates.shape, strict=True)
    )
    result = inputs.clone()
    result[places] = updates.to(inputs.dtype)
    return result


@operation
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Any:
    """Zeros of a shape, with values added at places: the last axis of `indices` holds a number for each leading axis."""
    values = convert(values)
    return scatter_update(EXPORTS["zeros"](*shape, dtype=values.dtype), indices, values, "add")


@operation
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """A copy with other values at places: the last axis of `indices` holds a number for each leading axis.

    Args:
        reduction: None to overwrite; or 'add', 'mul', 'max', 'min' of the old value and the new ones.
    """
    inputs, places, updates = convert(inputs), convert(indices).long(), convert(updates)
    depth = places.shape[-1]
    lead, rest = inputs.shape[:depth], inputs.shape[depth:]
    number = places[..., 0] * 0
    for i, count in enumerate(lead):
        number = number * count + EXPORTS["where"](places[..., i] < 0, places[..., i] + count, places[..., i])
    flat = inputs.reshape(-1, *rest)
    number = number.reshape(-1)
    values = updates.to(inputs.dtype).broadcast_to((*places.shape[:-1], *rest)).reshape(-1, *rest)
    if reduction is None:
        return flat.index_copy(0, number, values).reshape(*inputs.shape)
    if reduction == "add":
        return flat.index_add(0, number, values).reshape(*inputs.shape)
    kind = {"mul": "prod", "max": "amax", "min": "amin"}.get(reduction)
    if kind is None:
        raise ArgumentError(f"scatter_update: reduction must be None, 'add', 'mul', 'max' or 'min', got {reduction!r}")
    return flat.index_reduce(0, number, values, kind).reshape(*inputs.shape)


@operation
def view(x: Any, dtype: Any = None) -> Any:
    """The same bytes as numbers of another dtype. Looks at the values."""
    x = convert(x)
    return x if dtype is None else convert(x.detach().numpy().view(dtype_of(dtype).name))


@operation
def copy(x: Any) -> Any:
    """A copy."""
    return convert(x).clone()


@operation
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes split, ordered and joined by a pattern such as 'b h w (heads d) -> b heads (h w) d'.

    Args:
        pattern: names of axes before and after an arrow; parentheses join several into one.
        axes_lengths: sizes of axes that the shape does not tell.
    """
    tensor = convert(tensor)
    before, after = (_groups(side) for side in pattern.split("->"))
    if len(before) != tensor.ndim:
        raise ArgumentError(f"rearrange: {pattern!r} names {len(before)} axes, the tensor has {tensor.ndim}")
    lengths = dict(axes_lengths)
    for group, count in zip(before, tensor.shape, strict=True):
        known = int(np.prod([lengths[n] for n in group if n in lengths], dtype=np.int64))
        unknown = [n for n in group if n not in lengths]
        if len(unknown) > 1 or count % known or (not unknown and known != count):
            raise ArgumentError(f"rearrange: axis ({' '.join(group)}) of size {count} does not follow from {lengths}")
        lengths.update(dict.fromkeys(unknown, count // known))
    names = [n for group in before for n in group]
    order = [n for group in after for n in group]
    if sorted(names) != sorted(order):
        raise ArgumentError(f"rearrange: both sides of {pattern!r} must name the same axes")
    flat = tensor.reshape(*[lengths[n] for n in names]).permute(*[names.index(n) for n in order])
    return flat.reshape(*[int(np.prod([lengths[n] for n in g], dtype=np.int64)) for g in after])


def _groups(side: str) -> list[list[str]]:
    groups: list[list[str]] = []
    inside = False
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word in "()":
            inside = word == "("
            if inside:
                groups.append([])
        elif inside:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups
