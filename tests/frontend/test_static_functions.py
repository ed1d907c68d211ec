"""Values of `onegraph.static`'s functions against NumPy, and against PyTorch where it has the same layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import onegraph.static as tf
from onegraph.errors import ArgumentError, DTypeError, OneGraphError, ShapeError


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def run(fetches: Any, feed_dict: Any = None) -> Any:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed_dict)


A = np.array([[1.0, -2.0, 0.5], [3.0, 4.0, -1.5]], np.float32)
B = np.array([[2.0, 1.0, 0.25], [0.5, -3.0, 2.0]], np.float32)
P = np.abs(A) + 0.5
K = np.array([[7, -3, 2], [5, 4, -6]], np.int32)

ELEMENTWISE: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "abs": (np.abs, (A,)), "negative": (np.negative, (A,)), "sign": (np.sign, (A,)), "square": (np.square, (A,)),
    "sqrt": (np.sqrt, (P,)), "rsqrt": (lambda x: 1 / np.sqrt(x), (P,)), "exp": (np.exp, (A,)), "log": (np.log, (P,)),
    "log1p": (np.log1p, (P,)), "expm1": (np.expm1, (A,)), "sin": (np.sin, (A,)), "cos": (np.cos, (A,)),
    "tanh": (np.tanh, (A,)),
    "floor": (np.floor, (A,)), "ceil": (np.ceil, (A,)), "round": (np.round, (A,)),
    "reciprocal": (np.reciprocal, (P,)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (A,)), "add": (np.add, (A, B)), "subtract": (np.subtract, (A, B)),
    "multiply": (np.multiply, (A, B)), "divide": (np.divide, (A, B)), "truediv": (np.true_divide, (K, K)),
    "div": (np.floor_divide, (K, np.full_like(K, 4))), "floordiv": (np.floor_divide, (K, np.full_like(K, 4))),
    "mod": (np.mod, (K, np.full_like(K, 4))), "pow": (np.power, (P, B)), "maximum": (np.maximum, (A, B)),
    "minimum": (np.minimum, (A, B)), "squared_difference": (lambda x, y: (x - y) ** 2, (A, B)),
    "equal": (np.equal, (K, K.T[:2, :1])),
    "not_equal": (np.not_equal, (A, B)), "less": (np.less, (A, B)), "less_equal": (np.less_equal, (A, A)),
    "greater": (np.greater, (A, B)), "greater_equal": (np.greater_equal, (A, B)),
    "logical_and": (np.logical_and, (A > 0, B > 0)),
    "logical_or": (np.logical_or, (A > 0, B > 0)), "logical_xor": (np.logical_xor, (A > 0, B > 0)),
    "logical_not": (np.logical_not, (A > 0,)),
    "is_nan": (np.isnan, (A,)), "is_finite": (np.isfinite, (A,)), "atan2": (np.arctan2, (A, B)),
    "to_int32": (lambda x: x.astype(np.int32), (A,)),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str) -> None:
    function, arrays = ELEMENTWISE[name]
    inputs = [tf.placeholder(a.dtype, a.shape) for a in arrays]
    y = getattr(tf, name)(*inputs)
    expected = function(*arrays)
    found = run(y, dict(zip(inputs, arrays, strict=True)))
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    assert found.dtype == (np.float64 if name == "truediv" else expected.dtype) and y.shape == list(expected.shape)


def test_operators() -> None:
    x, k = tf.constant(A), tf.constant(K)
    cases = [
        (x + 1, A + 1), (1 - x, 1 - A), (x * B, A * B), (2.0 / x, 2 / A), (x // 2.0, A // 2), (k % 4, K % 4),
        (x**2, A**2), (2.0**x, 2**A),
        (-x, -A), (abs(x), abs(A)), (x > 0, A > 0), (x <= B, A <= B), ((x > 0) & (x < 2), (A > 0) & (A < 2)),
        (~(x > 0), ~(A > 0)),
        (x @ B.T, A @ B.T), (B @ tf.transpose(x), B @ A.T), (k / 2, K / 2),
        (tf.add(x, [1, 2, 3]), A + np.array([1, 2, 3], np.float32)),
        (np.ones(3) - x, 1 - A), (k + k, K + K),
    ]  # fmt: skip
    for (tensor, expected), found in zip(cases, run([t for t, _ in cases]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=tensor.name)
    assert (x * B).dtype is tf.float32 and (np.ones(3) - x).dtype is tf.float32 and (k / 2).dtype is tf.float64


def test_reductions() -> None:
    x, k = tf.constant(A), tf.constant(K)
    cases = [
        (tf.reduce_sum(x), A.sum()), (tf.reduce_sum(x, 0), A.sum(0)),
        (tf.reduce_mean(x, axis=1, keepdims=True), A.mean(1, keepdims=True)),
        (tf.reduce_max(x, [0, 1]), A.max()), (tf.reduce_min(x, reduction_indices=[1]), A.min(1)),
        (tf.reduce_prod(x, -1), A.prod(-1)),
        (tf.reduce_any(x > 3), True), (tf.reduce_all(x > 3, 1), (A > 3).all(1)), (tf.reduce_sum(x, []), A),
        (tf.reduce_logsumexp(x, 1), np.log(np.exp(A).sum(1))), (tf.argmax(x, 1), A.argmax(1)),
        (tf.argmin(x), A.argmin(0)),
        (tf.reduce_sum(k), K.sum()), (tf.reduce_mean(k), int(np.floor(K.mean()))), (tf.cumsum(x, 1), A.cumsum(1)),
        (tf.cumsum(k, 1, exclusive=True), np.array([[0, 7, 4], [0, 5, 9]])),
        (tf.cumsum(k, 1, reverse=True), K[:, ::-1].cumsum(1)[:, ::-1]),
        (tf.cumprod(x, 0, exclusive=True), np.stack([np.ones(3), A[0]])),
        (tf.global_norm([x, None, x]), np.sqrt(2 * (A**2).sum())),
        (tf.add_n([x, x, B]), 2 * A + B), (tf.clip_by_value(x, -1, 2), np.clip(A, -1, 2)),
        (tf.count_nonzero(x > 0, 1), (A > 0).sum(1)), (tf.norm(x, axis=1), np.linalg.norm(A, axis=1)),
    ]  # fmt: skip
    for (tensor, expected), found in zip(cases, run([t for t, _ in cases]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=tensor.name)
    assert tf.reduce_sum(k).dtype is tf.int32 and tf.argmax(x, 1).dtype is tf.int64
    assert tf.argmax(x, 1, output_type=tf.int32).dtype is tf.int32
    with pytest.raises(DTypeError, match=r"tf.cast"):
        tf.reduce_sum(x > 0)


def test_shapes_and_indexing() -> None:
    x3 = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = tf.constant(x3)
    index = tf.constant([2, 0])
    cases = [
        (tf.reshape(x, (4, -1)), x3.reshape(4, 6)), (tf.reshape(x, [-1]), x3.ravel()), (tf.transpose(x), x3.T),
        (tf.transpose(x, [1, 0, 2]), x3.transpose(1, 0, 2)), (tf.expand_dims(x, -1), x3[..., None]),
        (tf.squeeze(x[:1]), x3[0]),
        (tf.concat([x, x[:, :1]], 1), np.concatenate([x3, x3[:, :1]], 1)),
        (tf.stack([x, x], axis=-1), np.stack([x3, x3], -1)),
        (tf.unstack(x, axis=1)[2], x3[:, 2]), (tf.split(x, 2, axis=2)[1], x3[:, :, 2:]),
        (tf.split(x, [1, -1], 1)[1], x3[:, 1:]),
        (tf.tile(x[0], [2, 1]), np.tile(x3[0], (2, 1))),
        (tf.pad(x, [[0, 1], [2, 0], [0, 0]], constant_values=9.0), np.pad(x3, [(0, 1), (2, 0),
        (0, 0)], constant_values=9)),
        (tf.pad(x, [[0, 0], [1, 2], [0, 3]], "REFLECT"), np.pad(x3, [(0, 0), (1, 2), (0, 3)], "reflect")),
        (tf.pad(x, [[1, 0], [0, 0], [2, 4]], "SYMMETRIC"), np.pad(x3, [(1, 0), (0, 0), (2, 4)], "symmetric")),
        (tf.slice(x, [0, 1, 1], [2, -1, 2]), x3[:, 1:, 1:3]), (x[1, ..., ::2], x3[1, ..., ::2]),
        (x[:, tf.newaxis, -1], x3[:, None, -1]),
        (x[:, index[0]], x3[:, 2]), (tf.slice(x, [0, index[1], 1], [2, 2, 2]), x3[:, :2, 1:3]),
        (tf.gather(x, index, axis=1), x3[:, [2, 0]]),
        (tf.gather(x, [[1, 0]]), x3[[[1, 0]]]), (tf.gather_nd(x, [[1, 2, 3], [0, 0, 1]]), x3[[1, 0], [2, 0], [3, 1]]),
        (tf.gather_nd(x, [[1, 2]]), x3[[1], [2]]), (tf.one_hot([1, 3], 4), np.eye(4)[[1, 3]]),
        (tf.one_hot([2], 3, 5, 1), [[1, 1, 5]]),
        (tf.one_hot([1, 0], 3, axis=0), np.eye(3)[[1, 0]].T), (tf.reverse(x, [0, 2]), x3[::-1, :, ::-1]),
        (tf.where(x > 5, x, tf.zeros_like(x)), np.where(x3 > 5, x3, 0)),
        (tf.where([True, False], x[:, 0], -x[:, 0]), np.stack([x3[0, 0], -x3[1, 0]])),
        (tf.scatter_nd([[1], [3], [1]], [1.0, 2.0, 3.0], [5]), [0, 4, 0, 2, 0]),
        (tf.strided_slice(x, [0, 2], [2, 0], [1, -1]), x3[0:2, 2:0:-1]),
        (tf.boolean_mask(x, np.array([False, True])), x3[1:]),
        (tf.diag_part(tf.constant(x3[0, :, :3])), x3[0, :, :3].diagonal()),
        (tf.fill([2, 3], 7), np.full((2, 3), 7)), (tf.eye(2, 3), np.eye(2, 3)),
        (tf.range(2, 9, 3), np.arange(2, 9, 3)), (tf.range(3, 0, -1), [3, 2, 1]),
        (tf.range(0.0, 1.0, 0.25), np.arange(0, 1, 0.25)), (tf.linspace(0.0, 1.0, 5), np.linspace(0, 1, 5)),
        (tf.size(x), 24), (tf.rank(x), 3),
        (tf.zeros([2], tf.int32), [0, 0]), (tf.constant(3, shape=(2, 2)), [[3, 3], [3, 3]]),
        (tf.constant([1, 2, 3, 4], shape=(2, 2)), [[1, 2], [3, 4]]),
    ]  # fmt: skip
    for (tensor, expected), found in zip(cases, run([t for t, _ in cases]), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=tensor.name)
    for wrong in (
        lambda: tf.reshape(x, (5, -1)), lambda: tf.transpose(x, [0, 0, 1]), lambda: tf.split(x, 5, 1),
        lambda: tf.squeeze(x, 1), lambda: tf.tile(x, [2]),
        lambda: tf.unstack(x, 2, axis=1), lambda: tf.one_hot([0.5], 3), lambda: tf.where(x > 0),
        lambda: tf.pad(x, [[1, 1]]), lambda: x[2],
        lambda: tf.boolean_mask(x, x > 0), lambda: tf.range(3, 0, 0),
        lambda: tf.reshape(x, tf.cast(x[0, 0], tf.int32)), lambda: tf.stack([x, x[0]]),
    ):  # fmt: skip
        with pytest.raises(OneGraphError) as caught:
            wrong()
        assert caught.value.location is not None and caught.value.location[0] == __file__


def test_products() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    x, y = tf.constant(a), tf.constant(b)
    cases = [
        (tf.matmul(x, y, transpose_b=True), a @ b.transpose(0, 2, 1)),
        (tf.matmul(x, y, transpose_a=True), a.transpose(0, 2, 1) @ b),
        (tf.tensordot(x, y, [[1, 2], [1, 2]]), np.tensordot(a, b, [[1, 2], [1, 2]])),
        (tf.tensordot(x[0], y[0], axes=[[0], [0]]), a[0].T @ b[0]),
        (tf.tensordot(x, tf.transpose(y[0]), 1), a @ b[0].T), (tf.matmul(a[0], tf.transpose(y[0])), a[0] @ b[0].T),
        (tf.einsum("bij,bkj->bik", x, y), np.einsum("bij,bkj->bik", a, b)),
    ]  # fmt: skip
    for (tensor, expected), found in zip(cases, run([t for t, _ in cases]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=tensor.name)
    with pytest.raises(ShapeError, match="expand_dims"):
        tf.matmul(x, tf.zeros((5,)))


def test_clipping() -> None:
    x = tf.placeholder(tf.float32, (2, 3))
    by_norm = tf.clip_by_norm(x, 2.0)
    rows = tf.clip_by_norm(x, 2.0, axes=[1])
    (first, nothing), norm = tf.clip_by_global_norm([x, None], 2.0)
    (slope,) = tf.gradients(by_norm, x)
    assert nothing is None
    length = np.sqrt((A**2).sum())
    found = run([by_norm, rows, first, norm], {x: A})
    np.testing.assert_allclose(found[0], A * 2 / length, rtol=1e-6)
    np.testing.assert_allclose(found[1], A * np.minimum(1, 2 / np.sqrt((A**2).sum(1, keepdims=True))), rtol=1e-6)
    np.testing.assert_allclose(found[2], A * 2 / length, rtol=1e-6)
    np.testing.assert_allclose(found[3], length, rtol=1e-6)
    zeros = run([by_norm, slope], {x: np.zeros((2, 3))})
    np.testing.assert_array_equal(zeros[0], 0)
    np.testing.assert_array_equal(zeros[1], 1)  # zeros are within the limit: no NaN


# ---------------------------------------------------------------------------------------- tf.nn


def test_activations_and_losses() -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    t, x = torch.tensor(A), tf.constant(A)
    targets = torch.tensor([2, 0])
    soft = torch.softmax(torch.tensor(B), 1)
    cases = [
        (tf.nn.relu(x), F.relu(t)), (tf.nn.relu6(x * 3), F.relu6(t * 3)), (tf.nn.elu(x), F.elu(t)),
        (tf.nn.selu(x), F.selu(t)),
        (tf.nn.softplus(x), F.softplus(t)), (tf.nn.leaky_relu(x), F.leaky_relu(t, 0.2)),
        (tf.nn.softmax(x), F.softmax(t, 1)),
        (tf.nn.log_softmax(x, axis=0), F.log_softmax(t, 0)), (tf.nn.l2_loss(x), (t**2).sum() / 2),
        (tf.nn.l2_normalize(x, 1), F.normalize(t, dim=1)),
        (tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=x), F.cross_entropy(t, targets, reduction="none")),
        (tf.nn.softmax_cross_entropy_with_logits(labels=soft.numpy(), logits=x), F.cross_entropy(t, soft, reduction="none")),
        (
            tf.nn.sigmoid_cross_entropy_with_logits(labels=soft.numpy(), logits=x),
            F.binary_cross_entropy_with_logits(t, soft, reduction="none"),
        ),
        (tf.nn.top_k(x, 2).values, t.topk(2).values), (tf.nn.top_k(x, 2).indices, t.topk(2).indices),
        (tf.nn.zero_fraction(x > 0), torch.tensor(1 / 3)),
        (tf.nn.in_top_k(x, [2, 2], 2), torch.tensor([True, False])),
        (tf.nn.bias_add(x, [1.0, 2.0, 3.0]), t + torch.tensor([1.0, 2.0, 3.0])),
        (tf.nn.embedding_lookup(x, [[1], [0]]), t[torch.tensor([[1], [0]])]),
        (tf.nn.crelu(x), F.relu(torch.cat([t, -t], 1))),
        (tf.nn.moments(x, [0]).variance, t.var(0, correction=0)),
        (tf.nn.lrn(x, 1, bias=2.0, alpha=0.5, beta=0.75), F.local_response_norm(t[:, :, None], 3, 1.5, 0.75, 2.0)[:, :, 0]),
        (tf.losses.sparse_softmax_cross_entropy([2, 0], x), F.cross_entropy(t, targets)),
        (tf.losses.absolute_difference(B, x), F.l1_loss(t, torch.tensor(B))),
        (tf.losses.softmax_cross_entropy(np.eye(3)[[2, 0]], x, label_smoothing=0.1), F.cross_entropy(t, targets, label_smoothing=0.1)),
        (tf.losses.huber_loss(B, x), F.huber_loss(t, torch.tensor(B))),
        (tf.losses.mean_squared_error(B, x, weights=[[1.0], [0.0]]), F.mse_loss(t[0], torch.tensor(B[0]))),
        (tf.losses.mean_squared_error(B, x, weights=0.0), torch.tensor(0.0)),
        (tf.losses.mean_squared_error(B, x, reduction=tf.losses.Reduction.SUM), F.mse_loss(t, torch.tensor(B), reduction="sum")),
    ]  # fmt: skip
    for (tensor, expected), found in zip(cases, run([c for c, _ in cases]), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=2e-5, atol=1e-6, err_msg=tensor.name)
    assert len(tf.losses.get_losses()) == 7 and tf.losses.get_total_loss().shape == []
    labels = tf.placeholder(tf.float32, (2, 3))
    for function, known in (
        (tf.nn.softmax_cross_entropy_with_logits, False),
        (tf.nn.softmax_cross_entropy_with_logits_v2, True),
    ):
        found = tf.gradients(function(labels=labels, logits=x), [labels])[0]
        assert (found is not None) == known
    with pytest.raises(ArgumentError, match="labels="):
        tf.nn.softmax_cross_entropy_with_logits(labels, x)
    with pytest.raises(ShapeError, match="sparse"):
        tf.nn.softmax_cross_entropy_with_logits(labels=[1, 2], logits=x)
    with pytest.raises(ShapeError, match="must have one shape"):
        tf.losses.mean_squared_error(tf.zeros((2, 1)), x)


def test_dropout() -> None:
    tf.set_random_seed(0)
    keep = tf.placeholder(tf.float32, ())
    x = tf.ones((100, 50))
    y, z, rows = tf.nn.dropout(x, keep), tf.nn.dropout(x, rate=0.25), tf.nn.dropout(x, 0.5, noise_shape=[100, 1])
    with tf.Session() as sess:
        a, b = sess.run(y, {keep: 0.5}), sess.run(y, {keep: 0.5})
        np.testing.assert_array_equal(sess.run(y, {keep: 1.0}), 1)
        c, d = sess.run([z, rows])
    assert set(np.unique(a)) == {0, 2} and 0.45 < (a > 0).mean() < 0.55 and not np.array_equal(a, b)
    assert 0.7 < (c > 0).mean() < 0.8 and np.allclose(c[c > 0], 4 / 3) and (d == d[:, :1]).all()
    assert tf.nn.dropout(x, 1.0).node is x.node
    with pytest.raises(ArgumentError, match="below 1"):
        tf.nn.dropout(x, rate=1.0)


@pytest.mark.parametrize("size", [(7, 8), (5, 5), (6, 9)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 5)])
def test_same_convolution(size: tuple[int, int], stride: int, kernel: tuple[int, int]) -> None:
    """'SAME' pads less in front where the padding is odd."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    images, filters = (rng.standard_normal(s).astype(np.float32) for s in ((2, *size, 3), (*kernel, 3, 4)))
    x, w = tf.placeholder(tf.float32, (None, *size, 3)), tf.constant(filters)
    y = tf.nn.conv2d(x, w, [1, stride, stride, 1], "SAME")
    assert y.shape.as_list() == [None, -(-size[0] // stride), -(-size[1] // stride), 4]
    pooled = (
        tf.nn.max_pool(x, [1, *kernel, 1], [1, stride, stride, 1], "SAME"),
        tf.nn.avg_pool(x, kernel, stride, "SAME"),
    )
    grads = tf.gradients(tf.reduce_sum(y * y), [x, w])
    found = run([y, *pooled, *grads], {x: images})

    pads = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(size, kernel, strict=True)]
    around = (pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2)
    t = torch.tensor(images, requires_grad=True)
    v = torch.tensor(filters, requires_grad=True)
    F = torch.nn.functional
    first = t.permute(0, 3, 1, 2)
    expected = F.conv2d(F.pad(first, around), v.permute(3, 2, 0, 1), stride=stride).permute(0, 2, 3, 1)
    (expected**2).sum().backward()
    largest = F.max_pool2d(F.pad(first, around, value=-np.inf), kernel, stride).permute(0, 2, 3, 1)
    counts = F.avg_pool2d(F.pad(torch.ones_like(first), around), kernel, stride)
    mean = (F.avg_pool2d(F.pad(first, around), kernel, stride) / counts).permute(0, 2, 3, 1)
    for a, b in zip(found, (expected, largest, mean, t.grad, v.grad), strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-4, atol=1e-4)


def test_other_convolutions() -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    rng = np.random.default_rng(1)
    images, filters = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 8, 7), (3, 3, 3, 4)))
    t, v = torch.tensor(images), torch.tensor(filters).permute(3, 2, 0, 1)
    x, w = tf.constant(images), tf.constant(filters)
    last = tf.transpose(x, [0, 2, 3, 1])
    depth = filters[:, :, :, :2]  # (3, 3, channels, multiplier)
    grouped = torch.tensor(depth).reshape(3, 3, 1, 6).permute(3, 2, 0, 1)
    y = F.conv2d(t, v, stride=2, padding=1)
    cases = [
        (tf.nn.conv2d(x, w, [1, 1, 2, 2], "VALID", data_format="NCHW"), F.conv2d(t, v, stride=2)),
        (tf.nn.conv2d(last, w, 1, "VALID", dilations=[1, 2, 2, 1]), F.conv2d(t, v, dilation=2).permute(0, 2, 3, 1)),
        (tf.nn.conv2d(last, w, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]), y.permute(0, 2, 3, 1)),
        (
            tf.nn.depthwise_conv2d(last, depth, [1, 1, 1, 1], "SAME"),
            F.conv2d(t, grouped, padding=1, groups=3).permute(0, 2, 3, 1),
        ),
        (
            tf.nn.conv2d_transpose(
                tf.constant(y.numpy()), w, [2, 3, 8, 7], [1, 1, 2, 2], [[0, 0], [0, 0], [1, 1], [1, 1]], "NCHW"
            ),
            F.conv_transpose2d(y, v, stride=2, padding=1, output_padding=(1, 0)),
        ),
        (tf.layers.average_pooling2d(last, 2, 2), F.avg_pool2d(t, 2).permute(0, 2, 3, 1)),
        (tf.layers.max_pooling2d(x, 3, 2, data_format="channels_first"), F.max_pool2d(t, 3, 2)),
    ]
    for (tensor, expected), found in zip(cases, run([c for c, _ in cases]), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5, err_msg=tensor.name)
    with pytest.raises(ShapeError, match=r"8 channels, the filter.*needs 3") as caught:
        tf.nn.conv2d(tf.zeros((1, 5, 5, 8)), w, 1, "SAME")
    assert caught.value.location[0] == __file__
    unknown = tf.placeholder(tf.float32, (None, None, None, 3))
    with pytest.raises(ShapeError, match="'SAME' with stride 2"):
        tf.nn.conv2d(unknown, w, 2, "SAME")
    free = tf.nn.conv2d(unknown, w, 1, "SAME")
    with tf.Session() as sess:
        assert [sess.run(free, {unknown: np.zeros((1, n, n, 3))}).shape for n in (4, 6)] == [(1, 4, 4, 4), (1, 6, 6, 4)]


def test_batch_normalization() -> None:
    rng = np.random.default_rng(2)
    data = rng.standard_normal((6, 4)).astype(np.float32) * 3 + 1
    x, training = tf.placeholder(tf.float32, (None, 4)), tf.placeholder(tf.bool, ())
    y = tf.layers.batch_normalization(x, momentum=0.9, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    mean, variance = (v for v in tf.global_variables() if "moving" in v.name)
    assert [v.name for v in tf.trainable_variables()] == ["batch_normalization/gamma:0", "batch_normalization/beta:0"]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        found, _ = sess.run([y, updates], {x: data, training: True})
        np.testing.assert_allclose(found, (data - data.mean(0)) / np.sqrt(data.var(0) + 1e-3), rtol=1e-4, atol=1e-5)
        a, b = sess.run([mean, variance])
        np.testing.assert_allclose(a, 0.1 * data.mean(0), rtol=1e-5)
        np.testing.assert_allclose(b, 0.9 + 0.1 * data.var(0), rtol=1e-5)
        found, _ = sess.run([y, updates], {x: data, training: False})
        np.testing.assert_allclose(found, (data - a) / np.sqrt(b + 1e-3), rtol=1e-4)
        np.testing.assert_array_equal(sess.run(mean), a)  # unchanged outside of training


def test_convolutional_network_learns() -> None:
    tf.set_random_seed(0)
    rng = np.random.default_rng(3)
    images = rng.standard_normal((8, 6, 6, 1)).astype(np.float32)
    labels = (images.mean((1, 2, 3)) > 0).astype(np.int32)
    x, y = tf.placeholder(tf.float32, (None, 6, 6, 1)), tf.placeholder(tf.int32, (None,))
    h = tf.layers.conv2d(x, 4, 3, strides=2, padding="same", activation=tf.nn.relu, name="conv")
    h = tf.layers.dropout(tf.layers.flatten(h), 0.1, training=True)
    loss = tf.losses.sparse_softmax_cross_entropy(y, tf.layers.dense(h, 2))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.AdamOptimizer(0.05).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = [sess.run([loss, step], {x: images, y: labels})[0] for _ in range(30)]
    assert losses[-1] < 0.3 * losses[0]
    again = tf.layers.conv2d(x, 4, 3, strides=2, padding="same", name="conv", reuse=True)
    assert len(tf.trainable_variables()) == 4 and again.shape.as_list() == [None, 3, 3, 4]
