"""Pruning: parameters of which a mask sets some elements to 0, chosen at random, by size, or by the user.

A pruned parameter `weight` becomes `weight_orig`, a parameter, times `weight_mask`, a buffer, before each call. Read next:
`parametrize.py` (a newer way of computing parameters).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.random import rand
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.module import Module
from onegraph.nn.utils.parametrizations import weight_of
from onegraph.ops.shapes import show


def _mask(array: Any, like: Tensor) -> Tensor:
    return Tensor(np.ascontiguousarray(array), dtype=like.dtype)


def _number_to_prune(amount: float, size: int, what: str) -> int:
    """How many of so many, from a number or a fraction."""
    if isinstance(amount, bool) or not isinstance(amount, (Integral, float)):
        raise ArgumentTypeError(f"prune: amount must be a number, got {type(amount).__name__}")
    if (isinstance(amount, Integral) and amount < 0) or (isinstance(amount, float) and not 0 <= amount <= 1):
        raise ArgumentError(f"prune: amount must be a fraction from 0 to 1 or a number of at least 0, got {amount}")
    count = int(amount) if isinstance(amount, Integral) else round(amount * size)
    if count > size:
        raise ArgumentError(f"prune: {count} {what} cannot be pruned, there are {size}")
    return count


class BasePruningMethod(ABC):
    """A way of choosing what is pruned, and the hook that prunes before each call.

    Attributes:
        PRUNING_TYPE: 'unstructured' (elements), 'structured' (slices along a dimension) or 'global'.
    """

    PRUNING_TYPE: ClassVar[str] = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, 0 for what is pruned, that goes on top of an earlier one.

        Args:
            t: importance of each element.
            default_mask: the earlier one.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times the mask."""
        mask, original = getattr(module, f"{self._tensor_name}_mask"), getattr(module, f"{self._tensor_name}_orig")
        return mask.to(original.dtype) * original  # type: ignore[no-any-return]

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter, and keep it pruned.

        Args:
            module: changed in place.
            name: of the parameter.
            args, kwargs: of this way of pruning.
            importance_scores: shaped as the parameter: by which elements are chosen; the parameter when None.
        """
        weight_of(module, name)
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        earlier = [
            (number, hook)
            for number, hook in module._forward_pre_hooks.items()
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name
        ]
        tensor = getattr(module, name)
        scores = tensor if importance_scores is None else importance_scores
        if tuple(scores.shape) != tuple(tensor.shape):
            raise ShapeError(f"prune: importance_scores {show(scores.shape)} must have the shape {show(tensor.shape)}")
        if earlier:
            number, before = earlier[0]
            del module._forward_pre_hooks[number]
            container = PruningContainer(before)
            container.add_pruning_method(method)
            default = getattr(module, f"{name}_mask")
            method = container
        else:
            default = namespaces[""]["ones_like"](tensor.detach())
            original = module._parameters.pop(name)
            module.register_parameter(f"{name}_orig", original)
        with no_grad():
            mask = method.compute_mask(scores.detach(), default)
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A pruned tensor, without a module."""
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise ShapeError(
                f"prune: importance_scores {show(importance_scores.shape)} must have the shape {show(t.shape)}"
            )
        default = namespaces[""]["ones_like"](t) if default_mask is None else default_mask
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, default)

    def remove(self, module: Module) -> None:
        """Make the pruned parameter a usual one, with its zeros."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        delattr(module, name)
        original = module._parameters.pop(f"{name}_orig")
        with no_grad():
            original.copy_(weight.detach())
        del module._buffers[f"{name}_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several ways of pruning one parameter, each on what the ones before left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        given = args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args
        for method in given:
            if not self._pruning_methods:
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Add one, of the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise ArgumentTypeError(f"prune: expected a pruning method, got {type(method).__name__}")
        if method._tensor_name != self._tensor_name:
            raise ArgumentError(f"prune: methods of {self._tensor_name!r} and of {method._tensor_name!r} do not mix")
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The newest method's mask of what is left, on top of the earlier one."""
        method, kept = self._pruning_methods[-1], np.array(default_mask.numpy())
        if method.PRUNING_TYPE == "structured":
            dim = method.dim % t.ndim  # type: ignore[attr-defined]
            others = tuple(d for d in range(t.ndim) if d != dim)
            slices = [slice(None)] * t.ndim
            slices[dim] = kept.sum(others) != 0  # type: ignore[call-overload]
            place: Any = tuple(slices)
        else:
            place = np.ones_like(kept, bool) if method.PRUNING_TYPE == "global" else kept == 1
        part = t.numpy()[place]
        found = method.compute_mask(_mask(part, t), _mask(kept[place], t)).numpy()
        kept[place] = found
        return _mask(kept, t)


class Identity(BasePruningMethod):
    """Prunes nothing, but has a mask."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The earlier mask."""
        return default_mask


class _ByScore(BasePruningMethod):
    """Elements with the lowest scores."""

    def __init__(self, amount: float) -> None:
        _number_to_prune(amount, 2**62, "elements")
        self.amount = amount

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """0 for the elements with the lowest scores."""
        size = int(t.shape.numel())
        count = _number_to_prune(self.amount, size, "elements")
        mask = np.array(default_mask.numpy())
        if count:
            lowest = np.argsort(self._scores(t).reshape(-1), kind="stable")[:count]
            mask.reshape(-1)[lowest] = 0
        return _mask(mask, default_mask)


class RandomUnstructured(_ByScore):
    """Elements chosen at random.

    Args:
        amount: how many, or which fraction.
    """

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        return np.array(rand(*t.shape).numpy())


class L1Unstructured(_ByScore):
    """The elements of least magnitude.

    Args:
        amount: how many, or which fraction.
    """

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        return np.abs(t.detach().numpy())


class _Structured(BasePruningMethod):
    """Slices along a dimension, those with the lowest scores."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _number_to_prune(amount, 2**62, "slices")
        self.amount, self.dim = amount, dim

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """0 for the slices with the lowest scores."""
        if t.ndim < 2:
            raise ShapeError(f"prune: slices need at least two dimensions, got {show(t.shape)}")
        if not -t.ndim <= self.dim < t.ndim:
            raise ArgumentError(f"prune: dim {self.dim} is none of {t.ndim} dimensions")
        dim = self.dim % t.ndim
        count = _number_to_prune(self.amount, t.shape[dim], "slices")
        mask = np.array(default_mask.numpy())
        place: list[Any] = [slice(None)] * t.ndim
        place[dim] = np.argsort(self._scores(t), kind="stable")[:count]
        mask[tuple(place)] = 0
        return _mask(mask, default_mask)


class RandomStructured(_Structured):
    """Slices along a dimension, chosen at random.

    Args:
        amount: how many, or which fraction.
        dim: the dimension.
    """

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        return np.array(rand(t.shape[self.dim % t.ndim]).numpy())


class LnStructured(_Structured):
    """The slices along a dimension with the least norm.

    Args:
        amount: how many, or which fraction.
        n: of the norm; infinity for the largest magnitude.
        dim: the dimension.
    """

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Tensor) -> np.ndarray[Any, Any]:
        rows = np.moveaxis(t.detach().numpy(), self.dim, 0).reshape(t.shape[self.dim % t.ndim], -1)
        return np.linalg.norm(rows, None if self.n == "fro" else float(self.n), axis=1)


class CustomFromMask(BasePruningMethod):
    """What the user chose.

    Args:
        mask: 0 for what is pruned.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The user's mask on top of the earlier one."""
        if tuple(self.mask.shape) != tuple(default_mask.shape):
            raise ShapeError(f"prune: the mask {show(self.mask.shape)} must have the shape {show(default_mask.shape)}")
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """Give a parameter a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements of a parameter at random: so many, or a fraction."""
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prune the elements of least magnitude (or least score): so many, or a fraction.

    >>> import onegraph as og
    >>> layer = og.nn.utils.prune.l1_unstructured(og.nn.Linear(4, 2), "weight", amount=0.5)
    >>> (layer.weight == 0).sum().item(), list(layer.state_dict())
    (4, ['bias', 'weight_orig', 'weight_mask'])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices along a dimension at random: so many, or a fraction."""
    RandomStructured.apply(module, name, amount=amount, dim=dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the slices along a dimension with the least norm: so many, or a fraction.

    Source: Li et al., "Pruning filters for efficient ConvNets", 2017 (for n = 1).
    """
    LnStructured.apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)
    return module


def global_unstructured(
    parameters: Sequence[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune elements of several parameters by comparing all of them.

    Args:
        parameters: pairs of module and name.
        pruning_method: a class of an unstructured way, such as `L1Unstructured`.
        importance_scores: by pair; the parameters themselves where there are none.
        kwargs: of the pruning method, such as amount.
    """
    pairs = list(parameters)
    scores = importance_scores or {}
    flat = [scores.get((m, n), getattr(m, n)).detach().reshape(-1) for m, n in pairs]
    masks = [getattr(m, f"{n}_mask", None) for m, n in pairs]
    ones = [namespaces[""]["ones_like"](f) if k is None else k.reshape(-1) for f, k in zip(flat, masks, strict=True)]
    container = PruningContainer()
    container._tensor_name = "temp"
    method: Any = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise ArgumentTypeError(
            f"global_unstructured: needs an unstructured way of pruning, {pruning_method.__name__} is {method.PRUNING_TYPE}"
        )
    container.add_pruning_method(method)
    with no_grad():
        final = container.compute_mask(namespaces[""]["cat"](flat), namespaces[""]["cat"](ones))
    start = 0
    for (module, name), part in zip(pairs, flat, strict=True):
        size = int(part.shape.numel())
        custom_from_mask(module, name, final[start : start + size].reshape(*getattr(module, name).shape))
        start += size


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune a parameter with a mask, 0 for what is pruned."""
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter a usual one, with its zeros."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ArgumentError(f"prune: {name!r} of {type(module).__name__} is not pruned")


def is_pruned(module: Module) -> bool:
    """Whether anything in a module is pruned.

    >>> import onegraph as og
    >>> layer = og.nn.Linear(2, 2)
    >>> og.nn.utils.prune.is_pruned(layer), og.nn.utils.prune.is_pruned(og.nn.utils.prune.identity(layer, "bias"))
    (False, True)
    """
    return any(isinstance(hook, BasePruningMethod) for m in module.modules() for hook in m._forward_pre_hooks.values())
