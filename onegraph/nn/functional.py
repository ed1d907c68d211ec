"""`torch.nn.functional`'s functions on tensors. Most are generated from the functions in `onegraph/ops`; here are
those that need state or randomness, and `inplace=True`.

Read next: `frontend/generate.py` (how the others are made).
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.generate import assign
from onegraph.frontend.random import default_generator
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, wrap
from onegraph.ir.node import Node
from onegraph.nn.functional_lookup import embedding, embedding_bag, linear_cross_entropy  # noqa: F401
from onegraph.nn.functional_pooling import (  # noqa: F401
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
    conv_tbc,
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from onegraph.nn.nodes import node_of
from onegraph.ops import dropout as drop
from onegraph.ops import normalization
from onegraph.ops import random as distributions
from onegraph.ops.binary import ADD, EQ, GT, MUL, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import WHERE, detach
from onegraph.ops.leaf import constant
from onegraph.ops.random import check_probability
from onegraph.ops.reduction import MAX
from onegraph.ops.shapes import show
from onegraph.ops.softmax import softmax as softmax_node

_generated = namespaces["nn.functional"]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"onegraph.nn.functional has no function {name!r}")


def _with_inplace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Write the result into the input when `inplace` is true."""
    position = list(inspect.signature(function).parameters).index("inplace")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if kwargs.get("inplace") or (len(args) > position and args[position]):
            return assign(args[0] if args else kwargs["input"], result)
        return result

    return call


def _install() -> None:
    """The generated functions, and the spellings with an underscore of those that can work in place."""
    for name, function in _generated.items():
        if name in globals():
            continue
        inplace = "inplace" in inspect.signature(function).parameters
        globals()[name] = _with_inplace(function) if inplace else function
        if inplace and f"{name}_" not in _generated:
            globals()[f"{name}_"] = functools.partial(globals()[name], inplace=True)


# ---- dropout


def _dropped(
    function: Callable[..., Node], op: str, input: Tensor, p: float, training: bool, inplace: bool, **options: Any
) -> Tensor:
    check_probability(op, p)
    if not training or p == 0:
        return input
    result = wrap(function(default_generator.next_key(), node_of(input), p, **options), input._requires_grad)
    return assign(input, result) if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element set to 0 with probability p, the others divided by 1 - p; the input itself when not training.

    Source: Srivastava et al., "Dropout", JMLR 2014.

    >>> import onegraph as og
    >>> _ = og.manual_seed(0)
    >>> sorted(set(og.nn.functional.dropout(og.ones(100), 0.5).tolist()))
    [0.0, 2.0]
    """
    return _dropped(drop.dropout, "dropout", input, p, training, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Each element set to SELU's limit with probability p, scaled to keep mean 0 and variance 1."""
    return _dropped(drop.alpha_dropout, "alpha_dropout", input, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """As `alpha_dropout`, for whole channels."""
    return _dropped(drop.feature_alpha_dropout, "feature_alpha_dropout", input, p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (batch, channels, length), or without batch, set to 0 with probability p."""
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: needs 2 or 3 dimensions, got {show(input.shape)}")
    return _dropped(drop.feature_dropout, "dropout1d", input, p, training, inplace, leading=input.ndim - 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (batch, channels, height, width) set to 0 with probability p."""
    if input.ndim not in (3, 4):
        warnings.warn(f"dropout2d: an input of {input.ndim} dimensions, where 3 or 4 are expected", stacklevel=2)
    return _dropped(drop.feature_dropout, "dropout2d", input, p, training, inplace, leading=2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (batch, channels, depth, height, width), or without batch, set to 0 with probability p."""
    if input.ndim not in (4, 5):
        raise ShapeError(f"dropout3d: needs 4 or 5 dimensions, got {show(input.shape)}")
    return _dropped(drop.feature_dropout, "dropout3d", input, p, training, inplace, leading=input.ndim - 3)


# ---- activations that draw numbers


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """x where positive, else a * x: a is drawn from [lower, upper] when training, and is their mean otherwise.

    Source: Xu et al., "Empirical evaluation of rectified activations", 2015.
    """
    if lower > upper:
        raise ArgumentError(f"rrelu: lower {lower} is larger than upper {upper}")
    x = node_of(input)
    if training:
        slope = distributions.uniform(default_generator.next_key(), x.shape, lower, upper, x.dtype)
    else:
        slope = constant((lower + upper) / 2, x.dtype)
    node = WHERE(GT(x, constant(0, x.dtype)), x, MUL(x, slope))
    result = wrap(node, input._requires_grad)
    return assign(input, result) if inplace else result


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu`, written into the input."""
    return rrelu(input, lower, upper, training, True)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of the Gumbel-softmax distribution: softmax((logits + noise) / tau).

    Args:
        logits: floating, of any shape.
        tau: temperature.
        hard: give a one-hot vector, whose gradient is that of the soft sample.
        eps: ignored, as in PyTorch.
        dim: along which the probabilities add up to 1.

    Source: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017.
    """
    x = node_of(logits)
    noise = distributions.gumbel(default_generator.next_key(), x.shape, x.dtype)
    soft = softmax_node(mul(ADD(x, noise), 1.0 / tau), dim)
    if hard:
        largest = MAX(soft, dims=(dim % len(x.shape),), keepdim=True)
        one_hot = cast(EQ(soft, largest), x.dtype)
        soft = ADD(sub(detach(one_hot), detach(soft)), soft)
    return wrap(soft, logits._requires_grad)


# ---- functions of functions


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin), with a distance of your own."""
    distance = distance_function or _generated["pairwise_distance"]
    needs_grad = any(t._requires_grad for t in (anchor, positive, negative))

    def on_nodes(a: Node, b: Node) -> Node:
        return node_of(distance(wrap(a, needs_grad), wrap(b, needs_grad)))

    result: Tensor = _generated["triplet_margin_with_distance_loss"](
        anchor, positive, negative, distance_function=on_nodes, margin=margin, swap=swap, reduction=reduction
    )
    return result


# ---- looking at values


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the place that each class number names, 0 elsewhere: int64 of shape (..., num_classes).

    Args:
        input: int64 class numbers.
        num_classes: -1 looks for the largest class, which computes the input.
    """
    if num_classes == -1:
        if input.shape.numel() == 0:
            raise ArgumentError(
                "one_hot: the number of classes cannot be found in an empty tensor", hint="pass num_classes"
            )
        num_classes = int(input.max().item()) + 1
    result: Tensor = _generated["one_hot"](input, num_classes)
    return result


# ---- normalization with running statistics


def _wrapped_statistics(
    function: Callable[..., Any],
    input: Tensor,
    running: tuple[Tensor | None, Tensor | None],
    affine: Any,
    *options: Any,
) -> Tensor:
    """Call a node function that gives the output and new running statistics, and store those."""
    tensors = (input, *running, *affine)
    nodes = [None if t is None else node_of(t) for t in tensors]
    momentum = node_of(options[1]) if isinstance(options[1], Tensor) else options[1]
    output, *new = function(*nodes, options[0], momentum, options[2])
    if options[0]:
        with no_grad():
            for tensor, node in zip(running, new, strict=True):
                if tensor is not None:
                    tensor._assign(node)
    return wrap(output, any(t is not None and t._requires_grad for t in tensors))


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel shifted and scaled to mean 0 and variance 1, then times weight plus bias.

    Args:
        input: (batch, channels, ...).
        running_mean, running_var: (channels,) or None; written in place when training.
        weight, bias: (channels,) or None.
        training: use mean and variance of the input rather than the running ones.
        momentum: how much the running statistics move towards those of the input; may be a tensor.
        eps: added to the variance.

    Source: Ioffe and Szegedy, "Batch normalization", 2015.
    """
    running = (running_mean, running_var)
    return _wrapped_statistics(
        normalization.batch_norm_with_statistics, input, running, (weight, bias), training, momentum, eps
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel of every sample shifted and scaled to mean 0 and variance 1; arguments as for `batch_norm`."""
    running = (running_mean, running_var)
    return _wrapped_statistics(
        normalization.instance_norm_with_statistics, input, running, (weight, bias), use_input_stats, momentum, eps
    )


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value; see `onegraph/ops/attention.py`."""
    random_key = default_generator.next_key() if dropout_p else None
    result: Tensor = _generated["scaled_dot_product_attention"](
        query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, dropout_key=random_key
    )
    return result


def attend(arguments: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
    """`multi_head_attention_forward` on arguments by name, with random numbers for what it drops."""
    drops = arguments["dropout_p"] and arguments["training"]
    check_probability("multi_head_attention", arguments["dropout_p"])
    key = default_generator.next_key() if drops else None
    result: tuple[Tensor, Tensor | None] = _generated["multi_head_attention_forward"](**arguments, dropout_key=key)
    return result


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Multi-head attention with all of its weights as arguments; see `onegraph/ops/multi_head.py`."""
    return attend(dict(locals()))


_install()
