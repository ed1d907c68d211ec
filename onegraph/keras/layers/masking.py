"""Masks: which steps of a sequence are real. They travel with tensors, as in Keras, from the layer that makes them.

A mask is a bool tensor (batch, steps), true where a step counts. `Embedding(mask_zero=True)` and `Masking` make masks,
layers with `supports_masking` pass them on, recurrent layers, attention, pooling and losses use them.

Read next: `base.py`, where a call takes and sets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras.layers.symbolic import flatten, map_structure


def get_mask(value: Any) -> Any:
    """The mask of a tensor, or None."""
    return getattr(value, "_keras_mask", None)


def set_mask(tensor: Any, mask: Any) -> Any:
    """Let a tensor carry a mask; gives the tensor."""
    if isinstance(tensor, Tensor):
        tensor._keras_mask = mask  # type: ignore[attr-defined]
    return tensor


def masks_of(value: Any) -> Any:
    """The masks of tensors, nested as they are; None when there is none."""
    if isinstance(value, Tensor):
        return get_mask(value)
    if not isinstance(value, (list, tuple, dict)):
        return None
    masks = map_structure(get_mask, value)
    return masks if any(m is not None for m in flatten(masks)) else None


def pass_masks(names: Sequence[str], accepted: Sequence[str], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Add the masks that arguments carry to the keyword arguments of a call, where it takes them and got none.

    Args:
        names: of the call's positional arguments.
        accepted: of its arguments that take masks: 'mask' for the first argument's, 'query_mask' for `query`'s.
        args, kwargs: of the call; kwargs is changed.
    """
    given = dict(zip(names, args, strict=False))
    for position, name in enumerate(names):
        value = given.get(name, kwargs.get(name))
        target = f"{name}_mask" if f"{name}_mask" in accepted or position else "mask"
        if value is None or target not in accepted or kwargs.get(target) is not None or target in given:
            continue
        mask = masks_of(value)
        if mask is not None:
            kwargs[target] = mask


def join(masks: Any) -> Any:
    """True where all masks are; those that are None do not count. None when all are."""
    found = [m for m in flatten(masks) if m is not None]
    result = found[0] if found else None
    for mask in found[1:]:
        result = result & mask
    return result


def broadcast_to_rank(mask: Any, rank: int) -> Any:
    """A mask with dimensions of 1 behind, so that it has a rank."""
    for _ in range(rank - mask.ndim):
        mask = mask.unsqueeze(-1)
    return mask


def apply_to_weights(weights: Any, mask: Any, shape: Any, dtype: Any) -> Any:
    """Sample weights of a loss for values of a shape, with a mask in them.

    Masked values count nothing, the others so much more that the mean over all values is the mean over those that
    count, as Keras has it.

    Args:
        weights: sample weights, or None.
        mask: bool, of the shape or of its first dimensions.
        shape: of the values that the weights belong to.
        dtype: of the values.
    """
    while mask.ndim > len(shape) and mask.shape[-1] == 1:
        mask = mask.squeeze(-1)
    mask = EXPORTS["broadcast_to"](broadcast_to_rank(mask, len(shape)), tuple(shape)).to(dtype)
    scaled = mask * (mask.shape.numel() / mask.sum().clamp(min=1e-7))
    if weights is None:
        return scaled
    return broadcast_to_rank(weights, len(shape)) * scaled


def as_mask(value: Any) -> Any:
    """A mask given by hand, as an array or a list, as a bool tensor."""
    if value is None or isinstance(value, (Tensor, Mapping)):
        return value.bool() if isinstance(value, Tensor) and value.dtype.name != "bool" else value
    from onegraph.frontend.convert import tensor

    return tensor(value).bool()
