"""The functions of Keras 1's and 2's `keras.backend`, as names of `keras.ops`. Read next: `graph.py`.

Most have the same name and meaning there; the others are written here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.keras import backend, ops, random
from onegraph.keras.layers.symbolic import KerasTensor
from onegraph.keras.ops.dispatch import convert, floating, image_format, operation
from onegraph.keras.variable import Variable
from onegraph.nn import functional as F

SAME = (
    "abs all any arange argmax argmin cast clip concatenate cos cumprod cumsum dtype equal exp expand_dims eye greater "
    "greater_equal less less_equal log logsumexp max maximum mean min minimum ndim not_equal ones ones_like prod reshape "
    "round shape sign sin softmax softplus softsign sqrt square squeeze stack std stop_gradient sum switch tanh tile "
    "transpose var zeros zeros_like sigmoid elu hard_sigmoid one_hot is_tensor"
)
globals().update({name: getattr(ops, name) for name in SAME.split() if name != "switch"})
pow = ops.power
permute_dimensions = ops.transpose


def int_shape(x: Any) -> tuple[Any, ...]:
    """The sizes of a tensor; None where not known yet."""
    return ops.shape(x)  # type: ignore[no-any-return]


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A tensor that can be written to."""
    return Variable(np.asarray(value), dtype=dtype or backend.floatx(), name=name)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor of a number or an array, broadcast to a shape."""
    found = convert(value, dtype or backend.floatx())
    return found if shape is None else found.broadcast_to(tuple(shape)).clone()


def zeros_variable(shape: Any) -> Variable:
    """A variable of zeros."""
    return Variable(np.zeros(shape, np.float32))


def is_keras_tensor(x: Any) -> bool:
    """Whether x stands for a tensor of a model."""
    return isinstance(x, KerasTensor)


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse: none is."""
    return False


def to_dense(tensor: Any) -> Any:
    """The tensor itself, as all are dense."""
    return tensor


def cast_to_floatx(x: Any) -> Any:
    """An array (or tensor) with `floatx()` elements."""
    return convert(x, backend.floatx()) if isinstance(x, Tensor) else np.asarray(x, backend.floatx())


def eval(x: Any) -> np.ndarray[Any, Any]:
    """The values of a tensor, as an array."""
    return ops.convert_to_numpy(x)  # type: ignore[no-any-return]


get_value = eval


def batch_get_value(tensors: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """The values of several tensors."""
    return [eval(t) for t in tensors]


def set_value(x: Any, value: Any) -> None:
    """Write into a variable."""
    x.assign(value)


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Write into several variables."""
    for x, value in tuples:
        x.assign(value)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(ops.shape(x), dtype=np.int64))


def get_session() -> Any:
    """Refused: there are no sessions here; functions compute at once, or are traced.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError("get_session: there are no sessions", hint="K.function, K.eval, or onegraph.static.Session")


# ---- products and shapes


@operation
def dot(x: Any, y: Any) -> Any:
    """Sums of products over x's last axis and y's last but one."""
    return ops.dot(x, y)


@operation
def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Products of matrices of each sample, over one axis of each (which `axes` names)."""
    x, y = convert(x), convert(y)
    if axes is None:
        axes = (x.ndim - 1, y.ndim - 1 if y.ndim == 2 else y.ndim - 2)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    letters = "bcdefghijk"
    left = "a" + letters[: x.ndim - 1]
    right = "a" + letters[x.ndim - 1 : x.ndim + y.ndim - 2]
    shared = left[first]
    right = "".join(shared if i == second % y.ndim else c for i, c in enumerate(right))
    out = "a" + "".join(c for c in left[1:] + right[1:] if c != shared)
    found = EXPORTS["einsum"](f"{left},{right}->{out}", x, y)
    return found.unsqueeze(-1) if found.ndim == 1 else found


@operation
def flatten(x: Any) -> Any:
    """All elements in one dimension."""
    return convert(x).reshape(-1)


@operation
def batch_flatten(x: Any) -> Any:
    """Each sample's elements in one dimension; of a tensor without a batch, each row's."""
    x = convert(x)
    return x.reshape(x.shape[0], -1)


@operation
def repeat(x: Any, n: int) -> Any:
    """(batch, features) repeated n times along a new axis between them."""
    return convert(x).unsqueeze(1).tile(1, n, 1)


@operation
def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element repeated along an axis."""
    return ops.repeat(x, rep, axis)


@operation
def reverse(x: Any, axes: Any) -> Any:
    """Axes in reverse."""
    return ops.flip(x, axes)


@operation
def gather(reference: Any, indices: Any) -> Any:
    """Slices along the first axis."""
    return ops.take(reference, indices, axis=0)


@operation
def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x divided by the root of the sum of its squares along an axis (of all if None)."""
    x = floating(x)
    squares = ops.sum(x * x, axis, True)
    return x * squares.clamp(min=1e-12).rsqrt()


@operation
def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """A number added to each channel."""
    x, bias = convert(x), convert(bias)
    if image_format(data_format):
        return x + bias
    return x + bias.reshape(1, -1, *[1] * (x.ndim - 2))


@operation
def identity(x: Any, name: str | None = None) -> Any:
    """x itself."""
    return convert(x)


@operation
def print_tensor(x: Any, message: str = "") -> Any:
    """x itself; prints its values where they are known at once."""
    print(message, x)
    return x


@operation
def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), with a slope below the threshold and a ceiling where wanted."""
    from onegraph.keras import activations

    return activations.relu(convert(x), alpha, max_value, threshold)


@operation
def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether each target class is among the k largest predictions of its row."""
    return ops.in_top_k(targets, predictions, k)


@operation
def slice(x: Any, start: Any, size: Any) -> Any:
    """A block of a size that starts somewhere."""
    return ops.slice(x, start, size)


@operation
def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> Any:
    """Zeros before and behind in time."""
    return ops.pad(x, [(0, 0), tuple(padding), (0, 0)])


@operation
def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Zeros around images."""
    widths = [tuple(p) for p in padding]
    return ops.pad(x, [(0, 0), *widths, (0, 0)] if image_format(data_format) else [(0, 0), (0, 0), *widths])


@operation
def spatial_3d_padding(x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Zeros around volumes."""
    return spatial_2d_padding(x, padding, data_format)


@operation
def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None = None, interpolation: str = "nearest"
) -> Any:
    """Images so many times as high and as wide."""
    x, last = convert(x), image_format(data_format)
    h, w = x.shape[1:3] if last else x.shape[2:]
    return ops.image.resize(x, (h * height_factor, w * width_factor), interpolation, data_format=data_format)


@operation
def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str | None = None
) -> Any:
    """Volumes repeated along each dimension."""
    first = 1 if image_format(data_format) else 2
    for i, factor in enumerate((depth_factor, height_factor, width_factor)):
        x = ops.repeat(x, factor, first + i)
    return x


def _conv(x: Any, kernel: Any, strides: Any, padding: str, data_format: Any, dilation: Any) -> Any:
    return ops.conv(x, kernel, strides, padding, data_format, dilation)


@operation
def conv1d(
    x: Any, kernel: Any, strides: int = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """Convolution along time; padding 'causal' looks back only."""
    if padding == "causal":
        x, padding = temporal_padding(x, ((ops.shape(kernel)[0] - 1) * dilation_rate, 0)), "valid"
    return _conv(x, kernel, strides, padding, data_format, dilation_rate)


@operation
def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of images."""
    return _conv(x, kernel, strides, padding, data_format, dilation_rate)


@operation
def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    """Convolution of volumes."""
    return _conv(x, kernel, strides, padding, data_format, dilation_rate)


@operation
def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of each channel for itself."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


@operation
def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """A depthwise convolution and one of size 1."""
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate)


@operation
def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    pool_mode: str = "max",
) -> Any:
    """The largest elements or the means of windows."""
    if pool_mode not in ("max", "avg"):
        raise ArgumentError(f"pool_mode must be 'max' or 'avg', got {pool_mode!r}")
    return (ops.max_pool if pool_mode == "max" else ops.average_pool)(x, pool_size, strides, padding, data_format)


pool3d = pool2d


# ---- losses


@operation
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-target log(output) - (1 - target) log(1 - output), element by element."""
    return ops.binary_crossentropy(target, output, from_logits)


@operation
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target log(output)) along an axis."""
    return ops.categorical_crossentropy(target, output, from_logits, axis)


@operation
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(output of the target class)."""
    return ops.sparse_categorical_crossentropy(target, output, from_logits, axis)


@operation
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """CTC losses (batch, 1) of softmax outputs; the last class is blank. Lengths are (batch, 1)."""
    scores = (floating(y_pred) + backend.epsilon()).log()
    scores = F.log_softmax(scores, -1).transpose(0, 1)
    lengths = convert(input_length).reshape(-1).long(), convert(label_length).reshape(-1).long()
    classes = scores.shape[-1]
    found = F.ctc_loss(scores, convert(y_true).long(), *lengths, blank=classes - 1, reduction="none")
    return found.unsqueeze(-1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """Class numbers of softmax outputs, whose last class is blank: a list of paths, and their scores."""
    scores = (floating(y_pred) + backend.epsilon()).log()
    strategy, blank = "greedy" if greedy else "beam_search", scores.shape[-1] - 1
    paths, values = ops.ctc_decode(scores, input_length, strategy, beam_width, top_paths, mask_index=blank)
    return [paths[i] for i in range(paths.shape[0])], values


# ---- random numbers


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None, std: float | None = None
) -> Any:
    """Numbers from the normal distribution; `std` is Keras 1's name. Sizes may be those of symbolic tensors."""
    spread = stddev if std is None else std
    from onegraph.keras.backend.graph import in_shape

    return in_shape(shape, lambda sizes: random.normal(sizes, mean, spread, dtype, seed))


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers drawn evenly."""
    from onegraph.keras.backend.graph import in_shape

    return in_shape(shape, lambda sizes: random.uniform(sizes, minval, maxval, dtype, seed))


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """1 with probability p, else 0."""
    return (random.uniform(shape, seed=seed) < p).to(convert(0.0, dtype or backend.floatx()).dtype)


random_bernoulli = random_binomial


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable of normal numbers."""
    return Variable(random.normal(shape, mean, scale, dtype, seed), name=name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable of evenly drawn numbers."""
    return Variable(random.uniform(shape, low, high, dtype, seed), name=name)


@operation
def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Each element set to 0 with a probability, the others enlarged."""
    return random.dropout(x, level, noise_shape, seed)


# ---- loops


def map_fn(fn: Callable[..., Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn of each element along the first axis."""
    return ops.map(fn, elems)


def foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`value = fn(value, x)` along the first axis; starts with the first element if nothing else is given."""
    elems = convert(elems)
    start, rest = (elems[0], elems[1:]) if initializer is None else (convert(initializer), elems)
    return ops.scan(lambda carry, x: (fn(carry, x), x), start, rest)[0]


def foldr(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`foldl` from the end."""
    return foldl(fn, ops.flip(elems, 0), initializer)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two tensors (or of what two functions give), by a condition that may be one for each element."""
    if callable(then_expression):
        return ops.cond(condition, then_expression, else_expression)
    condition = convert(condition)
    extra = ops.ndim(then_expression) - condition.ndim
    return ops.where(
        condition.reshape(*condition.shape, *[1] * builtins.max(extra, 0)), then_expression, else_expression
    )


def update(x: Any, new_x: Any) -> Any:
    """Write into a variable; with a symbolic value, a pair for the updates of `function`."""
    return (x, new_x) if isinstance(new_x, KerasTensor) else x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Take off a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """Move a variable toward a value: momentum x + (1 - momentum) value."""
    return x.assign(x.detach() * momentum + convert(value) * (1 - momentum))
