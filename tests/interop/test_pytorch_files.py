"""Files of `torch.save` are read with the same values, and ours are read by `torch.load(weights_only=True)`."""

from __future__ import annotations

import argparse
import io
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, StorageError

torch = pytest.importorskip("torch")

FORMS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")


def same(ours: Any, theirs: Any) -> bool:
    """Same values, same dtype, same shape."""
    assert isinstance(ours, og.Tensor) and f"torch.{ours.dtype.name}" == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape) and ours.requires_grad == theirs.requires_grad
    theirs = theirs.detach()
    if ours.dtype.name == "bfloat16":
        return torch.equal(torch.tensor(ours.detach().float().numpy()), theirs.float())
    return np.array_equal(ours.detach().numpy(), theirs.numpy())


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> dict:
    return FORMS[request.param]


@pytest.mark.parametrize("mmap", [False, True])
def test_every_dtype(tmp_path: Path, form: dict, mmap: bool) -> None:
    values = {name: torch.arange(6).reshape(2, 3).remainder(2).to(getattr(torch, name)) for name in DTYPES}
    torch.save(values, tmp_path / "a.pth", **form)
    found = og.load(tmp_path / "a.pth", mmap=mmap)
    assert list(found) == list(values) and all(same(found[name], values[name]) for name in values)


def test_layouts(tmp_path: Path, form: dict) -> None:
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    values = {
        "transposed": base.permute(3, 1, 0, 2),
        "channels_last": base.to(memory_format=torch.channels_last),
        "part": base[1:, ::2, 1:3],
        "expanded": torch.ones(1, 3).expand(4, 3),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "single": base[:, :1, :1, :1],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "frozen": torch.nn.Parameter(torch.ones(2), requires_grad=False),
        "buffer": torch.nn.Buffer(torch.ones(2)),
        "graded": torch.ones(2, requires_grad=True),
    }
    torch.save(values, tmp_path / "a.pth", **form)
    found = og.load(tmp_path / "a.pth")
    assert all(same(found[name], values[name]) for name in values)
    assert (
        same((found["transposed"] * 2).realize(), values["transposed"] * 2) if hasattr(og.Tensor, "realize") else True
    )


def test_shared_numbers_stay_shared(tmp_path: Path, form: dict) -> None:
    weight = torch.zeros(3)
    torch.save({"a": weight, "b": weight.detach(), "c": weight}, tmp_path / "a.pth", **form)
    found = og.load(tmp_path / "a.pth")
    found["a"][0] = 5.0
    assert found["b"].tolist() == found["c"].tolist() == [5.0, 0.0, 0.0]


def test_checkpoints_of_training_scripts(tmp_path: Path, form: dict) -> None:
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    state = {
        "epoch": 3,
        "arch": "net",
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1, data="x", sizes=[1, 2]),
        "best": 0.5,
        "history": np.arange(3.0),
        "last": np.float32(1.5),
        "counts": Counter("aab"),
        "by_name": defaultdict(list, {"a": [1]}),
        "folder": Path("a/b"),
        "raw": b"\x00\xff",
        "kinds": (torch.float16, torch.Size([2, 3]), torch.device("cuda:1")),
        "names": {"a", "b"},
        "frozen": frozenset([1]),
        "large": 1 << 80,
        "complex": 1 + 2j,
        "random": torch.get_rng_state(),
    }
    torch.save(state, tmp_path / "a.pth.tar", **form)
    found = og.load(tmp_path / "a.pth.tar", map_location=lambda storage, place: storage)
    assert list(found) == list(state)
    assert isinstance(found["state_dict"], OrderedDict)
    assert found["state_dict"]._metadata["1"] == {"version": 2}
    assert all(same(found["state_dict"][name], value) for name, value in net.state_dict().items())
    moments = optimizer.state_dict()["state"]
    assert all(same(found["optimizer"]["state"][i]["exp_avg"], moments[i]["exp_avg"]) for i in moments)
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    assert found["args"] == state["args"] and found["history"].tolist() == [0.0, 1.0, 2.0]
    found["history"][0] = 7.0  # the user's own
    assert found["last"] == np.float32(1.5) and type(found["last"]) is np.float32
    assert found["counts"] == state["counts"] and found["by_name"] == {"a": [1]} and found["folder"] == "a/b"
    assert found["raw"] == b"\x00\xff" and found["names"] == {"a", "b"} and found["frozen"] == frozenset([1])
    assert found["kinds"] == (og.float16, (2, 3), "cuda:1") and found["large"] == 1 << 80
    assert found["complex"] == 1 + 2j and same(found["random"], state["random"])


def test_other_protocols_and_files(tmp_path: Path) -> None:
    for protocol in (2, 3, 4, 5):
        torch.save({"a": [torch.ones(2), np.ones((2, 3))]}, tmp_path / "a.pth", pickle_protocol=protocol)
        found = og.load(tmp_path / "a.pth")["a"]
        assert found[0].tolist() == [1.0, 1.0] and found[1].tolist() == np.ones((2, 3)).tolist()
    stream = io.BytesIO()
    torch.save({"a": 1}, stream)
    stream.seek(0)
    assert og.load(stream) == {"a": 1}


def test_what_onegraph_does_not_have_is_named(tmp_path: Path) -> None:
    for value, words in (
        (torch.ones(2, dtype=torch.complex64), "ComplexFloatStorage, a type that onegraph does not have"),
        (torch.ones(2).to_sparse(), "a sparse tensor"),
        (torch.ones(2).to(torch.float8_e5m2), "float8_e5m2"),
        (torch.ones(2, dtype=torch.int32).to(torch.uint16), "uint16"),
        (torch.nn.Linear(1, 1), r"a whole model with its code|torch\.nn\.modules"),
    ):
        torch.save([value], tmp_path / "a.pth")
        with pytest.raises(StorageError, match=words):
            og.load(tmp_path / "a.pth")


def test_a_truncated_file(tmp_path: Path, form: dict) -> None:
    torch.save({"weight": torch.randn(1000)}, tmp_path / "a.pth", **form)
    content = (tmp_path / "a.pth").read_bytes()
    for count in (0, 1, 3, 20, 300, 3000, len(content) - 1):
        (tmp_path / "a.pth").write_bytes(content[:count])
        with pytest.raises(StorageError, match=r"a\.pth"):
            og.load(tmp_path / "a.pth")


def test_flipped_numbers_are_found_in_archives(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1000)}, tmp_path / "a.pth")
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes()) + 400] ^= 1
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(StorageError, match="checksum"):
        og.load(tmp_path / "a.pth")


# ---- the other way


@pytest.mark.parametrize("name", ["state.pth", "state.pt", "pytorch_model.bin", "best.pth.tar"])
def test_torch_reads_what_is_saved(tmp_path: Path, name: str) -> None:
    net = og.nn.Sequential(og.nn.Conv2d(3, 4, 3), og.nn.BatchNorm2d(4))
    state = {
        "model": net.state_dict(),
        "step": 7,
        "large": 1 << 70,
        "negative": -(1 << 40),
        "rate": 0.1,
        "text": "ü",
        "raw": b"\x00\xff",
        "flags": [True, False, None],
        "shape": og.ones(2, 3).shape,
        "dtype": og.bfloat16,
        "nested": (1, {2: og.arange(3)}),
        "parameter": og.nn.Parameter(og.ones(2)),
        "pending": og.ones(2) + 1,
        "scalar": og.tensor(2.5),
        "empty": og.zeros(0, 3),
        **{kind: og.ones(2).to(getattr(og, kind)) for kind in DTYPES},
    }
    og.save(state, tmp_path / name)
    found = torch.load(tmp_path / name, weights_only=True)
    assert list(found) == list(state)
    assert all(same(value, found["model"][key]) for key, value in state["model"].items())
    plain = ("step", "large", "negative", "rate", "text", "raw", "flags")
    assert [found[key] for key in plain] == [state[key] for key in plain]
    assert found["shape"] == torch.Size([2, 3]) and found["dtype"] is torch.bfloat16
    assert found["nested"][0] == 1 and found["nested"][1][2].tolist() == [0, 1, 2]
    assert isinstance(found["parameter"], torch.nn.Parameter) and found["pending"].tolist() == [2.0, 2.0]
    assert all(same(state[key], found[key]) for key in ("scalar", "empty", *DTYPES))
    again = og.load(tmp_path / name)
    assert [again[key] for key in plain] == [state[key] for key in plain]


def test_torch_maps_what_is_saved_into_memory(tmp_path: Path) -> None:
    og.save({"a": og.arange(1000), "b": og.ones(3)}, tmp_path / "a.pth")
    found = torch.load(tmp_path / "a.pth", weights_only=True, mmap=True)
    assert found["a"].tolist() == list(range(1000)) and found["b"].data_ptr() % 64 == 0


def test_shared_numbers_stay_shared_in_torch(tmp_path: Path) -> None:
    weight = og.zeros(3)
    og.save({"a": weight, "b": weight.detach()}, tmp_path / "a.pth")
    found = torch.load(tmp_path / "a.pth", weights_only=True)
    assert found["a"].data_ptr() == found["b"].data_ptr()


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(["x", "yz"]), "c": np.ones(2, np.uint8)}
    og.save(arrays, tmp_path / "a.pth")
    for found in (og.load(tmp_path / "a.pth"), torch.load(tmp_path / "a.pth", weights_only=False)):
        assert all(np.array_equal(found[k], v) and found[k].dtype == v.dtype for k, v in arrays.items())


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentTypeError, match=r"state\['a'\]\['0'\] is a set"):
        og.save({"a": [{1}]}, tmp_path / "a.pth")
    with pytest.raises(ArgumentTypeError, match=r"which is no state") as caught:
        og.save(og.nn.Linear(1, 1), tmp_path / "a.pth")
    assert "state_dict" in str(caught.value)
    endless: list = []
    endless.append(endless)
    with pytest.raises(ArgumentError, match="nested more than 100 deep"):
        og.save(endless, tmp_path / "a.pth")
    assert not (tmp_path / "a.pth").exists()
