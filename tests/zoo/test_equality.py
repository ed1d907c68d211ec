"""Every network gives what PyTorch's own modules give for the same weights, and weights go there and back in files.

The networks of PyTorch are those of `bench/twin.py`. Weights that PyTorch saved are read by the zoo, weights that the
zoo saved by `torch.load(weights_only=True)`. What differs is at most 1e-4 of the largest output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.zoo.weights import load_into

torch = pytest.importorskip("torch")
from bench.twin import twin_of  # noqa: E402  (needs torch)

TOLERANCE = 1e-4
QUICK = ("lenet5", "mlp", "resnet20", "squeezenet1_1", "mobilenet_v3_small", "resnet18", "gpt", "lstm", "vae")
NATIVE = ("lenet5", "resnet20", "squeezenet1_1", "gpt", "efficientnet_lite0")
SMALLER = {  # where the numbers of a last layer alone would take half a gigabyte, or a test half a minute
    **{name: {"hidden": 64} for name in zoo.names(family="VGG")},
    "gpt": {"width": 32, "layers": 2, "heads": 2, "context": 8},
    "gpt2": {"vocabulary": 50, "width": 32, "layers": 2, "heads": 2, "context": 8},
    "lstm": {"width": 16},
}


def arguments(name: str) -> dict[str, Any]:
    entry = zoo.network(name)
    classes = {"num_classes": 10} if entry.task == "classify" else {}
    return {**entry.options_with_weights, **classes, **SMALLER.get(name, {})}


def built(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network of PyTorch; its first values are not drawn, which takes longer than all the rest."""
    with monkeypatch.context() as patch:
        for drawing in (
            "kaiming_normal_",
            "kaiming_uniform_",
            "normal_",
            "trunc_normal_",
            "uniform_",
            "xavier_uniform_",
        ):
            patch.setattr(torch.nn.init, drawing, lambda tensor, *args, **options: tensor)
        return twin_of(zoo.NETWORKS[name].make)(**arguments(name)).eval()


def filled(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Random numbers under which values neither vanish nor explode."""
    rng = np.random.default_rng(seed)
    state: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        leaf = name.rpartition(".")[2]
        if leaf == "num_batches_tracked":
            state[name] = np.array(seed)
        elif leaf == "running_var":
            state[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        elif len(shape) > 1:
            state[name] = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        elif leaf == "weight":
            state[name] = rng.uniform(0.5, 1.0, shape).astype(np.float32)
        else:
            state[name] = rng.standard_normal(shape, np.float32) * np.float32(0.1)
    if "lm_head.weight" in state and "transformer.wte.weight" in state:
        state["lm_head.weight"] = state["transformer.wte.weight"]  # one table
    return state


def batch(name: str, count: int = 2) -> np.ndarray:
    entry = zoo.network(name)
    rng = np.random.default_rng(5)
    if entry.task == "language":
        return rng.integers(0, 50, (count, 8))
    if name.endswith("generator"):
        return rng.standard_normal((count, 100), np.float32)
    if name.endswith("discriminator") or entry.min_size == 0:
        return rng.standard_normal((count, 3, 64, 64), np.float32)
    size = entry.min_size if entry.input_size != (32, 32) else 32
    return rng.random((count, entry.in_channels, size, size), np.float32)


def first(result: Any) -> Any:
    while isinstance(result, tuple):
        result = result[0]
    return result.detach().numpy()


def difference(ours: Any, theirs: Any, values: np.ndarray) -> float:
    with torch.no_grad(), og.no_grad():
        wanted, found = first(theirs(torch.tensor(values))), first(ours(og.tensor(values)))
    assert found.shape == wanted.shape and np.abs(wanted).max() > 1e-3, "outputs say something"
    assert wanted.std() > 1e-4 * np.abs(wanted).max(), "and something different for each image or class"
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def there_and_back(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = built(name, monkeypatch)
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    theirs.load_state_dict({key: torch.tensor(value) for key, value in filled(shapes, 1).items()})
    torch.save(theirs.state_dict(), folder / "theirs.pth")
    ours = zoo.network(name).make(**arguments(name)).eval()
    load_into(ours, name, folder / "theirs.pth")
    values = batch(name)
    assert difference(ours, theirs, values) < TOLERANCE, "weights of PyTorch"
    (folder / "theirs.pth").unlink()
    ours.load_state_dict(filled(shapes, 2))
    assert difference(ours, theirs, values) > 100 * TOLERANCE, "other weights"
    zoo.save_weights(ours, folder / "ours.pth")
    theirs.load_state_dict(torch.load(folder / "ours.pth", weights_only=True))
    assert difference(ours, theirs, values) < TOLERANCE, "weights of onegraph"
    (folder / "ours.pth").unlink()


def marked(names: Any, quick: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def test_every_network_is_built_from_both() -> None:
    for network in zoo.NETWORKS.values():
        assert twin_of(network.make).__code__.co_filename == network.make.__wrapped__.__code__.co_filename  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", marked([n for n in zoo.NETWORKS if n != "resnet1202"], QUICK))
def test_weights_go_there_and_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with og.config.using(backend="reference"):  # operation by operation; compiled below
        there_and_back(name, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", marked(NATIVE, ("lenet5", "gpt")))
def test_compiled_networks_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there_and_back(name, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet5", {}),
        ("resnet20", {}),
        pytest.param("mobilenet_v2", {"dropout": 0.0}, marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", {"dropout": 0.0, "stochastic_depth_prob": 0.0}, marks=pytest.mark.slow),
    ],
)
def test_gradients_in_training_agree(name: str, options: dict[str, Any]) -> None:
    """In float64, where no rounding turns a ReLU the other way."""
    torch.manual_seed(0)
    theirs = twin_of(zoo.NETWORKS[name].make)(num_classes=10, **options).double().train()
    ours = zoo.network(name).make(num_classes=10, **options).double().train()
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    values, labels = batch(name, 8).astype(np.float64), np.arange(8)
    loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(values)), torch.tensor(labels))
    loss.backward()
    with og.config.using(backend="reference"):
        mine = og.nn.functional.cross_entropy(ours(og.tensor(values)), og.tensor(labels))
        mine.backward()
        assert mine.item() == pytest.approx(loss.item(), rel=1e-9)
        largest = max(p.grad.abs().max().item() for p in theirs.parameters())
        for (key, found), wanted in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            away = np.abs(found.grad.numpy() - wanted.grad.numpy()).max()
            assert away < 1e-7 * max(wanted.grad.abs().max().item(), 1e-3 * largest), key
        for (key, found), (_, wanted) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-8, atol=1e-10, err_msg=key)
