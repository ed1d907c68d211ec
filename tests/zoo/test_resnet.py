"""Residual networks: shortcuts, options and first values."""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph import nn, zoo
from onegraph.errors import ArgumentError, UnsupportedError
from onegraph.zoo.resnet_cifar import PadShortcut


def test_shortcuts_of_option_a_take_every_second_pixel(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 5, 4)).astype(np.float32)
    result = PadShortcut(3, 6, 2)(og.tensor(x)).numpy()
    expected = np.zeros((2, 6, 3, 2), np.float32)
    expected[:, 1:4] = x[:, :, ::2, ::2]
    np.testing.assert_array_equal(result, expected)


def test_shortcuts_of_option_b_have_parameters() -> None:
    extra = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    counts = [sum(p.numel() for p in zoo.resnet20(shortcut=kind).parameters()) for kind in "AB"]
    assert counts[1] - counts[0] == extra


def test_options() -> None:
    model = zoo.resnet18(10, 1, zero_init_residual=True, norm_layer=lambda n: nn.GroupNorm(2, n))
    assert model.conv1.weight.shape[1] == 1
    assert isinstance(model.layer3[1].bn2, nn.GroupNorm)
    assert float(model.layer1[0].bn2.weight.abs().sum()) == 0 and float(model.layer1[0].bn1.weight.sum()) == 64
    dilated = zoo.resnet50(replace_stride_with_dilation=[False, True, True])
    assert [tuple(dilated.layer4[i].conv2.dilation) for i in range(3)] == [(2, 2), (4, 4), (4, 4)]
    assert dilated.layer4[0].conv2.stride == (1, 1)
    small = zoo.resnet18(small_images=True)
    assert small.conv1.stride == (1, 1) and isinstance(small.maxpool, nn.Identity)


def test_convolutions_start_as_he_says() -> None:
    og.manual_seed(0)
    model = zoo.resnet18()
    assert float(model.layer2[0].conv2.weight.std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"depth must be 6n\+2"):
        zoo.CifarResNet(21)
    with pytest.raises(ArgumentError, match="shortcut must be"):
        zoo.resnet20(shortcut="C")
    with pytest.raises(ArgumentError, match="three stages"):
        zoo.resnet50(replace_stride_with_dilation=[True])
    with pytest.raises(UnsupportedError, match="groups=1"):
        zoo.resnet18(groups=2)
