"""Saved models: the same bits as the module that they were made from, for any batch size, and nothing trusted when read."""

from __future__ import annotations

import json
import os
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, FeedError, GraphError, StorageError, TraceError
from onegraph.ir.dim import Dim
from onegraph.storage.manifest import write_manifest
from onegraph.storage.safetensors import load_file, save_file

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


class Net(nn.Module):
    """Two inputs, a dict of outputs, tied weights, a buffer, a constant, and modules in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(4)
        self.frozen = nn.Dropout(0.5).eval()
        self.register_buffer("scale", og.tensor([1.0, 2.0, 3.0, 4.0]))
        self.table = og.tensor([0.5, 0.25, 0.125, 1.0])

    def forward(self, left: og.Tensor, right: og.Tensor) -> dict[str, og.Tensor]:
        x = self.frozen(self.norm(self.first(left)) + self.second(right)) * self.scale
        return {"logits": x, "scores": x.softmax(-1) * self.table}


def vectors(batch: int, seed: int = 0) -> og.Tensor:
    return og.tensor(np.random.default_rng(seed).standard_normal((batch, 4)).astype(np.float32))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Net]:
    og.manual_seed(0)
    net = Net()
    net(vectors(6), vectors(6, 1))["logits"].sum().backward()  # gradients and statistics are there
    path = tmp_path_factory.mktemp("models") / "net"
    og.save_model(path, net, (vectors(2), vectors(2)), extra={"classes": ["a", "b"], "metrics": {"accuracy": 0.5}})
    assert net.training and net.norm.training and not net.frozen.training, "the modes are restored"
    return path, net.eval()


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


# ---- damage and hostility


def copy_of(saved: tuple[Path, Net], to: Path) -> Path:
    to.mkdir()
    for file in saved[0].iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_flipped_and_cut_files_are_named(saved: tuple[Path, Net], tmp_path: Path) -> None:
    folder = copy_of(saved, tmp_path / "m")
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for position in np.random.default_rng(0).integers(0, len(content), 40):
            if content[position : position + 1].isspace():
                continue
            file.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
            )
            with pytest.raises(StorageError, match=r"graph\.txt|signature\.json|weights\.safetensors"):
                og.load_model(folder)
        for length in (0, 1, len(content) // 2, len(content) - 2):
            file.write_bytes(content[:length])
            with pytest.raises(StorageError, match=file.name):
                og.load_model(folder)
        file.write_bytes(content + b"{}")
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        file.unlink()
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        os.mkfifo(file)
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        file.unlink()
        file.write_bytes(content)
    og.load_model(folder)
    (folder / ".hidden").write_text("tools leave such files")
    og.load_model(folder)
    (folder / "run_me.py").write_text("raise SystemExit")
    with pytest.raises(StorageError, match=r"run_me\.py.*no part"):
        og.load_model(folder)


def tamper(folder: Path, graph: Any = None, weights: Any = None, signature: Any = None) -> None:
    """Change files as an attacker does, who writes checksums that fit."""
    if graph:
        file = folder / "graph.txt"
        changed = graph(file.read_text())
        assert changed != file.read_text()
        file.write_text(changed, encoding="utf-8", errors="surrogateescape")
    if weights:
        arrays, _ = load_file(folder / "weights.safetensors")
        weights(arrays)
        save_file(arrays, folder / "weights.safetensors")
    content = json.loads((folder / "signature.json").read_text())
    if signature:
        signature(content)
    files = ["graph.txt", "weights.safetensors"]
    kept = {k: v for k, v in content.items() if k not in ("files", "sha256")}
    write_manifest(folder / "signature.json", kept, files)


@pytest.mark.parametrize(
    "graph",
    [
        lambda t: "",
        lambda t: "not a graph",
        lambda t: t.replace("f32[batch, 4]", "f32[batch, 5]"),
        lambda t: t.replace("f32[batch, 4]", "f32[9223372036854775807, 4]"),
        lambda t: t.replace("batch", "other"),
        lambda t: t.replace("matmul", "no_such_op"),
        lambda t: t.replace("matmul", "iota"),
        lambda t: t.replace("dims=(1,)", "dims=(99999999999999,)"),
        lambda t: t.replace("dims=(1,)", f"dims={'(' * 5000}"),
        lambda t: t.replace("matmul", "__import__"),
        lambda t: t[: len(t) // 2],
        lambda t: t + t,
        lambda t: "(" * 200_000,
        lambda t: t.replace("\n  return", "\n  %999: i64[huge] = iota(length=dim(huge), dtype=i64)\n  return %999,", 1),
        lambda t: t.replace("batch", "batch*batch*(batch + 1)"),
        lambda t: t + "\udcff",
    ],
)
def test_hostile_graphs_are_refused(saved: tuple[Path, Net], tmp_path: Path, graph: Any) -> None:
    folder = copy_of(saved, tmp_path / "m")
    tamper(folder, graph=graph)
    with pytest.raises((StorageError, GraphError), match=r"graph\.txt") as caught:
        og.load_model(folder)
    assert str(folder) in str(caught.value)


def _set(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        *path, last = place.split(".")
        target: Any = content
        for key in path:
            target = target[int(key) if key.isdecimal() else key]
        target[int(last) if last.isdecimal() else last] = value

    return change


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("inputs", []),
        ("inputs", "left"),
        ("inputs", [1]),
        ("inputs.0.name", 3),
        ("inputs.0.name", "right"),
        ("inputs.0.dtype", "float64"),
        ("inputs.0.dtype", "object"),
        ("inputs.0.shape", ["batch", 5]),
        ("inputs.0.shape", [None, 4]),
        ("inputs.0.shape", 3),
        ("inputs.0.more", 3),
        ("outputs", []),
        ("outputs.0.shape", [4]),
        ("extra", []),
        ("name", None),
        ("result", None),
        ("result", {"tensor": "7"}),
        ("result", {"array": "0"}),
        ("result", {"eval": "0"}),
        ("format", "pickle"),
        ("version", 99),
    ],
)
def test_hostile_signatures_are_refused(saved: tuple[Path, Net], tmp_path: Path, place: str, value: Any) -> None:
    folder = copy_of(saved, tmp_path / "m")
    tamper(folder, signature=_set(place, value))
    with pytest.raises(StorageError, match=r"signature\.json"):
        og.load_model(folder)


def test_files_outside_the_folder_are_never_listed(saved: tuple[Path, Net], tmp_path: Path) -> None:
    folder = copy_of(saved, tmp_path / "m")
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    content = json.loads((folder / "signature.json").read_text())
    kept = {k: v for k, v in content.items() if k not in ("files", "sha256")}
    write_manifest(folder / "signature.json", kept, ["graph.txt", "../weights.safetensors"])
    with pytest.raises(StorageError, match=r"signature\.json.*must list the files"):
        og.load_model(folder)
    (folder / "signature.json").write_text("[" * 1_000_000)
    with pytest.raises(StorageError, match=r"signature\.json"):
        og.load_model(folder)


def test_weights_that_do_not_fit_the_graph_are_refused(saved: tuple[Path, Net], tmp_path: Path) -> None:
    changes: list[Callable[[dict[str, Any]], Any]] = [
        lambda arrays: arrays.pop("scale"),
        lambda arrays: arrays.update(extra=arrays["scale"]),
        lambda arrays: arrays.update({"../scale": arrays.pop("scale")}),
        lambda arrays: arrays.update(scale=np.ones(5, np.float32)),
        lambda arrays: arrays.update(scale=np.ones(4, np.float64)),
        lambda arrays: arrays.update(scale=np.ones((), np.float32)),
    ]
    for i, change in enumerate(changes):
        folder = copy_of(saved, tmp_path / str(i))
        tamper(folder, weights=change)
        with pytest.raises(StorageError, match=r"weights\.safetensors.*scale|weights\.safetensors.*extra"):
            og.load_model(folder)
    folder = copy_of(saved, tmp_path / "huge")
    header = json.dumps({"scale": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    tamper(folder)
    with pytest.raises(StorageError, match=r"weights\.safetensors"):
        og.load_model(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked writers")
def test_a_killed_writer_leaves_the_model_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model"

    def write(number: int) -> None:
        weight = og.tensor(np.full((100, 100), number, np.float32))
        og.save_model(path, lambda x: x @ weight, og.ones(2, 100), extra={"number": number})

    write(0)
    newest = 0
    chance = np.random.default_rng(7)
    for _ in range(15):
        child = os.fork()
        if child == 0:
            try:
                for number in range(newest + 1, newest + 1000):
                    write(number)
            finally:
                os._exit(1)
        time.sleep(float(chance.uniform(0.002, 0.03)))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the writer died by itself"
        model = og.load_model(path)
        assert model.extra["number"] >= newest
        newest = model.extra["number"]
        (weight,) = model.weights.values()
        assert (weight.numpy() == newest).all(), "files of two versions are mixed"
    assert newest > 0
    write(newest + 1)
    assert os.listdir(tmp_path) == ["model"]


def test_other_programs_can_read_the_weights(saved: tuple[Path, Net]) -> None:
    reader = pytest.importorskip("safetensors.numpy")
    weights = reader.load_file(saved[0] / "weights.safetensors")
    assert weights["scale"].tolist() == [1, 2, 3, 4]
