"""Weights of Keras applications: names, layouts and results as Keras gives them (recorded by `record_keras.py`), and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.errors import StateError, StorageError, UnsupportedError
from onegraph.interop.keras_h5 import read_keras_weights, write_keras_weights
from onegraph.zoo.keras_form import is_keras
from onegraph.zoo.layouts import keras_pairs
from onegraph.zoo.naming import keras_names
from onegraph.zoo.resnet import Bottleneck, ResNet
from onegraph.zoo.weights import load_into
from tests.zoo.filling import digest, image, kept
from tests.zoo.record_keras import MEAN, VARIANCE, filled

h5py = pytest.importorskip("h5py")
RECORDED = json.loads(Path(__file__).with_name("keras_networks.json").read_text())["networks"]
FIXTURES = Path(__file__).parents[1] / "interop" / "recorded"


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


def variables(model: og.nn.Module) -> dict[str, np.ndarray]:
    """What a file of Keras has for a network, filled by name."""
    names = keras_names(model)
    assert names is not None
    found = {}
    for pair in keras_pairs(model, names):
        if pair.minus:
            found[pair.minus] = filled(pair.minus, pair.shape)
        found[pair.theirs] = filled(pair.theirs, pair.their_shape())
    return found


def write_keras3(path: Path, found: dict[str, np.ndarray]) -> None:
    """As Keras 3 does: groups named after classes, whose attribute is the layer's name."""
    order = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in found.items():
        layers.setdefault(name.rpartition(".")[0], {})[name.rpartition(".")[2]] = array
    with h5py.File(path, "w") as file:
        for number, (layer, arrays) in enumerate(sorted(layers.items())):
            group = file.create_group(f"layers/layer_{number}/vars")
            group.attrs["name"] = layer
            for i, kind in enumerate(k for k in order if k in arrays):
                group.create_dataset(str(i), data=arrays[kind])


def write_keras2(path: Path, found: dict[str, np.ndarray]) -> None:
    """As the published files: lists of names as bytes, depthwise kernels under a name of their own, twice the layer."""
    with h5py.File(path, "w") as file:
        layers = list(dict.fromkeys(name.rpartition(".")[0] for name in found))
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer)
            kinds = [name.rpartition(".")[2] for name in found if name.rpartition(".")[0] == layer]
            deep = [k for k in kinds if k == "kernel" and found[f"{layer}.kernel"].shape[-1] == 1]
            names = {k: f"{layer}_1/{'depthwise_kernel' if k in deep else k}:0" for k in kinds}
            group.attrs["weight_names"] = [names[k].encode() for k in kinds]
            for kind in kinds:
                group.create_dataset(names[kind], data=found[f"{layer}.{kind}"])


BLOCK = ("1_conv", "1_bn", "2_conv", "2_bn", "0_conv", "3_conv", "0_bn", "3_bn")  # as Keras lists a first block
QUICK = ("mobilenet_v3_small",)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in RECORDED])
def test_networks_give_what_keras_gives(name: str, tmp_path: Path) -> None:
    row = RECORDED[name]
    found = variables(zoo.network(name).make(num_classes=10))
    assert len(found) == row["count"]
    assert digest((n, a.shape, "float32") for n, a in found.items()) == row["names"]
    if name == "resnet50":
        write_keras2(tmp_path / "weights.h5", found)
    else:
        write_keras3(tmp_path / "model.weights.h5", found)
    model = zoo.network(name).make(num_classes=10, weights=next(tmp_path.iterdir())).eval()
    assert is_keras(model)
    pixels = image((2, 3, row["size"], row["size"]))
    if name.startswith("efficientnet"):
        pixels = (pixels / 255 - np.reshape(MEAN, (3, 1, 1))) / np.sqrt(np.reshape(VARIANCE, (3, 1, 1)))
    with og.no_grad():
        result = kept(model(og.tensor(pixels.astype(np.float32))).numpy())
    assert result["shape"] == row["shape"]
    scale = row["norm"] / np.prod(row["shape"]) ** 0.5
    np.testing.assert_allclose(result["values"], row["values"], rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param("mobilenet_v1", "back.h5", marks=pytest.mark.slow),
        ("mobilenet_v3_small", "back.weights.h5"),
        pytest.param("densenet121", "back.weights.h5", marks=pytest.mark.slow),
    ],
)
def test_back_to_keras(name: str, file: str, tmp_path: Path) -> None:
    found = variables(zoo.network(name).make(num_classes=10))
    write_keras2(tmp_path / "given.h5", found)
    model = zoo.network(name).make(num_classes=10, weights=tmp_path / "given.h5")
    zoo.save_weights(model, tmp_path / file)
    again = read_keras_weights(tmp_path / file)
    assert again.keys() == found.keys()
    assert all(np.array_equal(again[key], found[key]) for key in found)


def test_biases_of_residual_networks_go_into_the_means(tmp_path: Path) -> None:
    net = ResNet(Bottleneck, (1, 1, 1, 1), 10, channels=8)
    found = variables(net)
    write_keras2(tmp_path / "given.h5", found)
    load_into(net, "resnet50", tmp_path / "given.h5")
    zoo.save_weights(net, tmp_path / "back.h5")
    again = read_keras_weights(tmp_path / "back.h5")
    assert again.keys() == found.keys() and not again["conv1_conv.bias"].any()
    with h5py.File(tmp_path / "back.h5") as file:  # Keras 2 goes by the order of layers
        order = [name.decode() for name in file.attrs["layer_names"]]
    assert (
        order[:10] == ["conv1_conv", "conv1_bn", *(f"conv2_block1_{n}" for n in BLOCK)] and order[-1] == "predictions"
    )
    zoo.save_weights(net, tmp_path / "back.weights.h5")
    with h5py.File(tmp_path / "back.weights.h5") as file:  # Keras 3 by class and number
        assert file["layers/conv2d_3/vars"].attrs["name"] == "conv2_block1_0_conv"
        assert file["layers/batch_normalization/vars"].attrs["name"] == "conv1_bn" and "dense" in file["layers"]
    with pytest.raises(UnsupportedError, match="how images are prepared"):
        zoo.save_weights(zoo.as_keras(zoo.efficientnet_b0()), tmp_path / "c.h5")
    mean = found["conv1_bn.moving_mean"] - found["conv1_conv.bias"]
    np.testing.assert_allclose(again["conv1_bn.moving_mean"], mean, atol=1e-7)


def test_a_network_that_computes_otherwise_is_not_written_for_keras(tmp_path: Path) -> None:
    model = zoo.mobilenet_v2()
    with pytest.raises(UnsupportedError, match=r"computes something else") as caught:
        zoo.save_weights(model, tmp_path / "a.h5")
    assert "zoo.as_keras(model)" in str(caught.value)
    for other in (zoo.resnet18(), zoo.vgg11_bn(), zoo.squeezenet1_1(), zoo.efficientnet_lite0()):
        with pytest.raises(UnsupportedError, match="Keras applications have no"):
            zoo.save_weights(other, tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists() and not is_keras(model) and is_keras(zoo.as_keras(model))


# ---- files that Keras wrote


@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
def test_files_of_keras_itself(ending: str) -> None:
    found = read_keras_weights(FIXTURES / f"tiny{ending}")
    shapes = {
        "first.kernel": (3, 3, 2, 3),
        "first.bias": (3,),
        "norm.gamma": (3,),
        "norm.beta": (3,),
        "norm.moving_mean": (3,),
        "norm.moving_variance": (3,),
        "plain.beta": (3,),
        "plain.moving_mean": (3,),
        "plain.moving_variance": (3,),
        "deep.kernel": (2, 2, 3, 1),
        "last.kernel": (3, 2),
        "last.bias": (2,),
    }
    assert {name: array.shape for name, array in found.items()} == shapes
    assert all(np.array_equal(array, filled(name, array.shape)) for name, array in found.items())


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.ones(3))
    with pytest.raises(StorageError, match=r"a\.h5.*not of Keras"):
        read_keras_weights(tmp_path / "a.h5")
    content = (FIXTURES / "tiny.h5").read_bytes()
    for cut in (0, 4, 100, 2000, len(content) // 2):
        (tmp_path / "b.h5").write_bytes(content[:cut])
        with pytest.raises(StorageError, match=r"b\.h5"):
            read_keras_weights(tmp_path / "b.h5")
    with pytest.raises(StorageError, match="no such file"):
        read_keras_weights(tmp_path / "absent.h5")
    (tmp_path / "c.keras").write_bytes(
        (FIXTURES / "tiny.keras").read_bytes().replace(b"model.weights.h5", b"other.weights.h5")
    )
    with pytest.raises(StorageError, match=r"no model\.weights\.h5"):
        read_keras_weights(tmp_path / "c.keras")


def test_what_is_missing_is_listed_under_keras_names(tmp_path: Path) -> None:
    model = zoo.mobilenet_v1(num_classes=10)
    found = variables(model)
    del found["conv_dw_3.kernel"]
    found["conv_pw_3.kernels"] = found.pop("conv_pw_3.kernel")
    found["conv1.kernel"] = found["conv1.kernel"][:, :, :1]
    arrays: dict[str, dict[str, Any]] = {}
    for name, array in found.items():
        arrays.setdefault(name.rpartition(".")[0], {})[name.rpartition(".")[2]] = array
    write_keras_weights(arrays, tmp_path / "a.h5")
    with pytest.raises(StateError) as caught:
        load_into(model, "mobilenet_v1", tmp_path / "a.h5")
    for line in (
        "conv1.kernel: (3, 3, 1, 32) is given, (3, 3, 3, 32) is needed",
        "conv_dw_3.kernel: missing",
        "conv_pw_3.kernels: no place for it; is it conv_pw_3.kernel?",
    ):
        assert line in str(caught.value)
    with pytest.raises(StateError, match="tell 10 classes apart, mobilenet_v1 was built for 5"):
        load_into(zoo.mobilenet_v1(num_classes=5), "mobilenet_v1", _written(tmp_path / "b.h5", model))


def _written(path: Path, model: og.nn.Module) -> Path:
    write_keras2(path, variables(model))
    return path
