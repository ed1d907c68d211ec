"""Weights in all the files that the world has: read into networks, refused with a full list of what differs, written back."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.errors import ArgumentError, DownloadError, StateError, StorageError, UnsafeFileError
from onegraph.storage.safetensors import save_file
from onegraph.zoo import complaints, published
from onegraph.zoo.layouts import plain_pairs
from onegraph.zoo.naming import melas_names, timm_names
from onegraph.zoo.resnet import BasicBlock, Bottleneck, ResNet
from onegraph.zoo.vgg import make_layers
from onegraph.zoo.weights import find_weights, load_into, read_weights, shape_in
from tests.interop.server import serve
from tests.zoo.filling import digest

State = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


def small(classes: int = 4, block: type = BasicBlock) -> ResNet:
    """A residual network that is quick to build."""
    return ResNet(block, (1, 1, 1, 1), classes, channels=8)


def random_state(model: og.nn.Module, seed: int = 0) -> State:
    """Random numbers for each tensor of a network; variances are positive."""
    rng = np.random.default_rng(seed)
    state: State = {}
    for name, tensor in model.state_dict().items():
        shape = tuple(int(n) for n in tensor.shape)
        if name.endswith("num_batches_tracked"):
            state[name] = np.array(7)
        else:
            values = rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(max(1, np.prod(shape[1:]))))
            state[name] = np.abs(values) + np.float32(0.5) if name.endswith("running_var") else values
    return state


def equal(model: og.nn.Module, state: State) -> bool:
    found = model.state_dict()
    return list(found) == list(state) and all(np.array_equal(found[name].numpy(), state[name]) for name in state)


STATE = random_state(small())


# ---- files


def test_files_of_every_kind(tmp_path: Path) -> None:
    tensors = {name: og.tensor(value) for name, value in STATE.items()}
    og.save(tensors, tmp_path / "a.pth")
    og.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tensors.items()}, "best": 0.5}, tmp_path / "b.pth.tar"
    )
    og.save({"model": {f"_orig_mod.module.{k}": v for k, v in tensors.items()}, "args": {"lr": 1}}, tmp_path / "c.pt")
    wrong = {k: v * 0 for k, v in tensors.items()}
    og.save({"state_dict": wrong, "state_dict_ema": tensors}, tmp_path / "d.bin")
    og.save({"model": wrong, "model_ema": {"n_averaged": og.tensor(5), **tensors}}, tmp_path / "e.ckpt")
    save_file(STATE, tmp_path / "f.safetensors")
    og.save(tensors, tmp_path / "g.safetensors")
    og.storage.save_checkpoint(tmp_path / "h", {"model": tensors, "step": 3})
    names = list(STATE)
    pieces = {"one.safetensors": names[:10], "two.safetensors": names[10:]}
    (tmp_path / "i").mkdir()
    for piece, inside in pieces.items():
        save_file({name: STATE[name] for name in inside}, tmp_path / "i" / piece)
    index = {"metadata": {}, "weight_map": {name: piece for piece, inside in pieces.items() for name in inside}}
    (tmp_path / "i" / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in sorted(tmp_path.iterdir()):
        model = small()
        loaded = load_into(model, "small", path if path.name < "c" else str(path))
        assert equal(model, STATE), path
        assert loaded.layout == "torchvision" and loaded.count == len(STATE) and loaded.source == str(path)
        assert not loaded.left_out and not loaded.not_used
    model = small()
    load_into(model, "small", tmp_path / "i" / "model.safetensors.index.json")
    assert equal(model, STATE)
    load_into(model, "small", STATE)
    load_into(model, "small", {name: og.tensor(value).half() for name, value in STATE.items()})
    assert model.conv1.weight.dtype == og.float32
    np.testing.assert_array_equal(model.conv1.weight.detach().numpy(), STATE["conv1.weight"].astype(np.float16))


def test_a_saved_model(tmp_path: Path) -> None:
    model = small()
    model.load_state_dict(STATE)
    og.save_model(tmp_path / "model", model.eval(), og.zeros(1, 3, 32, 32))
    again = small()
    load_into(again, "small", tmp_path / "model")
    assert all(np.array_equal(p.detach().numpy(), STATE[name]) for name, p in again.named_parameters())


def test_pieces_that_lack_something(tmp_path: Path) -> None:
    save_file({"a": np.ones(2)}, tmp_path / "one.safetensors")
    for weight_map, words in (
        ({"a": "one.safetensors", "b": "one.safetensors"}, "the pieces lack b"),
        ({"a": "../one.safetensors"}, "another folder"),
        ({"a": "two.safetensors"}, "no such file"),
        (None, "no index of weights|cannot read"),
    ):
        (tmp_path / "x.index.json").write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(StorageError, match=words):
            read_weights(tmp_path / "x.index.json")


def test_counters_of_older_files_may_be_missing(tmp_path: Path) -> None:
    older = {name: value for name, value in STATE.items() if not name.endswith("num_batches_tracked")}
    model = small()
    assert load_into(model, "small", older).count == len(older)
    assert int(model.bn1.num_batches_tracked) == 0


def test_older_names_of_densenet(tmp_path: Path) -> None:
    def net() -> og.nn.Module:
        return zoo.DenseNet(4, (2, 2), 8, 2, num_classes=3)

    state = random_state(net())
    model = net()
    older = {k.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): v for k, v in state.items()}
    assert sum(name in state for name in older) < len(state)
    load_into(model, "densenet121", older)
    assert equal(model, state)


def test_a_malicious_file_runs_nothing(tmp_path: Path) -> None:
    pickle = b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch evil!\x85R."
    import zipfile

    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as file:
        file.writestr("archive/data.pkl", pickle)
    with pytest.raises(UnsafeFileError, match=r"evil\.pth.*posix\.system.*nothing was run"):
        zoo.resnet18(weights=tmp_path / "evil.pth")


# ---- what does not fit


def test_everything_that_differs_is_listed() -> None:
    before = random_state(small(), 1)
    model = small()
    model.load_state_dict(before)
    changed = {name: value for name, value in STATE.items() if not name.startswith("layer2.0.bn1")}
    changed["layer1.0.conv1.weights"] = changed.pop("layer1.0.conv1.weight")
    changed["conv1.weight"] = np.zeros((8, 3, 5, 5), np.float32)
    changed["mine.too"] = np.zeros(2, np.float32)
    with pytest.raises(StateError) as caught:
        load_into(model, "small", changed)
    text = str(caught.value)
    for line in (
        "the weights in a dict do not fit small (1 of another shape, 5 missing, 2 without a place):",
        "  conv1.weight: (8, 3, 5, 5) is given, (8, 3, 7, 7) is needed",
        *(f"  layer2.0.bn1.{kind}: missing" for kind in ("weight", "bias", "running_mean", "running_var")),
        "  layer1.0.conv1.weight: missing",
        "  layer1.0.conv1.weights: no place for it; is it layer1.0.conv1.weight?",
        "  mine.too: no place for it\n",
    ):
        assert line in text, line
    assert equal(model, before), "nothing was changed"


def test_weights_of_another_network_are_recognized() -> None:
    state = {
        k: np.broadcast_to(np.float32(0), tuple(v.shape)) for k, v in zoo.resnet18(num_classes=7).state_dict().items()
    }
    with pytest.raises(StateError, match="these look like the weights of resnet18"):
        load_into(zoo.resnet34(), "resnet34", state)
    with pytest.raises(StateError, match="these look like the weights of resnet18"):
        load_into(zoo.squeezenet1_1(), "squeezenet1_1", state)
    names = complaints.looks_like({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")})
    assert names == ["resnet18"]


@pytest.mark.slow
def test_the_table_of_sizes_is_up_to_date() -> None:
    wanted = {name: complaints.size_of(entry) for name, entry in zoo.NETWORKS.items() if entry.task == "classify"}
    assert complaints._sizes() == wanted


def test_another_number_of_classes(tmp_path: Path) -> None:
    model = small(9)
    with pytest.raises(StateError, match="tell 4 classes apart, resnet18 was built for 9") as caught:
        load_into(model, "resnet18", STATE)
    assert "replace_head(model, 9)" in str(caught.value) and "strict_head=False" in str(caught.value)
    assert "fc.weight: (4, 64) is given, (9, 64) is needed" in str(caught.value)
    head = model.fc.weight.detach().numpy().copy()
    loaded = load_into(model, "resnet18", STATE, strict_head=False)
    assert loaded.left_out == ["fc.weight", "fc.bias"] and loaded.count == len(STATE) - 2
    np.testing.assert_array_equal(model.fc.weight.detach().numpy(), head)
    np.testing.assert_array_equal(model.layer4[0].bn2.bias.detach().numpy(), STATE["layer4.0.bn2.bias"])
    with pytest.raises(StateError, match="1 missing"):  # only the head may differ
        load_into(model, "resnet18", {k: v for k, v in STATE.items() if k != "conv1.weight"}, strict_head=False)


def test_auxiliary_heads_may_be_missing_or_too_many() -> None:
    full = zoo.googlenet(num_classes=3, init_weights=False)
    state = {k: np.zeros(tuple(v.shape), np.float32) for k, v in full.state_dict().items()}
    without = {k: v for k, v in state.items() if not k.startswith("aux")}
    loaded = load_into(full, "googlenet", without)
    assert loaded.left_out and all(name.startswith("aux") for name in loaded.left_out)
    plain = zoo.googlenet(num_classes=3, aux_logits=False, init_weights=False)
    loaded = load_into(plain, "googlenet", state)
    assert not loaded.left_out and all(name.startswith("aux") for name in loaded.not_used) and loaded.not_used
    half = {k: v for k, v in state.items() if not k.startswith("aux1.conv")}
    with pytest.raises(StateError, match=r"aux1\.conv\.conv\.weight: missing"):
        load_into(zoo.googlenet(num_classes=3, init_weights=False), "googlenet", half)


@pytest.mark.parametrize(
    ("value", "words"),
    [({}, "holds no tensors"), ({"epoch": 3}, "holds no tensors"), ({"state_dict": {}}, "holds no tensors")],
)
def test_a_dict_without_tensors(value: Any, words: str) -> None:
    with pytest.raises(StateError, match=words):
        load_into(small(), "small", value)


# ---- published names


def test_names_paths_and_neither(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"resnet18: there is no file 'weights\.pth'") as caught:
        zoo.resnet18(weights="weights.pth")
    assert "IMAGENET1K_V1" in str(caught.value)
    with pytest.raises(StorageError, match="there is no file"):
        zoo.resnet18(weights=tmp_path / "absent")
    with pytest.raises(ArgumentError, match="has no published weights 'IMAGENET1K_V9'"):
        zoo.resnet18(weights="IMAGENET1K_V9")
    with pytest.raises(ArgumentError, match="no weights of lenet5 are published"):
        zoo.lenet5(weights="DEFAULT")
    with pytest.raises(ArgumentError, match="neither a path nor a name"):
        zoo.resnet18(weights=3)
    with pytest.raises(StorageError, match=r"neither a zip archive nor a pickle|header"):
        (tmp_path / "noise.pth").write_bytes(b"noise" * 100)
        zoo.resnet18(weights=tmp_path / "noise.pth")


def test_published_weights_are_fetched_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = published.find_published("squeezenet1_1")
    state = random_state(zoo.squeezenet1_1())
    og.save({name: og.tensor(value) for name, value in state.items()}, tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    monkeypatch.setattr("onegraph.hub._hub_dir", None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as server, og.config.using(download_folder=str(tmp_path / "kept")):
        server.files["/" + entry.file] = content

        def elsewhere(checksum: str) -> None:
            changed = {**vars(entry), "url": f"{server.url}/{entry.file}", "checksum": checksum}
            monkeypatch.setattr(published, "_published", lambda: {"squeezenet1_1": [published.Published(**changed)]})

        elsewhere("sha256:00000000")
        with pytest.raises(DownloadError, match="checksum"):
            zoo.squeezenet1_1(weights="DEFAULT", progress=False)
        elsewhere("sha256:" + hashlib.sha256(content).hexdigest()[:8])
        model = zoo.squeezenet1_1(weights="DEFAULT", progress=False)
        assert equal(model, state)
        names = enum.Enum("SqueezeNet1_1_Weights", {"IMAGENET1K_V1": 1})
        path = find_weights("squeezenet1_1", names.IMAGENET1K_V1, progress=False)
        assert path == tmp_path / "kept" / "hub" / "checkpoints" / entry.file and len(server.requests) == 2


def test_without_a_network_the_error_says_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = published.find_published("resnet18")
    gone = published.Published(**{**vars(entry), "url": f"http://127.0.0.1:9/{entry.file}"})
    monkeypatch.setattr(published, "_published", lambda: {"resnet18": [gone]})
    monkeypatch.setattr("onegraph.interop.download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("onegraph.hub._hub_dir", None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with og.config.using(download_folder=str(tmp_path)), pytest.raises(DownloadError) as caught:
        zoo.resnet18(weights="DEFAULT", progress=False)
    assert str(tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth") in str(caught.value)
    assert gone.url in str(caught.value)


# ---- writing back


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    model = small(block=Bottleneck)
    state = random_state(model)
    model.load_state_dict(state)
    zoo.save_weights(model, tmp_path / name)
    again = small(block=Bottleneck)
    load_into(again, "small", tmp_path / name)
    assert equal(again, state)
    assert list(read_weights(tmp_path / name)) == list(state) if name == "a.pth" else True


def test_formats_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="one of torchvision, timm, keras, safetensors"):
        zoo.save_weights(small(), tmp_path / "a.pth", format="onnx")
    with pytest.raises(ArgumentError, match="names no format"):
        zoo.save_weights(small(), tmp_path / "weights")


# ---- timm and EfficientNet-PyTorch

TIMM = {  # digests of the names and shapes in timm 1.0.31
    "efficientnet_b0": "b8e383f3bd13460e",
    "efficientnet_lite0": "f9187420517d5c01",
    "efficientnet_v2_s": "de17f08d7578a20f",
    "mobilenet_v2": "34d5748cf8871612",
    "mobilenet_v3_large": "404060d88b09dfc2",
    "mobilenet_v3_small": "1b7c542559fe24fd",
    "vgg11_bn": "b8f9a77a0d2a00e7",
    "vgg16": "4d5f2294c1ebe233",
    "resnet50": "a7028d47e99e167a",
    "densenet121": "93ef87ad256be648",
}


@pytest.mark.parametrize("name", TIMM)
def test_names_and_shapes_are_those_of_timm(name: str) -> None:
    model = zoo.network(name).make()
    pairs = plain_pairs(model, timm_names(model))
    assert digest((p.theirs, p.their_shape(), "") for p in pairs) == TIMM[name]


def test_there_and_back_under_the_names_of_others(tmp_path: Path) -> None:
    for make in (
        lambda: zoo.mobilenet_v3_small(num_classes=3, width_mult=0.25),
        lambda: zoo.VGG(make_layers((8, "M", 16)), 3, hidden=8),
    ):
        model = make()
        state = random_state(model)
        model.load_state_dict(state)
        zoo.save_weights(model, tmp_path / "timm.pth", format="timm")
        assert any(name.startswith(("blocks.", "pre_logits.")) for name in read_weights(tmp_path / "timm.pth"))
        again = make()
        assert load_into(again, "net", tmp_path / "timm.pth").layout == "timm" and equal(again, state)
    lite = zoo.efficientnet_lite0(num_classes=3)
    state = random_state(lite)
    names = melas_names(lite)
    assert names is not None
    theirs = {p.theirs: state[p.ours] for p in plain_pairs(lite, names)}
    assert "_blocks.15._project_conv.weight" in theirs and "_fc.bias" in theirs
    assert load_into(lite, "efficientnet_lite0", theirs).layout == "melas" and equal(lite, state)
    assert shape_in(zoo.efficientnet_lite0(), theirs, "classifier.1.weight") == (3, 1280)
