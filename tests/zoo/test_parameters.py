"""Numbers of parameters, exact: those that the papers and the published weights have.

Read next: `test_torchvision.py`, which compares names, shapes and results.
"""

from __future__ import annotations

import pytest

from onegraph.zoo import NETWORKS, network

PARAMETERS = {
    "gpt": 10_745_088,
    "gpt2": 124_439_808,
    "lenet5": 61_706,
    "mlp": 296_586,
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
}


def test_every_network_is_counted() -> None:
    assert sorted(PARAMETERS) == sorted(NETWORKS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    model = network(name).make()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
