"""Functions with randomness, state or in-place results; first values; clipping.

Read next: `onegraph/nn/functional.py`, `onegraph/nn/init.py`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import onegraph as og
import onegraph.nn.functional as F
from onegraph import nn
from onegraph.errors import ArgumentError, NotFiniteError, ShapeError
from onegraph.nn import init


@pytest.fixture(autouse=True)
def _seed() -> None:
    og.manual_seed(11)


def test_dropout_keeps_the_mean_and_matches_in_the_gradient() -> None:
    x = og.ones(40, 50, requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    values = y.detach().numpy()
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(values.mean() - 1) < 0.05
    np.testing.assert_array_equal(x.grad.numpy(), values)
    assert F.dropout(x, 0.25, training=False) is x and F.dropout(x, 0.0) is x
    assert not np.array_equal(F.dropout(x, 0.5).detach().numpy(), F.dropout(x, 0.5).detach().numpy())
    with pytest.raises(ArgumentError):
        F.dropout(x, -0.1, training=False)


@pytest.mark.parametrize(
    ("function", "shape", "leading"),
    [
        (F.dropout1d, (6, 5, 4), 2), (F.dropout1d, (30, 4), 1), (F.dropout2d, (6, 5, 2, 3), 2),
        (F.dropout3d, (6, 5, 2, 2, 2), 2), (F.dropout3d, (30, 2, 2, 2), 1),
    ],
)  # fmt: skip
def test_whole_channels_are_dropped(function: object, shape: tuple[int, ...], leading: int) -> None:
    values = function(og.ones(*shape), 0.5).numpy().reshape(math.prod(shape[:leading]), -1)  # type: ignore[operator]
    assert (values == values[:, :1]).all() and set(np.unique(values)) == {0.0, 2.0}


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = og.randn(300, 300)
    for y in (F.alpha_dropout(x, 0.2, True), F.feature_alpha_dropout(x, 0.2, True)):
        assert abs(float(y.mean())) < 0.03 and abs(float(y.var()) - 1) < 0.05
    assert nn.AlphaDropout(0.2).eval()(x) is x
    with pytest.raises(ShapeError):
        F.dropout1d(og.ones(3), 0.5)
    with pytest.warns(UserWarning, match="dropout2d"):
        F.dropout2d(og.ones(3, 2), 0.5)


def test_in_place_functions_write_into_their_input() -> None:
    x = og.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x and x.tolist() == [0.0, 2.0]
    y = og.tensor([-1.0, 2.0])
    F.leaky_relu_(y, 0.5)
    assert y.tolist() == [-0.5, 2.0]
    z = og.tensor([-1.0, 2.0])
    assert F.dropout(z, 1.0, inplace=True) is z and z.tolist() == [0.0, 0.0]
    w = og.tensor([-2.0, 1.0], requires_grad=True)
    h = w * 3
    F.relu(h, True)
    h.sum().backward()
    assert w.grad.tolist() == [0.0, 3.0]


def test_rrelu() -> None:
    x = og.full((1000,), -1.0)
    y = F.rrelu(x, 0.2, 0.4, training=True).numpy()
    assert y.min() >= -0.4 and y.max() <= -0.2 and y.std() > 0.03
    np.testing.assert_allclose(F.rrelu(x, 0.2, 0.4).numpy(), -0.3, rtol=1e-6)
    with pytest.raises(ArgumentError):
        F.rrelu(x, 0.5, 0.4)


def test_gumbel_softmax() -> None:
    logits = og.tensor(np.log([[0.7, 0.2, 0.1]] * 2000).astype(np.float32), requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    values = hard.detach().numpy()
    np.testing.assert_allclose(values.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(values.mean(0), [0.7, 0.2, 0.1], atol=0.04)
    (hard * og.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert float(logits.grad.abs().sum()) > 0
    np.testing.assert_allclose(F.gumbel_softmax(logits, tau=5.0).detach().numpy().sum(1), 1, rtol=1e-5)


def test_one_hot_looks_for_the_classes() -> None:
    assert F.one_hot(og.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert tuple(F.one_hot(og.tensor([0, 2]), 5).shape) == (2, 5)


def test_attention_with_dropout_differs_and_without_is_repeatable() -> None:
    q, k, v = (og.randn(2, 4, 8) for _ in range(3))
    a, b = (F.scaled_dot_product_attention(q, k, v, dropout_p=0.5).numpy() for _ in range(2))
    assert not np.array_equal(a, b)
    c, d = (F.scaled_dot_product_attention(q, k, v, is_causal=True).numpy() for _ in range(2))
    assert np.array_equal(c, d)
    np.testing.assert_allclose(c[:, 0], v.numpy()[:, 0], rtol=1e-5)


def test_batch_norm_moves_running_statistics_only_in_training() -> None:
    mean, var = og.zeros(3), og.ones(3)
    x = og.randn(16, 3) * 2 + 5
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    np.testing.assert_allclose(mean.numpy(), x.numpy().mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(var.numpy(), 0.5 + x.numpy().var(0, ddof=1) / 2, rtol=1e-5)
    before = mean.numpy().copy()
    F.batch_norm(x, mean, var)
    assert np.array_equal(mean.numpy(), before)


def test_unknown_functions_are_named() -> None:
    with pytest.raises(AttributeError, match="no function 'relou'"):
        _ = F.relou


# ---- first values


def test_default_first_values_have_the_bounds_of_torch() -> None:
    layer = nn.Linear(100, 50)
    assert abs(layer.weight.detach().numpy()).max() <= 0.1 and abs(layer.bias.detach().numpy()).max() <= 0.1
    assert layer.weight.detach().numpy().std() == pytest.approx(0.1 / math.sqrt(3), rel=0.05)
    conv = nn.Conv2d(8, 16, 3)
    assert abs(conv.weight.detach().numpy()).max() <= 1 / math.sqrt(72)
    og.manual_seed(0)
    a = nn.Linear(3, 3).weight.tolist()
    og.manual_seed(0)
    assert nn.Linear(3, 3).weight.tolist() == a


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda t: init.uniform_(t, -1, 1), 1 / math.sqrt(3)),
        (lambda t: init.normal_(t, 0, 0.3), 0.3),
        (lambda t: init.trunc_normal_(t, 0, 1, -1, 1), 0.5396),
        (init.xavier_uniform_, math.sqrt(2 / 500)),
        (lambda t: init.xavier_normal_(t, 2.0), 2 * math.sqrt(2 / 500)),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu"), math.sqrt(2 / 300)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 200)),
    ],
)
def test_random_first_values(fill: object, std: float) -> None:
    tensor = nn.Parameter(og.empty(200, 300))
    assert fill(tensor) is tensor and tensor.requires_grad and tensor.is_leaf  # type: ignore[operator]
    values = tensor.detach().numpy()
    assert values.std() == pytest.approx(std, rel=0.03) and abs(values.mean()) < 4 * std / math.sqrt(60_000)


def test_fixed_first_values() -> None:
    t = og.empty(3, 4)
    assert init.constant_(t, 2.5).tolist() == [[2.5] * 4] * 3
    assert float(init.ones_(t).sum()) == 12 and float(init.zeros_(t).abs().sum()) == 0
    assert np.array_equal(init.eye_(t).numpy(), np.eye(3, 4))
    kernel = init.dirac_(og.empty(4, 2, 3, 3), groups=2)
    x = og.randn(1, 4, 5, 5)
    np.testing.assert_array_equal(F.conv2d(x, kernel, padding=1, groups=2).numpy(), x.numpy())
    q = init.orthogonal_(og.empty(4, 2, 5), gain=2).numpy().reshape(4, 10)
    np.testing.assert_allclose(q @ q.T, 4 * np.eye(4), atol=1e-5)
    sparse = init.sparse_(og.empty(10, 6), 0.25).numpy()
    assert ((sparse == 0).sum(0) == 3).all()
    assert init.calculate_gain("tanh") == 5 / 3
    with pytest.raises(ArgumentError, match="unknown nonlinearity"):
        init.calculate_gain("wave")
    with pytest.raises(ShapeError, match="at least two dimensions"):
        init.xavier_uniform_(og.empty(3))


# ---- gradients of all parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
def test_clipping_by_norm_as_torch(norm_type: float, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    gradients = [rng.normal(size=s).astype(np.float32) for s in ((3, 4), (5,))]
    ours, theirs = [nn.Parameter(og.zeros(*g.shape)) for g in gradients], []
    for p, g in zip(ours, gradients, strict=True):
        p.grad = og.tensor(g)
        q = torch.nn.Parameter(torch.zeros(*g.shape))
        q.grad = torch.from_numpy(g.copy())
        theirs.append(q)
    total = nn.utils.clip_grad_norm_(ours, 0.5, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 0.5, norm_type)
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-5)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5)
    small = nn.utils.clip_grad_norm_(ours, 10.0, norm_type)
    np.testing.assert_allclose(
        nn.utils.get_total_norm([p.grad for p in ours], norm_type).item(), small.item(), rtol=1e-6
    )


def test_clipping_by_value_and_vectors() -> None:
    p = nn.Parameter(og.zeros(3))
    p.grad = og.tensor([-2.0, 0.5, 3.0])
    nn.utils.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [-1.0, 0.5, 1.0]
    p.grad = og.tensor([math.inf, 0.0, 0.0])
    with pytest.raises(NotFiniteError, match="inf"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([nn.Parameter(og.zeros(1))], 1.0).item() == 0
    layer = nn.Linear(2, 2)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    nn.utils.vector_to_parameters(vector.detach() * 0 + 1, layer.parameters())
    assert layer.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]] and layer.bias.requires_grad
    with pytest.raises(ShapeError, match="6 elements"):
        nn.utils.vector_to_parameters(og.ones(5), layer.parameters())
