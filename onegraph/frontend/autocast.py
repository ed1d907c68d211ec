"""`og.autocast`: products in half precision, with PyTorch's rules for which operation computes in which dtype.

`generate.py` and `operators.py`, through which every operation on tensors goes, ask here how to cast arguments. The casts
are nodes like others: a trace keeps them, and gradients flow back through them in the dtypes that the forward pass used.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeAlias

from onegraph.errors import ArgumentTypeError
from onegraph.frontend.state import mode
from onegraph.ir.dtype import DType, as_dtype, bfloat16, float16, float32, float64
from onegraph.ir.node import Node
from onegraph.ops.cast import cast

Policy: TypeAlias = "Callable[[Sequence[Any], dict[str, Any], DType], DType | None]"
"""From arguments and the dtype of the context the dtype that floating arguments are cast to; None: they stay."""

_LOW = (
    "matmul mm bmm addmm addbmm baddbmm linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d "
    "prelu scaled_dot_product_attention multi_head_attention_forward chain_matmul multi_dot vecdot tensordot "
    "matrix_power affine_grid"
)
_FLOAT32 = (
    "prod trace quantile nanquantile cdist inverse inv cholesky cholesky_solve pinverse pinv qr svd svdvals eigh eigvalsh "
    "matrix_rank solve det slogdet logdet solve_triangular local_response_norm grid_sample max_unpool1d max_unpool2d "
    "max_unpool3d avg_pool3d max_pool3d max_pool3d_with_indices adaptive_avg_pool3d adaptive_max_pool3d mse_loss l1_loss "
    "smooth_l1_loss huber_loss nll_loss cross_entropy kl_div binary_cross_entropy binary_cross_entropy_with_logits "
    "poisson_nll_loss hinge_embedding_loss cosine_embedding_loss margin_ranking_loss soft_margin_loss triplet_margin_loss "
    "multi_margin_loss multilabel_margin_loss ctc_loss"
)
_WIDEST = ("cat", "stack", "index_copy", "multilabel_soft_margin_loss")


def _low(args: Sequence[Any], keywords: dict[str, Any], dtype: DType) -> DType | None:
    return dtype


def _float32(args: Sequence[Any], keywords: dict[str, Any], dtype: DType) -> DType | None:
    return float32


def _widest(args: Sequence[Any], keywords: dict[str, Any], dtype: DType) -> DType | None:
    found = [d for value in (*args, *keywords.values()) for d in _floating(value)]
    return None if float64 in found else float32 if float32 in found or len(set(found)) > 1 else None


def _several(args: Sequence[Any], keywords: dict[str, Any], dtype: DType) -> DType | None:
    """A product only where there are several operands."""
    return dtype if sum(len(list(_floating(a))) for a in args) > 1 else None


def _by_border(args: Sequence[Any], keywords: dict[str, Any], dtype: DType) -> DType | None:
    border = keywords.get("mode", args[2] if len(args) > 2 else "constant")
    return float32 if border in ("reflect", "replicate") else None


_POLICIES: dict[str, Policy] = {
    **dict.fromkeys(_LOW.split(), _low),
    **dict.fromkeys(_FLOAT32.split(), _float32),
    **dict.fromkeys(_WIDEST, _widest),
    "einsum": _several,
    "pad": _by_border,
}


def policy_of(names: Sequence[str]) -> Policy | None:
    """What an operation's arguments are cast to, by its names; None for operations that take them as they are."""
    return next((_POLICIES[n] for n in names if n in _POLICIES), None)


def _floating(value: Any) -> list[DType]:
    """The dtypes that may be cast among those of a value's nodes; float64 is never cast."""
    if isinstance(value, Node):
        return [value.dtype] if value.dtype.is_floating_point else []
    if isinstance(value, (list, tuple)):
        return [d for v in value for d in _floating(v)]
    return []


def _converted(value: Any, dtype: DType) -> Any:
    if isinstance(value, Node):
        ours = value.dtype
        return cast(value, dtype) if ours.is_floating_point and ours is not float64 else value
    if type(value) in (list, tuple) and any(isinstance(v, (Node, list, tuple)) for v in value):
        return type(value)([_converted(v, dtype) for v in value])
    return value


def cast_arguments(policy: Policy, args: list[Any], keywords: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of an operation as the present context wants them."""
    dtype = None if mode.autocast is None else policy(args, keywords, mode.autocast)
    if dtype is None:
        return args, keywords
    return [_converted(a, dtype) for a in args], {k: _converted(v, dtype) for k, v in keywords.items()}


class autocast(contextlib.ContextDecorator):
    """Within this context, or in a function that it decorates, products and convolutions compute in half precision.

    Parameters stay as they are and are cast where they are used; sums inside a product are float32. Losses, products
    over elements and what else needs it compute in float32; all other operations take what comes. These are PyTorch's
    rules for the CPU. Put the forward pass and the loss inside, `backward()` and the optimizer outside.

    Args:
        device_type: "cpu". Others are not there: a warning is given and nothing is cast.
        dtype: bfloat16 (the default) or float16, which needs its losses scaled.
        enabled: False: nothing is cast within this context.
        cache_enabled: casts of the same tensor are shared in any case; kept for PyTorch's sake.

    >>> import onegraph as og
    >>> x, w = og.ones(2, 3), og.ones(3, 4)
    >>> with og.autocast("cpu"):
    ...     y = x @ w
    ...     loss = og.nn.functional.mse_loss(y, og.zeros(2, 4))
    >>> y.dtype.name, loss.dtype.name
    ('bfloat16', 'float32')

    Source: Micikevicius et al., "Mixed Precision Training", 2018; Kalamkar et al., "A Study of BFLOAT16", 2019.
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ArgumentTypeError(
                f"autocast: device_type must be a string such as 'cpu', got {type(device_type).__name__}",
                hint="og.autocast('cpu', dtype=og.bfloat16)",
            )
        chosen = bfloat16 if dtype is None else as_dtype(dtype)
        if enabled and device_type.partition(":")[0] != "cpu":
            warnings.warn(f"autocast: there is no {device_type!r} here, so nothing is cast", stacklevel=2)
            enabled = False
        if enabled and chosen not in (bfloat16, float16):
            warnings.warn(f"autocast: {chosen.name} is not half precision, so nothing is cast", stacklevel=2)
            enabled = False
        self.device, self.fast_dtype = device_type, chosen
        self._enabled, self._cache_enabled = bool(enabled), cache_enabled is not False
        self._before: list[DType | None] = []

    def _recreate_cm(self) -> autocast:  # a decorated function may run in several threads at once
        again = copy.copy(self)
        again._before = []
        return again

    def __enter__(self) -> autocast:
        self._before.append(mode.autocast)
        mode.autocast = self.fast_dtype if self._enabled else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        mode.autocast = self._before.pop()


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """Whether operations are cast now.

    >>> import onegraph as og
    >>> og.is_autocast_enabled()
    False
    """
    return device_type == "cpu" and mode.autocast is not None


def get_autocast_dtype(device_type: str = "cpu") -> DType:
    """The dtype that products are cast to: that of the present context, or the default, bfloat16."""
    return mode.autocast or bfloat16


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` does something for a kind of device."""
    return device_type == "cpu"
