"""Layers against PyTorch: forward, gradients, state, and text, with the same weights.

Read next: `onegraph/nn/layers.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn

torch = pytest.importorskip("torch")

Make = Callable[[Any], Any]


def case(shape: tuple[int, ...], make: Make, *, tolerance: float = 2e-5, name: str = "") -> Any:
    """A layer, made by one function from either `nn`, and the shape of its input."""
    return pytest.param(shape, make, tolerance, id=name or None)


LAYERS = [
    case((5, 4), lambda n: n.Linear(4, 3), name="Linear"),
    case((4,), lambda n: n.Linear(4, 3, bias=False), name="Linear-vector"),
    case((2, 3, 4), lambda n: n.Linear(4, 3), name="Linear-batches"),
    case((2, 4, 9), lambda n: n.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), name="Conv1d"),
    case((2, 3, 8, 7), lambda n: n.Conv2d(3, 4, (3, 2), padding=(1, 0), dilation=(2, 1)), name="Conv2d"),
    case((3, 8, 7), lambda n: n.Conv2d(3, 4, 3), name="Conv2d-unbatched"),
    case((2, 3, 8, 7), lambda n: n.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"), name="Conv2d-reflect"),
    case((2, 3, 8, 7), lambda n: n.Conv2d(3, 4, 3, padding=1, padding_mode="circular", bias=False), name="Conv2d-circular"),
    case((1, 2, 5, 5, 4), lambda n: n.Conv3d(2, 3, 2, padding=1), name="Conv3d"),
    case((2, 4, 5), lambda n: n.ConvTranspose1d(4, 6, 3, stride=2, groups=2), name="ConvTranspose1d"),
    case((2, 3, 5, 4), lambda n: n.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), name="ConvTranspose2d"),
    case((1, 2, 3, 3, 2), lambda n: n.ConvTranspose3d(2, 3, 2), name="ConvTranspose3d"),
    case((2, 3, 9), lambda n: n.MaxPool1d(3, stride=2, padding=1), name="MaxPool1d"),
    case((2, 3, 9, 8), lambda n: n.MaxPool2d(3, stride=2, ceil_mode=True), name="MaxPool2d"),
    case((2, 5, 6, 4), lambda n: n.MaxPool3d(2), name="MaxPool3d-unbatched"),
    case((2, 3, 9), lambda n: n.AvgPool1d(3, padding=1), name="AvgPool1d"),
    case((2, 3, 9, 8), lambda n: n.AvgPool2d(3, 2, 1, count_include_pad=False), name="AvgPool2d"),
    case((1, 2, 5, 6, 4), lambda n: n.AvgPool3d(2), name="AvgPool3d"),
    case((2, 3, 9), lambda n: n.LPPool1d(2, 3), name="LPPool1d"),
    case((2, 3, 9, 8), lambda n: n.LPPool2d(2, 3, stride=2), name="LPPool2d"),
    case((2, 3, 9), lambda n: n.AdaptiveAvgPool1d(4), name="AdaptiveAvgPool1d"),
    case((2, 3, 9, 8), lambda n: n.AdaptiveAvgPool2d((4, None)), name="AdaptiveAvgPool2d"),
    case((2, 3, 9, 8), lambda n: n.AdaptiveMaxPool2d(3), name="AdaptiveMaxPool2d"),
    case((4, 3), lambda n: n.BatchNorm1d(3), name="BatchNorm1d"),
    case((4, 3, 5), lambda n: n.BatchNorm1d(3, momentum=None), name="BatchNorm1d-cumulative"),
    case((4, 3, 5, 2), lambda n: n.BatchNorm2d(3, affine=False), name="BatchNorm2d"),
    case((4, 3, 2, 2, 2), lambda n: n.BatchNorm3d(3, track_running_stats=False), name="BatchNorm3d"),
    case((4, 3, 5), lambda n: n.InstanceNorm1d(3), name="InstanceNorm1d"),
    case((3, 4, 5), lambda n: n.InstanceNorm2d(3, affine=True, track_running_stats=True), name="InstanceNorm2d-unbatched"),
    case((4, 3, 5), lambda n: n.LayerNorm((3, 5)), name="LayerNorm"),
    case((4, 3, 5), lambda n: n.LayerNorm(5, bias=False), name="LayerNorm-without-bias"),
    case((4, 6, 5), lambda n: n.GroupNorm(3, 6), name="GroupNorm"),
    case((4, 6), lambda n: n.RMSNorm(6), name="RMSNorm"),
    case((2, 6, 4, 4), lambda n: n.LocalResponseNorm(3), name="LocalResponseNorm"),
    case((2, 8, 3, 3), lambda n: n.PixelShuffle(2), name="PixelShuffle"),
    case((2, 3, 4, 6), lambda n: n.PixelUnshuffle(2), name="PixelUnshuffle"),
    case((2, 6, 4), lambda n: n.ChannelShuffle(3), name="ChannelShuffle"),
    case((2, 3, 4), lambda n: n.Flatten(), name="Flatten"),
    case((2, 12), lambda n: n.Unflatten(1, (3, 4)), name="Unflatten"),
    case((2, 3, 5, 5), lambda n: n.Unfold(2, stride=2), name="Unfold"),
    case((2, 12, 4), lambda n: n.Fold((3, 3), 2), name="Fold"),
    case((2, 3, 5), lambda n: n.Identity(1, a=2), name="Identity"),
    case((2, 3, 5), lambda n: n.ConstantPad1d((1, 2), 3.5), name="ConstantPad1d"),
    case((2, 3, 5, 5), lambda n: n.ZeroPad2d((1, 2, 0, 1)), name="ZeroPad2d"),
    case((2, 3, 5, 5), lambda n: n.ReflectionPad2d(2), name="ReflectionPad2d"),
    case((2, 3, 5), lambda n: n.ReplicationPad1d((1, 2)), name="ReplicationPad1d"),
    case((2, 3, 5, 4), lambda n: n.CircularPad2d(1), name="CircularPad2d"),
    case((2, 3, 4, 4, 3), lambda n: n.ReplicationPad3d(1), name="ReplicationPad3d"),
    case((2, 3, 4), lambda n: n.PReLU(3), name="PReLU"),
    case((3, 4), lambda n: n.RReLU().eval(), name="RReLU"),
    case((3, 4), lambda n: n.Dropout(0.5).eval(), name="Dropout"),
    case((2, 3, 4, 4), lambda n: n.Softmax2d(), name="Softmax2d"),
    case((2, 3), lambda n: n.Sequential(n.Linear(3, 4), n.ReLU(), n.Linear(4, 2)), name="Sequential"),
    *[
        case((3, 4), lambda n, name=name: getattr(n, name)(), name=name)
        for name in (
            "ReLU", "ReLU6", "SiLU", "Mish", "SELU", "Hardsigmoid", "Hardswish", "Sigmoid", "Tanh", "LogSigmoid",
            "Softsign", "Tanhshrink", "Hardshrink", "Softshrink", "ELU", "CELU", "LeakyReLU", "Hardtanh", "Softplus",
            "GELU", "GLU",
        )
    ],
    case((3, 4), lambda n: n.GELU("tanh"), name="GELU-tanh"),
    case((3, 4), lambda n: n.Threshold(0.1, 2.0), name="Threshold"),
    case((3, 4), lambda n: n.Softmax(1), name="Softmax"),
    case((3, 4), lambda n: n.LogSoftmax(-1), name="LogSoftmax"),
    case((3, 4), lambda n: n.Softmin(0), name="Softmin"),
]  # fmt: skip


def pair(make: Make, rng: np.random.Generator) -> tuple[Any, Any]:
    """The layer here and in PyTorch, with the same random weights."""
    theirs = make(torch.nn)
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.from_numpy(rng.normal(size=tuple(p.shape)).astype(np.float32)))
    ours = make(nn)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize(("shape", "make", "tolerance"), LAYERS)
def test_layer_agrees_with_torch(
    shape: tuple[int, ...], make: Make, tolerance: float, rng: np.random.Generator
) -> None:
    ours, theirs = pair(make, rng)
    assert repr(ours) == repr(theirs)
    for _ in range(2):  # the second batch meets moved running statistics
        x = rng.normal(size=shape).astype(np.float32)
        a, b = og.tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
        ours.zero_grad()
        theirs.zero_grad()
        y, expected = ours(a), theirs(b)
        seed = rng.normal(size=tuple(expected.shape)).astype(np.float32)
        y.backward(og.tensor(seed))
        expected.backward(torch.from_numpy(seed))
        np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
    state, wanted = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(state[name].numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
    ours.eval()
    theirs.eval()
    x = rng.normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(
        ours(og.tensor(x)).detach().numpy(),
        theirs(torch.from_numpy(x)).detach().numpy(),
        rtol=tolerance,
        atol=tolerance,
    )


def test_embedding(rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.Embedding(6, 3, padding_idx=1), rng)
    index = rng.integers(0, 6, (4, 5))
    ours(og.tensor(index)).sum().backward()
    theirs(torch.from_numpy(index)).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy())
    assert repr(ours) == repr(theirs)
    assert nn.Embedding(4, 3, padding_idx=-1).weight[3].tolist() == [0.0, 0.0, 0.0]
    frozen = nn.Embedding.from_pretrained(og.ones(2, 3))
    assert not frozen.weight.requires_grad and frozen(og.tensor(1)).tolist() == [1.0, 1.0, 1.0]


def test_bilinear_and_transposed_output_size(rng: np.random.Generator) -> None:
    ours, theirs = pair(lambda n: n.Bilinear(3, 4, 2), rng)
    x, y = (rng.normal(size=(2, 5, s)).astype(np.float32) for s in (3, 4))
    np.testing.assert_allclose(
        ours(og.tensor(x), og.tensor(y)).detach().numpy(),
        theirs(torch.from_numpy(x), torch.from_numpy(y)).detach().numpy(),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip
    up = nn.ConvTranspose2d(1, 1, 3, stride=2)
    assert tuple(up(og.ones(1, 1, 3, 3), output_size=(8, 8)).shape) == (1, 1, 8, 8)
    with pytest.raises(ValueError, match="outside 7 to 8"):
        up(og.ones(1, 1, 3, 3), output_size=(9, 9))


LOSSES: list[tuple[str, dict[str, Any], str]] = [
    ("MSELoss", {}, "pair"), ("L1Loss", {"reduction": "sum"}, "pair"), ("SmoothL1Loss", {"beta": 0.5}, "pair"),
    ("HuberLoss", {"delta": 0.7}, "pair"), ("KLDivLoss", {"reduction": "batchmean"}, "probability"),
    ("BCELoss", {}, "probability"), ("BCEWithLogitsLoss", {}, "probability"), ("NLLLoss", {}, "class"),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, "class"), ("CrossEntropyLoss", {"ignore_index": 1}, "class"),
    ("MultiMarginLoss", {}, "class"), ("MultiLabelSoftMarginLoss", {}, "sign01"), ("SoftMarginLoss", {}, "sign"),
    ("HingeEmbeddingLoss", {}, "sign"), ("PoissonNLLLoss", {}, "probability"),
    ("MSELoss", {"size_average": False}, "pair"),
]  # fmt: skip


def targets(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if kind == "class":
        return rng.integers(0, shape[1], shape[0])
    if kind == "probability":
        return rng.uniform(0.05, 0.95, shape).astype(np.float32)
    if kind.startswith("sign"):
        signs = rng.integers(0, 2, shape)
        return (signs if kind == "sign01" else 2 * signs - 1).astype(np.float32)
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.filterwarnings("ignore:size_average")
@pytest.mark.parametrize(("name", "options", "kind"), LOSSES, ids=lambda v: str(v))
def test_loss_agrees_with_torch(name: str, options: dict[str, Any], kind: str, rng: np.random.Generator) -> None:
    x = rng.uniform(0.1, 0.9, (6, 4)).astype(np.float32)
    y = targets(kind, (6, 4), rng)
    a, b = og.tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    loss, expected = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(loss) == repr(expected)
    ours, theirs = loss(a, og.tensor(y)), expected(b, torch.from_numpy(y))
    ours.backward()
    theirs.backward()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-5)
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_losses_of_several_inputs(rng: np.random.Generator) -> None:
    a, b, c = (rng.normal(size=(5, 4)).astype(np.float32) for _ in range(3))
    sign = np.array([1, -1, 1, 1, -1], np.float32)
    variance = rng.uniform(0.5, 1.5, (5, 4)).astype(np.float32)
    for name, inputs in [
        ("TripletMarginLoss", (a, b, c)), ("TripletMarginWithDistanceLoss", (a, b, c)),
        ("CosineEmbeddingLoss", (a, b, sign)), ("GaussianNLLLoss", (a, b, variance)),
        ("MarginRankingLoss", (a[:, 0].copy(), b[:, 0].copy(), sign)),
    ]:  # fmt: skip
        ours = getattr(nn, name)()(*map(og.tensor, inputs))
        theirs = getattr(torch.nn, name)()(*map(torch.from_numpy, inputs))
        np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-5, err_msg=name)


def test_class_weights_are_saved(rng: np.random.Generator) -> None:
    weight = np.array([1.0, 2.0, 0.5], np.float32)
    loss = nn.CrossEntropyLoss(weight=og.tensor(weight))
    assert list(loss.state_dict()) == ["weight"]
    x, y = rng.normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 1])
    expected = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(weight))(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(loss(og.tensor(x), og.tensor(y)).item(), expected.item(), rtol=1e-5)
