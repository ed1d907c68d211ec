"""Saved models: the same bits as the module that they were made from, for any batch size, and nothing trusted when read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, FeedError, TraceError
from onegraph.ir.dim import Dim
from tests.storage.networks import Net, vectors

F = nn.functional


def image(batch: int, seed: int = 0) -> og.Tensor:
    return og.tensor(np.random.default_rng(seed).standard_normal((batch, 3, 4, 4)).astype(np.float32))


def flat(value: Any) -> list[og.Tensor]:
    """The tensors of a nested result, in order."""
    if isinstance(value, dict):
        return [t for v in value.values() for t in flat(v)]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in flat(v)]
    return [value] if isinstance(value, og.Tensor) else []


def check_same(
    path: Path, target: Callable[..., Any], make: Callable[[int], Any] = image, sizes: Any = (1, 2, 5)
) -> Any:
    """Save, load, and compare with the original bit for bit."""
    og.save_model(path, target, make(3))
    model = og.load_model(path)
    for batch in sizes:
        wanted, found = flat(target(make(batch))), flat(model(make(batch)))
        assert len(wanted) == len(found) > 0
        for a, b in zip(wanted, found, strict=True):
            assert a.shape == b.shape and a.dtype is b.dtype
            assert a.detach().numpy().tobytes() == b.numpy().tobytes(), (batch, a, b)
    return model


LAYERS = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 2, bias=False)),
    "convolution": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.GELU(), nn.Conv2d(4, 4, 2, groups=2)
    ),
    "transposed convolution": lambda: nn.ConvTranspose2d(3, 2, 2),
    "pooling": lambda: nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten()),
    "adaptive pooling": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.AdaptiveMaxPool2d(1)),
    "batch norm": lambda: nn.BatchNorm2d(3),
    "group norm": lambda: nn.GroupNorm(3, 3),
    "layer norm": lambda: nn.LayerNorm(4),
    "dropout": lambda: nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(0.5)),
    "softmax": lambda: nn.Sequential(nn.Flatten(), nn.Softmax(1), nn.LogSoftmax(-1)),
    "upsample": lambda: nn.Upsample(scale_factor=2),
    "padding": lambda: nn.Sequential(nn.ZeroPad2d(1), nn.ReflectionPad2d(1)),
}

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "view -1": lambda x: x.view(-1, 48),
    "view shape": lambda x: x.view(x.shape[0], -1),
    "reshape size": lambda x: x.reshape(x.size(0), 12, 4).transpose(1, 2),
    "merge": lambda x: x.reshape(x.shape[0] * 3, 16).reshape(x.shape[0], 48),
    "mean of batch": lambda x: x.mean(0),
    "std": lambda x: x.std(),
    "divide by size": lambda x: x.sum() / x.shape[0] + 2 * x.numel(),
    "zeros": lambda x: og.zeros(x.shape[0], 3) + x[:, :, 0, 0] + x.new_zeros(x.shape[0], 1),
    "like": lambda x: og.ones_like(x) * 2 + x,
    "class token": lambda x: og.cat([og.zeros(1, 1, 4, 4).expand(x.shape[0], -1, -1, -1), x], 1),
    "arange": lambda x: x[og.arange(x.shape[0]), 0],
    "argmax": lambda x: x.flatten(1).argmax(1),
    "topk": lambda x: x.flatten(1).topk(3),
    "transposed": lambda x: x.flatten(1).T,
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "in place": lambda x: (x * 1).mul_(2).add_(x),
    "select": lambda x: og.where(x > 0, x, x.flip(0)),
    "nested": lambda x: {"a": x + 1, "b": [x, (x * 2, None)], "c": 3},
    "the input itself": lambda x: x,
    "no input": lambda x: og.ones(2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_give_the_same_bits_for_any_batch_size(tmp_path: Path, name: str) -> None:
    og.manual_seed(1)
    layer = LAYERS[name]().eval()
    for buffer in layer.buffers():
        if buffer.dtype is og.float32:
            buffer.copy_(og.rand(buffer.shape) + 0.5)
    check_same(tmp_path / "model", layer)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_the_same_bits_for_any_batch_size(tmp_path: Path, name: str) -> None:
    model = check_same(tmp_path / "model", FUNCTIONS[name])
    assert model.graph.inputs[0].shape == (Dim.unknown("batch"), 3, 4, 4)


def test_a_module_with_everything(saved: tuple[Path, Net]) -> None:
    path, net = saved
    model = og.load_model(path)
    assert sorted(p.name for p in path.iterdir()) == ["graph.txt", "signature.json", "weights.safetensors"]
    assert model.extra == {"classes": ["a", "b"], "metrics": {"accuracy": 0.5}}
    assert model.signature.name == "Net" and model.signature.version == og.__version__
    assert str(model.signature) == (
        "(left: float32[batch, 4], right: float32[batch, 4]) -> (logits: float32[batch, 4], scores: float32[batch, 4])"
    )
    names = {
        "first.weight",
        "first.bias",
        "second.bias",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "scale",
    }
    assert names < set(model.weights) and len(model.weights) == len(names) + 1, "tied weights once, and the constant"
    for batch in (1, 3):
        a, b = vectors(batch, 5), vectors(batch, 6)
        wanted, found = net(a, b), model(a, right=b)
        arrays = model.run({"right": b.numpy(), "left": a.numpy()})
        assert list(found) == list(arrays) == ["logits", "scores"]
        for key in wanted:
            assert wanted[key].detach().numpy().tobytes() == found[key].numpy().tobytes() == arrays[key].tobytes()


def test_jit_modules_methods_and_jit_functions(tmp_path: Path) -> None:
    net = nn.Linear(4, 2)
    for i, target in enumerate([og.jit(net), net.forward, og.jit(lambda x: net(x))]):
        og.save_model(tmp_path / str(i), target, vectors(2))
        model = og.load_model(tmp_path / str(i))
        assert model(vectors(3)).numpy().tobytes() == net(vectors(3)).detach().numpy().tobytes()
    assert og.load_model(tmp_path / "0").signature.name == "Linear"


def test_names_dicts_and_arrays_as_examples(tmp_path: Path) -> None:
    def forward(x: Any, *, y: Any) -> Any:
        return x - y, y

    og.save_model(
        tmp_path / "m", forward, {"y": np.zeros((2, 3), np.int32), "x": og.ones(2, 3)}, output_names=["d", "e"]
    )
    model = og.load_model(tmp_path / "m")
    assert (
        str(model.signature)
        == "(y: int32[batch, 3], x: float32[batch, 3]) -> (d: float32[batch, 3], e: int32[batch, 3])"
    )
    difference, same = model(x=[[1.5, 2, 3]], y=[[1, 1, 1]])
    assert difference.tolist() == [[0.5, 1.0, 2.0]] and same.dtype is og.int32
    og.save_model(tmp_path / "m", lambda a, b: a + b, [og.ones(2), og.ones(2)], input_names=["p", "q"])
    assert [v.name for v in og.load_model(tmp_path / "m").signature.inputs] == ["p", "q"]


def test_one_result_twice_and_weights_named_as_inputs(tmp_path: Path) -> None:
    weight = og.ones(3)
    weight.name = "x"
    og.save_model(tmp_path / "m", lambda x: [y := x * weight, y], og.ones(2, 3))
    model = og.load_model(tmp_path / "m")
    first, second = model(og.ones(1, 3))
    assert first is second and list(model.weights) == ["x#2"]


def test_a_fixed_batch_size(tmp_path: Path) -> None:
    def peculiar(x: og.Tensor) -> og.Tensor:
        return x * int(x.shape[0])

    with pytest.raises(TraceError, match="peculiar cannot be traced for an unknown batch size") as caught:
        og.save_model(tmp_path / "m", peculiar, vectors(2))
    assert "dynamic_batch=False" in str(caught.value) and not (tmp_path / "m").exists()
    og.save_model(tmp_path / "m", peculiar, vectors(2), dynamic_batch=False)
    model = og.load_model(tmp_path / "m")
    assert model(vectors(2)).tolist() == (vectors(2) * 2).tolist()
    with pytest.raises(FeedError, match=r"input 'x'.*\(2, 4\).*\(3, 4\)"):
        model(vectors(3))


def test_what_cannot_stand_on_its_own_is_refused(tmp_path: Path) -> None:
    counter = og.zeros(1)
    for target, words in [
        (lambda x: x + og.randn(4), "random"),
        (lambda x: x * float(x.sum()), "value"),
        (lambda x: (counter.add_(1), x * counter)[1], "writes to a tensor from outside"),
        (lambda x: 3, "must be tensors"),
        (lambda x: np.ones(3), "must be tensors"),
    ]:
        with pytest.raises(TraceError, match=words):
            og.save_model(tmp_path / "m", target, vectors(2))
    assert counter.item() == 0
    with pytest.raises(ZeroDivisionError):  # a mistake in the model is not blamed on the batch size
        og.save_model(tmp_path / "m", lambda x: x / (1 // 0), vectors(2))
    with pytest.raises(ArgumentTypeError, match="function"):
        og.save_model(tmp_path / "m", {"w": 1}, vectors(2))
    with pytest.raises(ArgumentTypeError, match="example input"):
        og.save_model(tmp_path / "m", lambda x: x, 3)
    with pytest.raises(ArgumentError, match="at least one"):
        og.save_model(tmp_path / "m", lambda: og.ones(1), [])
    with pytest.raises(ArgumentError, match="not one batch size"):
        og.save_model(tmp_path / "m", lambda a, b: a, [og.ones(2), og.ones(3)])
    for names in (["a"], ["a", "a"]):
        with pytest.raises(ArgumentError, match="2 inputs"):
            og.save_model(tmp_path / "m", lambda a, b: a, [og.ones(2), og.ones(2)], input_names=names)
    for extra in ({"x": {1, 2}}, {"x": float("nan")}, {"x": og.ones(1)}):
        with pytest.raises(ArgumentError, match="extra"):
            og.save_model(tmp_path / "m", lambda x: x, vectors(2), extra=extra)
    assert not (tmp_path / "m").exists()


def test_inputs_are_checked(saved: tuple[Path, Net]) -> None:
    model = og.load_model(saved[0])
    good = vectors(2)
    for args, named, words in [
        ((good,), {}, "'right' is missing"),
        ((good, good, good), {}, "takes 2 inputs, got 3"),
        ((good, good), {"left": good}, "'left' is given twice"),
        ((good,), {"right": good, "other": good}, "'other' is not known"),
        ((good, vectors(3)), {}, "'right'.*sizes 2 and 3 differ"),
        ((good, og.ones(2, 5)), {}, r"'right'.*\(2, 5\)"),
        ((good, og.ones(2)), {}, "needs 2 dimensions"),
        ((good, np.ones((2, 4), complex)), {}, r"float32\[batch, 4\], got complex128"),
        ((good, [["a"] * 4] * 2), {}, "float32"),
        ((good, [[1.0], [1.0, 2.0]]), {}, "float32"),
        ((good, None), {}, "float32"),
    ]:
        with pytest.raises(FeedError, match=words):
            model(*args, **named)
    with pytest.raises(FeedError, match="is missing"):
        model.run({"left": good.numpy()})
    assert "Net" in repr(model)


def test_only_conversions_that_keep_the_kind_of_number(tmp_path: Path) -> None:
    og.save_model(tmp_path / "m", lambda x: x, og.zeros(2, dtype=og.uint8))
    model = og.load_model(tmp_path / "m")
    assert model([1, 255]).tolist() == [1, 255]
    for wrong in ([1, 256], [-1, 0], [0.5, 1], np.array([1.0, 2.0]), np.array([1, 2]), og.ones(2)):
        with pytest.raises(FeedError, match="uint8"):
            model(wrong)
    og.save_model(tmp_path / "h", lambda x: x * 3, og.ones(2, dtype=og.bfloat16))
    half = og.load_model(tmp_path / "h")
    assert half(np.array([1.0, 2.0])).dtype is og.bfloat16 and half.run({"x": [1, 2]})["output"].tolist() == [3, 6]
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    og.save_model(tmp_path / "f", lambda x: x.flatten(1), og.ones(2, 3))
    result = og.load_model(tmp_path / "f")(array)
    array[:] = 0
    assert result.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_many_threads_and_many_sizes(saved: tuple[Path, Net]) -> None:
    path, net = saved
    model = og.load_model(path)
    wanted = {n: net(vectors(n), vectors(n, 1))["scores"].detach().numpy().tobytes() for n in range(1, 5)}
    inputs = {n: {"left": vectors(n).numpy(), "right": vectors(n, 1).numpy()} for n in wanted}
    wrong: list[Any] = []

    def serve(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(1, 5, 20):
            try:
                if model.run(inputs[n])["scores"].tobytes() != wanted[n]:
                    wrong.append(n)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=serve, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_programs_can_read_the_weights(saved: tuple[Path, Net]) -> None:
    reader = pytest.importorskip("safetensors.numpy")
    weights = reader.load_file(saved[0] / "weights.safetensors")
    assert weights["scale"].tolist() == [1, 2, 3, 4]
