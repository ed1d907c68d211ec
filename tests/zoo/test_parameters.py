"""Numbers of parameters, exact: those that the papers and the published weights have.

Read next: `test_published_networks.py`, which compares names, shapes and results.
"""

from __future__ import annotations

import pytest

from onegraph import zoo
from onegraph.zoo import NETWORKS, network

PARAMETERS = {
    "alexnet": 61_100_840,
    "alexnet_original": 60_965_224,
    "zfnet": 62_357_608,
    "dcgan_generator": 18_855_043,
    "dcgan_discriminator": 17_232_897,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet40": 1_019_722,
    "densenet_bc100": 769_162,
    "densenet_bc250": 15_324_406,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
    "efficientnet_lite3": 8_197_096,
    "efficientnet_lite4": 13_006_568,
    "efficientnet_v2_s": 21_458_488,
    "efficientnet_v2_m": 54_139_356,
    "efficientnet_v2_l": 118_515_272,
    "googlenet": 13_004_888,
    "gpt": 10_745_088,
    "gpt2": 124_439_808,
    "inception_v3": 27_161_264,
    "lstm": 19_780_400,
    "lenet5": 61_706,
    "mlp": 296_586,
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "nin": 7_595_176,
    "nin_cifar": 966_986,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "resnet1202": 19_421_274,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "vae": 815_824,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg11_lrn": 132_863_336,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16_1x1": 133_638_952,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
}

# What papers say, in millions, or as exactly as they say it
PAPERS = {
    "lenet5": "0.06",  # LeCun et al. 1998, with C3 seeing every map
    "alexnet_original": "60.97",  # Krizhevsky et al. 2012: "60 million"
    "vgg11": "133", "vgg11_lrn": "133", "vgg13": "133", "vgg16_1x1": "134", "vgg16": "138", "vgg19": "144",
    "resnet20": "0.27", "resnet32": "0.46", "resnet44": "0.66", "resnet56": "0.85", "resnet110": "1.7", "resnet1202": "19.4",
    "densenet40": "1.0", "densenet_bc100": "0.8", "densenet_bc250": "15.3",
    "nin_cifar": "0.97",  # Huang et al. 2016, table 2
    "squeezenet1_0": "1.25", "mobilenet_v1": "4.2", "mobilenet_v2": "3.5", "mobilenet_v3_large": "5.5", "mobilenet_v3_small": "2.5",
    "efficientnet_b0": "5.3", "efficientnet_b1": "7.8", "efficientnet_b3": "12", "efficientnet_b4": "19", "efficientnet_b5": "30",
    "efficientnet_b6": "43", "efficientnet_b7": "66",
    "resnext50_32x4d": "25.0", "wide_resnet50_2": "68.9", "efficientnet_v2_s": "21", "efficientnet_v2_m": "54",
}  # fmt: skip
QUICK = (
    "lenet5",
    "alexnet",
    "alexnet_original",
    "zfnet",
    "vgg16",
    "vgg16_1x1",
    "nin",
    "resnet20",
    "resnet50",
    "mobilenet_v1",
    "gpt",
)


def test_every_network_is_counted() -> None:
    assert sorted(PARAMETERS) == sorted(NETWORKS)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PARAMETERS]
)
def test_parameters(name: str) -> None:
    model = network(name).make()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", PAPERS)
def test_counts_are_those_of_the_papers(name: str) -> None:
    digits = len(PAPERS[name].partition(".")[2])
    assert f"{PARAMETERS[name] / 1e6:.{digits}f}" == PAPERS[name]


def test_the_width_multiplier_makes_the_published_mobilenets() -> None:
    # Howard et al. 2017, table 6, in millions
    for width, millions in ((0.75, "2.6"), (0.5, "1.3"), (0.25, "0.5")):
        count = sum(p.numel() for p in zoo.mobilenet_v1(width_mult=width).parameters())
        assert f"{count / 1e6:.1f}" == millions
