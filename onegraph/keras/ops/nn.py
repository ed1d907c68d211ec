"""`keras.ops.nn`: activations, crossentropies, normalizations, attention. Read next: `spatial.py` (convolution, pooling)."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras import backend
from onegraph.keras.ops.dispatch import axes_of, convert, dtype_of, floating, operation
from onegraph.nn import functional as F

_where = EXPORTS["where"]


@operation
def relu(x: Any) -> Any:
    """max(x, 0).

    >>> relu([-1.0, 2.0])
    tensor([0., 2.])
    """
    return F.relu(convert(x))


@operation
def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return F.relu6(convert(x))


@operation
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return F.sigmoid(floating(x))


@operation
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x))."""
    return F.logsigmoid(floating(x))


@operation
def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return F.softplus(floating(x))


@operation
def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return F.softsign(floating(x))


@operation
def silu(x: Any) -> Any:
    """x sigmoid(x)."""
    return F.silu(floating(x))


@operation
def swish(x: Any) -> Any:
    """x sigmoid(x)."""
    return F.silu(floating(x))


@operation
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x above 0, negative_slope x below."""
    return F.leaky_relu(floating(x), negative_slope)


@operation
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha (e^x - 1) below."""
    return F.elu(floating(x), alpha)


@operation
def selu(x: Any) -> Any:
    """The scaled ELU of self-normalizing networks."""
    return F.selu(floating(x))


@operation
def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + min(0, alpha (e^(x / alpha) - 1))."""
    return F.celu(floating(x), alpha)


@operation
def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the normal distribution function of x; approximated by a hyperbolic tangent, unless told otherwise."""
    return F.gelu(floating(x), approximate="tanh" if approximate else "none")


@operation
def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis times the sigmoid of the second."""
    return F.glu(floating(x), axis)


@operation
def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6."""
    return F.hardsigmoid(floating(x))


@operation
def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x)."""
    return F.hardswish(floating(x))


@operation
def hard_swish(x: Any) -> Any:
    """x hard_sigmoid(x)."""
    return F.hardswish(floating(x))


@operation
def hard_tanh(x: Any) -> Any:
    """x limited to [-1, 1]."""
    return F.hardtanh(floating(x))


@operation
def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return F.tanhshrink(floating(x))


@operation
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x, and 0 where |x| is at most the threshold."""
    return F.hardshrink(floating(x), threshold)


@operation
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved toward 0 by the threshold."""
    return F.softshrink(floating(x), threshold)


@operation
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above the threshold, else another value."""
    x = floating(x)
    return _where(x > threshold, x, x * 0 + default_value)


@operation
def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x² + b)) / 2. Source: Barron, arXiv 2112.11687."""
    x = floating(x)
    return (x + (x * x + b).sqrt()) / 2


@operation
def sparse_plus(x: Any) -> Any:
    """0 up to -1, (x + 1)² / 4 up to 1, x above."""
    x = floating(x)
    return _where(x <= -1, x * 0, _where(x < 1, (x + 1) ** 2 / 4, x))


@operation
def sparse_sigmoid(x: Any) -> Any:
    """0 up to -1, (x + 1) / 2 up to 1, 1 above."""
    return ((floating(x) + 1) / 2).clamp(0, 1)


@operation
def softmax(x: Any, axis: Any = -1) -> Any:
    """Positive numbers that sum to 1 along one axis or several."""
    x = floating(x)
    if isinstance(axis, (tuple, list)) or axis is None:
        axes = axes_of(axis, x.ndim)
        shifted = (x - x.amax(axes, keepdim=True)).exp()
        return shifted / shifted.sum(axes, keepdim=True)
    return F.softmax(x, axis)


@operation
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """log(softmax(x))."""
    x = floating(x)
    if isinstance(axis, (tuple, list)) or axis is None:
        return x - x.logsumexp(axes_of(axis, x.ndim), keepdim=True)
    return F.log_softmax(x, axis)


@operation
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The nearest point of the probability simplex. Source: Martins and Astudillo, arXiv 1602.02068."""
    x = floating(x)
    z = x.movedim(axis, -1)
    ordered = z.sort(-1, descending=True)[0]
    sums = ordered.cumsum(-1)
    count = EXPORTS["arange"](1, z.shape[-1] + 1).to(z.dtype)
    support = 1 + count * ordered > sums
    size = support.to(z.dtype).sum(-1, keepdim=True)
    limit = ((_where(support, ordered, ordered * 0)).sum(-1, keepdim=True) - 1) / size
    return (z - limit).clamp(min=0).movedim(-1, axis)


# ---- classes


@operation
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """A 1 at each class number, else 0; numbers out of range give rows of 0.

    >>> one_hot([0, 2], 3)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    x = convert(x).long()
    classes = EXPORTS["arange"](num_classes)
    found = (x.unsqueeze(-1) == classes).to(dtype_of(dtype or backend.floatx()))
    return found if axis in (-1, x.ndim) else found.movedim(-1, axis)


@operation
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any
) -> Any:
    """A 1 at each of the class numbers along an axis."""
    count = kwargs.get("num_tokens", num_classes)
    if count is None:
        raise ArgumentError("multi_hot: give num_classes")
    hot = one_hot(inputs, count, -1, dtype)
    return hot.amax(-2) if hot.ndim > 1 and convert(inputs).ndim else hot


def _clipped(x: Any) -> Any:
    return x.clamp(backend.epsilon(), 1 - backend.epsilon())


@operation
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target log(output)) along an axis; outputs are normalized first."""
    target, output = floating(target), floating(output)
    if from_logits:
        return -(target * F.log_softmax(output, axis)).sum(axis)
    return -(target * _clipped(output / output.sum(axis, keepdim=True)).log()).sum(axis)


@operation
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(output of the target class) along an axis."""
    output, target = floating(output), convert(target).long()
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    scores = F.log_softmax(output, axis) if from_logits else _clipped(output / output.sum(axis, keepdim=True)).log()
    return -scores.gather(axis, target.unsqueeze(axis)).squeeze(axis)


@operation
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-target log(output) - (1 - target) log(1 - output), element by element."""
    target, output = floating(target), floating(output)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return F.binary_cross_entropy(_clipped(output), target, reduction="none")


@operation
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """Connectionist temporal classification, a number a sample. Source: Graves et al., ICML 2006.

    Args:
        target: class numbers, (batch, longest target).
        output: logits, (batch, time, classes).
        target_length, output_length: how many of each count, (batch,).
        mask_index: the class that stands for blank.
    """
    scores = F.log_softmax(floating(output), -1).transpose(0, 1)
    lengths = convert(output_length).long(), convert(target_length).long()
    return F.ctc_loss(scores, convert(target).long(), *lengths, blank=mask_index, reduction="none")


# ---- normalization


@operation
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with statistics given for an axis."""
    x = floating(x)
    (axis,) = axes_of(axis, x.ndim)
    sizes = [s if i == axis else 1 for i, s in enumerate(x.shape)]
    factor = (convert(variance) + epsilon).rsqrt()
    factor = factor if scale is None else factor * convert(scale)
    found = (x - convert(mean).reshape(*sizes)) * factor.reshape(*sizes)
    return found if offset is None else found + convert(offset).reshape(*sizes)


@operation
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any
) -> Any:
    """x with mean 0 and variance 1 over axes, times gamma, plus beta."""
    x = floating(x)
    axes = axes_of(axis, x.ndim)
    centered = x - x.mean(axes, keepdim=True)
    variance = (centered * centered).mean(axes, keepdim=True)
    found = centered * (variance + (backend.epsilon() if epsilon is None else epsilon)).rsqrt()
    sizes = [s if i in axes else 1 for i, s in enumerate(x.shape)]
    found = found if gamma is None else found * convert(gamma).reshape(*sizes)
    return found if beta is None else found + convert(beta).reshape(*sizes)


@operation
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """x divided by its root mean square over axes, times a scale."""
    x = floating(x)
    axes = axes_of(axis, x.ndim)
    found = x * ((x * x).mean(axes, keepdim=True) + (backend.epsilon() if epsilon is None else epsilon)).rsqrt()
    if scale is None:
        return found
    return found * convert(scale).reshape(*[s if i in axes else 1 for i, s in enumerate(x.shape)])


@operation
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Attention of queries to keys and values, each (batch, length, heads, size).

    Args:
        bias: added to the scores (batch, heads, queries, keys).
        mask: True where a query may see a key.
        scale: of the scores; 1 / sqrt(size) if None.
        is_causal: a query sees keys up to its own place only.
    """
    q, k, v = (floating(t).transpose(1, 2) for t in (query, key, value))
    if k.shape[1] != q.shape[1]:
        times = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)
    scores = (q @ k.transpose(-1, -2)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + convert(bias)
    if attn_logits_soft_cap is not None:
        scores = (scores / attn_logits_soft_cap).tanh() * attn_logits_soft_cap
    if is_causal:
        seen = EXPORTS["ones"](q.shape[-2], k.shape[-2]).tril() != 0
        scores = _where(seen, scores, scores * 0 - 1e9)
    if mask is not None:
        scores = _where(convert(mask, "bool"), scores, scores * 0 - 1e9)
    return (F.softmax(scores, -1) @ v).transpose(1, 2)


@operation
def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """The peak signal-to-noise ratio of two images, in decibels."""
    a, b = floating(x1), floating(x2)
    return 20 * convert(float(max_val)).log10() - 10 * ((a - b) ** 2).mean().log10()
