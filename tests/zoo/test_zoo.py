"""The networks that come with the package: their sizes, shapes and names."""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError
from onegraph.zoo import NETWORKS, lenet5, mlp, network


def parameters(model: og.nn.Module) -> dict[str, int]:
    """Numbers of each layer."""
    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        layer = name.rpartition(".")[0]
        counts[layer] = counts.get(layer, 0) + parameter.numel()
    return counts


def test_lenet_has_the_layers_of_the_paper() -> None:
    counts = parameters(lenet5())
    assert counts == {"c1": 156, "c3": 2416, "c5": 48120, "f6": 10164, "output": 850}
    assert sum(counts.values()) == 61_706


def test_lenet_takes_other_classes_and_channels() -> None:
    model = lenet5(num_classes=3, in_channels=3)
    assert tuple(model(og.zeros(2, 3, 32, 32)).shape) == (2, 3)
    assert parameters(model)["c1"] == 6 * (3 * 25 + 1)


def test_lenet_equals_its_definition_in_numpy(rng: np.random.Generator) -> None:
    og.manual_seed(0)
    model = lenet5()
    weights = {name: p.detach().numpy().astype(np.float64) for name, p in model.named_parameters()}
    images = rng.random((2, 1, 32, 32)).astype(np.float32)

    def convolve(x: np.ndarray, layer: str) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(2, 3))
        sums = np.einsum("nchwij,ocij->nohw", windows, weights[f"{layer}.weight"])
        return sums + weights[f"{layer}.bias"][:, None, None]

    def pool(x: np.ndarray) -> np.ndarray:
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))

    def dense(x: np.ndarray, layer: str) -> np.ndarray:
        return x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]

    x = pool(np.tanh(convolve(images.astype(np.float64), "c1")))
    x = pool(np.tanh(convolve(x, "c3"))).reshape(2, -1)
    x = dense(np.tanh(dense(np.tanh(dense(x, "c5")), "f6")), "output")
    np.testing.assert_allclose(model(og.tensor(images)).detach().numpy(), x, rtol=2e-5, atol=2e-6)


def test_mlp_has_the_hidden_sizes_asked_for() -> None:
    counts = parameters(mlp(num_classes=4, in_channels=2, size=(3, 5), hidden=(7,)))
    assert counts == {"hidden.0": 7 * 31, "output": 4 * 8}


@pytest.mark.parametrize("name", ["lenet5", "mlp"])
def test_small_networks_run_and_learn(name: str) -> None:
    og.manual_seed(0)
    found = network(name)
    model = found.make(num_classes=5, in_channels=3)
    logits = model(og.rand(2, 3, *found.input_size))
    assert tuple(logits.shape) == (2, 5)
    logits.sum().backward()
    assert all(bool((p.grad != 0).any()) for p in model.parameters())


def test_networks_are_found_by_name_in_any_case() -> None:
    assert network("LENET5") is NETWORKS["lenet5"]


def test_an_unknown_network_lists_those_that_exist() -> None:
    with pytest.raises(ArgumentError, match=r"'lenet'; there are .*lenet5, mlp") as caught:
        network("lenet")
    assert caught.value.hint == "did you mean lenet5?"
