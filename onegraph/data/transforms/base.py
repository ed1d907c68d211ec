"""`Transform`, what all transforms share, and those that hold others: `Compose`, `RandomApply` and so on.

A transform is called with an image, or with samples that hold images: `transform(image, label)` and
`transform({"image": image})` change the image and hand the rest on. Random ones draw from the stream of the
sample at hand (`onegraph/data/randomness.py`). Read next: `fixed.py`, `moving.py`, `coloring.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from onegraph.data.randomness import choice, happens, permutation, uniform
from onegraph.data.transforms.convert import normalized_bytes
from onegraph.data.transforms.kinds import is_image, is_pillow
from onegraph.errors import ArgumentError, ArgumentTypeError


class Transform:
    """Base of transforms: define `transform(image, params)` and, if it draws numbers, `make_params(flat_inputs)`.

    >>> import numpy as np
    >>> class Darker(Transform):
    ...     def transform(self, image, params):
    ...         return image // 2
    >>> Darker()(np.array([[[8, 4]]]), "label")
    (array([[[4, 2]]]), 'label')
    """

    def make_params(self, flat_inputs: list[Any]) -> Any:
        """What is drawn once for all images of a sample; `flat_inputs` has the first image first."""
        return None

    def transform(self, inpt: Any, params: Any) -> Any:
        """One image, changed."""
        raise NotImplementedError(f"{type(self).__name__} must define transform(image, params)")

    def forward(self, *inputs: Any) -> Any:
        """What a call does."""
        if len(inputs) == 1 and is_image(inputs[0]):
            return self.transform(inputs[0], self.make_params([inputs[0]]))
        if not inputs:
            raise ArgumentTypeError(f"{type(self).__name__}: called without an image")
        leaves = list(_leaves(inputs))
        chosen = _images(leaves)
        if not chosen:
            kinds = ", ".join(type(leaf).__name__ for leaf in leaves)
            raise ArgumentTypeError(
                f"{type(self).__name__}: no image among its inputs ({kinds}); a Pillow image, or an array or Tensor of "
                "shape (..., C, H, W) is one"
            )
        params = self.make_params([*chosen.values(), *(v for place, v in enumerate(leaves) if place not in chosen)])
        changed = [self.transform(leaf, params) if place in chosen else leaf for place, leaf in enumerate(leaves)]
        result = _rebuilt(inputs, iter(changed))
        return result if len(inputs) > 1 else result[0]

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)

    def __repr__(self) -> str:
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)}' for n in names if hasattr(self, n))})"


class RandomTransform(Transform):
    """Base of transforms that do something with probability `p`, and nothing otherwise."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(type(self).__name__, p)

    def forward(self, *inputs: Any) -> Any:
        if happens(self.p):
            return super().forward(*inputs)
        return inputs if len(inputs) > 1 else inputs[0]


def probability(name: str, p: Any) -> float:
    """A number from 0 to 1.

    Raises:
        ArgumentError: anything else.
    """
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p={p!r}: a probability from 0 to 1")
    return p


def _leaves(value: Any) -> Any:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    else:
        yield value


def _rebuilt(value: Any, leaves: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_rebuilt(part, leaves) for part in value))
    if isinstance(value, tuple | list):
        return type(value)([_rebuilt(part, leaves) for part in value])
    if isinstance(value, dict):
        return {name: _rebuilt(part, leaves) for name, part in value.items()}
    return next(leaves)


def _images(leaves: list[Any]) -> dict[int, Any]:
    """Which leaves are images: all of Pillow's, or else the first array or Tensor that can be one."""
    found = {place: leaf for place, leaf in enumerate(leaves) if is_pillow(leaf)}
    if found:
        return found
    for place, leaf in enumerate(leaves):
        if is_image(leaf):
            return {place: leaf}
    return {}


class Compose:
    """Transforms one after another.

    `ToTensor` followed by `Normalize` is done in one step for Pillow images of bytes, to the same bits.

    >>> Compose([abs, float])(-3)
    3.0
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        self.transforms = _list_of("Compose", transforms)

    def __call__(self, *inputs: Any) -> Any:
        from onegraph.data.transforms.fixed import Normalize, ToTensor

        values, place, count = inputs, 0, len(self.transforms)
        while place < count:
            transform = self.transforms[place]
            place += 1
            if type(transform) is ToTensor and place < count and len(values) == 1:
                following = self.transforms[place]
                if type(following) is Normalize and not following.inplace:
                    result = normalized_bytes(values[0], following.mean_tuple, following.std_tuple)
                    if result is not None:
                        values = (result,)
                        place += 1
                        continue
            result = transform(*values)
            values = result if len(inputs) > 1 else (result,)
        return values if len(inputs) > 1 else values[0]

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms)


class Lambda:
    """A function of yours as a transform. In worker processes that are not forked it must be importable by name.

    >>> Lambda(lambda image: image + 1)(1)
    2
    """

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        if not callable(lambd):
            raise ArgumentTypeError(f"Lambda: {lambd!r} cannot be called")
        self.lambd, self.types = lambd, types

    def __call__(self, *inputs: Any) -> Any:
        if len(inputs) == 1 and not self.types:
            return self.lambd(inputs[0])
        leaves = list(_leaves(inputs))
        wanted = self.types or (object,)
        changed = [self.lambd(leaf) if isinstance(leaf, wanted) else leaf for leaf in leaves]
        result = _rebuilt(inputs, iter(changed))
        return result if len(inputs) > 1 else result[0]

    def __repr__(self) -> str:
        return "Lambda()"


class RandomApply:
    """All of some transforms with probability `p`, or none of them.

    >>> RandomApply([abs], p=1.0)(-1), RandomApply([abs], p=0.0)(-1)
    (1, -1)
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: float = 0.5) -> None:
        self.transforms, self.p = _list_of("RandomApply", transforms), probability("RandomApply", p)

    def __call__(self, *inputs: Any) -> Any:
        if self.p <= uniform():
            return inputs if len(inputs) > 1 else inputs[0]
        return Compose(self.transforms)(*inputs)

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms, f"    p={self.p}")


class RandomChoice:
    """One of some transforms, each as likely as its weight in `p` says, all alike by default.

    >>> RandomChoice([abs, float], p=[1, 0])(-1)
    1
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        self.transforms = _list_of("RandomChoice", transforms)
        if p is not None and (
            not isinstance(p, Sequence) or len(p) != len(self.transforms) or min(p) < 0 or sum(p) <= 0
        ):
            raise ArgumentError(f"RandomChoice: p={p!r}: a weight >= 0 for each of {len(self.transforms)} transforms")
        self.p = p

    def __call__(self, *inputs: Any) -> Any:
        return self.transforms[choice(self.p or [1.0] * len(self.transforms))](*inputs)

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms) + f"(p={self.p})"


class RandomOrder:
    """All of some transforms, in a random order.

    >>> RandomOrder([abs, float])(-1)
    1.0
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        self.transforms = _list_of("RandomOrder", transforms)

    def __call__(self, *inputs: Any) -> Any:
        return Compose([self.transforms[place] for place in permutation(len(self.transforms))])(*inputs)

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms)


def _list_of(name: str, transforms: Any) -> list[Callable[..., Any]]:
    if not isinstance(transforms, Sequence) or not all(callable(transform) for transform in transforms):
        raise ArgumentTypeError(f"{name}: {transforms!r}: a list of transforms is needed")
    return list(transforms)


def _nested(name: str, transforms: list[Any], last: str = "") -> str:
    lines = [f"{name}(", *([last] if last else []), *(f"    {transform}" for transform in transforms), ")"]
    return "\n".join(lines)
