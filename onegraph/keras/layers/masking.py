"""Masks: which steps of a sequence are real. They travel with tensors, as in Keras, from the layer that makes them.

A mask is a bool tensor (batch, steps), true where a step counts. `Embedding(mask_zero=True)` and `Masking` make masks,
layers with `supports_masking` pass them on, recurrent layers, attention, pooling and losses use them.

Read next: `base.py`, where a call takes and sets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
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


def broadcast_to_rank(mask: Any, rank: int) -> Any:
    """A mask with dimensions of 1 behind, so that it has a rank."""
    for _ in range(rank - mask.ndim):
        mask = mask.unsqueeze(-1)
    return mask


def mask_weights(value: Any, sample_weight: Any, mean: bool = False) -> Any:
    """Sample weights of a loss or a metric for an output, with the mask that the output carries in them.

    Args:
        value: the output.
        sample_weight: None, or of the mask's shape or its first dimensions.
        mean: weigh steps that count so much more that the mean over all steps is the mean over those that count.

    >>> from onegraph import tensor
    >>> output = set_mask(tensor([[1.0, 2.0]]), tensor([[True, False]]))
    >>> mask_weights(output, None), mask_weights(output, None, mean=True)
    (tensor([[1., 0.]]), tensor([[2., 0.]]))
    """
    mask = get_mask(value)
    if mask is None:
        return sample_weight
    result = mask.to(value.dtype if value.dtype.is_floating_point else as_dtype("float32"))
    if mean:
        result = result * (mask.shape.numel() / result.sum().clamp(min=1.0))
    if sample_weight is None:
        return result
    if not isinstance(sample_weight, Tensor):
        from onegraph.frontend.convert import tensor

        sample_weight = tensor(sample_weight)
    if sample_weight.ndim > result.ndim and sample_weight.shape[-1] == 1:
        sample_weight = sample_weight.squeeze(-1)
    return result * broadcast_to_rank(sample_weight.to(result.dtype), result.ndim)


def as_mask(value: Any) -> Any:
    """A mask given by hand, as an array or a list, as a bool tensor."""
    if value is None or isinstance(value, (Tensor, Mapping)):
        return value.bool() if isinstance(value, Tensor) and value.dtype.name != "bool" else value
    from onegraph.frontend.convert import tensor

    return tensor(value).bool()
