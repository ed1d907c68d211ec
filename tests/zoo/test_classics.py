"""AlexNet, ZFNet, VGG, network in network, Inception and DenseNets: what the papers say beyond numbers of parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
from onegraph import nn, zoo
from onegraph.errors import ArgumentError
from onegraph.zoo.alexnet import local_response_norm
from onegraph.zoo.blocks import SamePadConv2d, stochastic_depth
from onegraph.zoo.googlenet import InceptionAux
from onegraph.zoo.vgg import CONFIGURATIONS, make_layers


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


def test_local_response_normalization_is_the_papers(rng: np.random.Generator) -> None:
    a = rng.standard_normal((1, 7, 2, 2)).astype(np.float32) * 20
    squares = np.stack([(a[:, max(0, i - 2) : i + 3] ** 2).sum(1) for i in range(7)], 1)
    expected = a / (2 + 1e-4 * squares) ** 0.75  # Krizhevsky et al. 2012, section 3.3
    np.testing.assert_allclose(local_response_norm()(og.tensor(a)).numpy(), expected, rtol=1e-5)


def test_the_original_alexnet_starts_with_biases_of_one() -> None:
    biases = [m.bias for m in zoo.alexnet_original().modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [float(bias[0]) for bias in biases] == [0, 1, 0, 1, 1, 1, 1, 0]


def test_the_original_alexnet_has_two_groups() -> None:
    model = zoo.alexnet(original=True)
    assert [m.groups for m in model.modules() if isinstance(m, nn.Conv2d)] == [1, 2, 1, 2, 2]
    assert sum(isinstance(m, nn.LocalResponseNorm) for m in model.modules()) == 2
    assert not any(isinstance(m, nn.LocalResponseNorm) for m in zoo.alexnet().modules())


def test_a_wider_zfnet() -> None:
    assert [m.out_channels for m in zoo.zfnet(wide=True).modules() if isinstance(m, nn.Conv2d)][2:] == [512, 1024, 512]
    with pytest.raises(ArgumentError, match="three numbers"):
        zoo.ZFNet(channels=(1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "layers"), [("A", 11), ("A-LRN", 11), ("B", 13), ("C", 16), ("D", 16), ("E", 19)])
def test_configurations_of_vgg_have_as_many_layers_as_they_say(name: str, layers: int) -> None:
    convolutions = [m for m in make_layers(CONFIGURATIONS[name]) if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 3 == layers
    assert sum(m.kernel_size == (1, 1) for m in convolutions) == (3 if name == "C" else 0)


@pytest.mark.slow
def test_auxiliary_heads_speak_in_training_only() -> None:
    model = zoo.googlenet(num_classes=3, original=True)
    assert isinstance(model.norm1, nn.LocalResponseNorm) and isinstance(model.aux1, InceptionAux)
    x = og.rand(2, 3, 32, 32)
    with og.no_grad():
        result = model.train()(x)
        assert isinstance(result, zoo.GoogLeNetOutputs) and all(tuple(r.shape) == (2, 3) for r in result)
        assert tuple(model.eval()(x).shape) == (2, 3)


def test_wrong_numbers_of_blocks_are_refused() -> None:
    with pytest.raises(ArgumentError, match="three classes, got 1"):
        zoo.googlenet(blocks=[nn.Conv2d])
    with pytest.raises(ArgumentError, match="seven classes, got 1"):
        zoo.inception_v3(inception_blocks=[nn.Conv2d])
    with pytest.raises(ArgumentError, match=r"6n\+4, got 41"):
        zoo.CifarDenseNet(41)
    with pytest.raises(ArgumentError, match="'1_0' or '1_1'"):
        zoo.SqueezeNet("2_0")
    with pytest.raises(ArgumentError, match="rows of four"):
        zoo.mobilenet_v2(inverted_residual_setting=[(1, 2)])


def test_saving_memory_changes_no_number() -> None:
    og.manual_seed(0)
    small = {"growth_rate": 4, "block_config": (2, 2), "num_init_features": 8, "num_classes": 3}
    plain, saving = zoo.DenseNet(**small), zoo.DenseNet(**small, memory_efficient=True)
    saving.load_state_dict(plain.state_dict())
    x = og.rand(2, 3, 32, 32)
    gradients = []
    for model in (plain, saving):
        (model(x) ** 2).sum().backward()
        gradients.append(model.features.conv0.weight.grad.numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (8, 5, 2), (9, 5, 1), (5, 1, 2)])
def test_same_padding_is_tensorflows(rng: np.random.Generator, size: int, kernel: int, stride: int) -> None:
    x = rng.standard_normal((1, 1, size, size)).astype(np.float32)
    layer = SamePadConv2d(1, 1, kernel, stride, bias=False)
    weight = layer.weight.detach().numpy()[0, 0]
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + kernel - size)
    padded = np.pad(x[0, 0], (total // 2, total - total // 2))
    expected = [
        [
            (padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel] * weight).sum()
            for j in range(out)
        ]
        for i in range(out)
    ]
    np.testing.assert_allclose(layer(og.tensor(x)).detach().numpy()[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_stochastic_depth_keeps_the_mean() -> None:
    og.manual_seed(0)
    dropped = stochastic_depth(og.ones(4000, 2), 0.25, "row").numpy()
    assert (dropped[:, 0] == dropped[:, 1]).all() and dropped.mean() == pytest.approx(1, abs=0.04)
    np.testing.assert_allclose(sorted(set(dropped[:, 0])), [0, 4 / 3], rtol=1e-6)
    assert len(set(stochastic_depth(og.ones(50, 2), 0.5, "batch").numpy().reshape(-1))) == 1
    assert (stochastic_depth(og.ones(2), 1.0, "row").numpy() == 0).all()
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        stochastic_depth(og.ones(2), 1.5, "row")
    with pytest.raises(ArgumentError, match="'batch' or 'row'"):
        stochastic_depth(og.ones(2), 0.5, "column")
