"""State in files and folders: exact round trips, damage found, and whole or nothing when the writer is killed."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, DeviceError, StorageError, UnsafeFileError
from onegraph.storage import Checkpoints, load_checkpoint, save_checkpoint
from onegraph.storage.checkpoint import _digest
from onegraph.storage.manifest import write_manifest
from onegraph.storage.safetensors import StoredArray, load_file, save_file
from onegraph.storage.state import load_tensor

WAYS = {
    "file": (lambda path, state: og.save(state, path), og.load),
    "folder": (save_checkpoint, load_checkpoint),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Save and load a state in one of the two forms."""
    save, load = WAYS[request.param]

    def through(state: Any) -> Any:
        save(tmp_path / "state", state)
        return load(tmp_path / "state")

    return through


def test_plain_values_come_back_exactly(way: Any) -> None:
    state = {
        "none": None,
        "flags": [True, False],
        "step": 2**53,
        "large": [2**53 + 1, -(2**200)],
        "floats": (0.1, -0.0, 5e-324, 1.7976931348623157e308),
        "odd floats": [math.inf, -math.inf],
        "text": 'tab\t, quote ", ø, \ud800',
        "bytes": b"\x00\xff",
        "dtype": og.bfloat16,
        "empty": [{}, [], (), ""],
        7: {"nested": ({"deeper": [1, (2, [3])]},)},
        (1, "a"): "keys need not be text",
        None: 1,
        1.5: 2,
    }
    found = way(state)
    assert found == state
    assert json.dumps(repr(found)) == json.dumps(repr(state))  # 1, 1.0 and True, 0.0 and -0.0 told apart
    assert math.isnan(way({"loss": math.nan})["loss"])


@pytest.mark.parametrize(
    "name", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
)
def test_tensors_keep_their_bits(way: Any, name: str) -> None:
    dtype = getattr(og, name)
    bits = np.random.default_rng(1).integers(0, 256, 48, np.uint8)
    array = (bits % 2).astype(bool) if name == "bool" else bits.view(dtype.numpy)
    tensor = load_tensor(StoredArray(array, name))
    found = way([tensor, tensor.reshape(2, -1), tensor[:0]])
    for a, b in zip(found, [tensor, tensor.reshape(2, -1), tensor[:0]], strict=True):
        assert isinstance(a, og.Tensor) and a.dtype is dtype and a.shape == b.shape
        assert a.node.value.array.tobytes() == b._realize().array.tobytes()


def test_arrays_and_numpy_numbers_stay_what_they_are(way: Any) -> None:
    state = {
        "array": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "empty": np.zeros((0, 3), np.float64),
        "number": np.float32(0.1),
        "double": np.float64(0.1),
        "flag": np.bool_(True),
        "zero-d": np.array(3, np.uint8),
    }
    found = way(state)
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in state.items()}
    for key, value in state.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == value.dtype and found[key].shape == value.shape
    found["array"][0, 0] = 9  # it can be written to


def test_pending_tensors_are_computed(way: Any) -> None:
    x = og.ones(3)
    assert way({"y": x * 2 + 1})["y"].tolist() == [3.0, 3.0, 3.0]


def test_shared_tensors_stay_shared_and_others_stay_apart(way: Any) -> None:
    weight = og.nn.Parameter(og.ones(1000))
    copy = weight.detach().clone()
    found = way({"a": weight.detach(), "b": weight, "c": weight, "copy": copy, "again": [copy]})
    assert type(found["b"]) is og.Tensor and found["b"].requires_grad and found["b"].is_leaf
    assert found["b"] is found["c"] and found["again"][0] is found["copy"]
    assert not found["a"].requires_grad and not found["copy"].requires_grad
    with og.no_grad():
        found["b"].add_(1)
    assert found["a"][0].item() == 2.0, "the detached tensor shares storage"
    assert found["copy"][0].item() == 1.0


def test_shared_tensors_are_written_once(tmp_path: Path) -> None:
    weight = og.nn.Parameter(og.ones(5000))
    og.save({"a": weight, "b": weight.detach(), "c": [weight]}, tmp_path / "f")
    assert (tmp_path / "f").stat().st_size < 2 * 20_000


def test_names_that_collide_or_are_reserved(way: Any) -> None:
    state = {
        "a.b": og.zeros(1),
        "a": {"b": og.ones(1)},
        "__metadata__": og.ones(2),
        "": og.ones(3),
        "../x/\n": np.ones(4),
    }
    found = way(state)
    assert [v.shape for v in (found["a.b"], found["__metadata__"], found[""], found["../x/\n"])] == [
        (1,),
        (2,),
        (3,),
        (4,),
    ]
    assert found["a.b"].item() == 0 and found["a"]["b"].item() == 1


def test_a_module_and_its_optimizer_go_on_as_before(way: Any) -> None:
    og.manual_seed(0)
    model = og.nn.Sequential(og.nn.Linear(4, 8), og.nn.BatchNorm1d(8), og.nn.Linear(8, 2))
    x = og.randn(5, 4)
    model(x)
    found = way({"model": model.state_dict(), "epoch": 3})
    other = og.nn.Sequential(og.nn.Linear(4, 8), og.nn.BatchNorm1d(8), og.nn.Linear(8, 2))
    other.load_state_dict(found["model"])
    assert model.eval()(x).detach().numpy().tobytes() == other.eval()(x).detach().numpy().tobytes()


def test_what_cannot_be_kept_is_named() -> None:
    for state, place in [
        ({"a": [1, {2, 3}]}, r"state\['a'\]\['1'\] is a set"),
        ({"f": len}, r"state\['f'\] is a builtin_function"),
        ({"z": 1j}, r"state\['z'\] is a complex"),
        ([np.zeros(2, complex)], r"state\['0'\] is an array of complex128"),
        ([np.array(["x"])], r"state\['0'\] is an array of <U1"),
        ([np.ma.array([1, 2], mask=[0, 1])], "masked"),
        ({og.ones(1): 1}, "a key of state is a Tensor"),
    ]:
        with pytest.raises(ArgumentTypeError, match=place):
            og.save(state, "never written")
    with pytest.raises(ArgumentTypeError, match=r"state_dict\(\)"):
        og.save(og.nn.Linear(2, 2), "never written")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ArgumentError, match="contain itself"):
        og.save(endless, "never written")
    assert not Path("never written").exists()


def test_streams_and_devices(tmp_path: Path) -> None:
    stream = io.BytesIO()
    og.save({"x": og.ones(2)}, stream)
    stream.seek(0)
    assert og.load(stream, map_location="cpu", weights_only=False)["x"].tolist() == [1, 1]
    og.save(1, tmp_path / "f")
    with pytest.raises(DeviceError):
        og.load(tmp_path / "f", map_location="cuda")


def test_other_safetensors_files_load_as_tensors(tmp_path: Path) -> None:
    save_file({"w": np.ones((2, 2), np.float32)}, tmp_path / "w.safetensors", {"format": "pt"})
    found = og.load(tmp_path / "w.safetensors")
    assert found["w"].tolist() == [[1, 1], [1, 1]]
    save_checkpoint(tmp_path / "folder", {"s": 1})
    assert og.load(tmp_path / "folder") == {"s": 1}


def test_pickles_are_refused_unread(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "ran"),))

    (tmp_path / "a.pt").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "b.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UnsafeFileError, match=r"a\.pt.*mkdir.*nothing was run"):
        og.load(tmp_path / "a.pt")
    with pytest.raises(StorageError, match=r"b\.pt.*archive"):
        og.load(tmp_path / "b.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", WAYS)
def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path, form: str) -> None:
    save, load = WAYS[form]
    save(tmp_path / "state", {"w": og.arange(5), "lr": 0.1, "nested": [np.ones(2), "text"]})
    files = [tmp_path / "state"] if form == "file" else sorted((tmp_path / "state").iterdir())
    assert form == "file" or [f.name for f in files] == ["state.json", "tensors.safetensors"]
    for file in files:
        content = file.read_bytes()
        for position in range(len(content)):
            file.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
            )
            try:
                found = load(tmp_path / "state")
            except StorageError as error:
                assert str(tmp_path / "state") in error.message, "the message names the file"
                continue
            assert content[position : position + 1].isspace(), f"{file.name}: bit at {position} of {content!r}"
            assert found["lr"] == 0.1  # white space between JSON values may change to other white space
        for length in range(0, len(content), 3):
            file.write_bytes(content[:length])
            with pytest.raises(StorageError, match="state"):
                load(tmp_path / "state")
        file.write_bytes(content)
    assert load(tmp_path / "state")["lr"] == 0.1


def _tamper(folder: Path, change: Any) -> None:
    """Change a checkpoint as an attacker does, who writes checksums that fit."""
    content = json.loads((folder / "state.json").read_text())
    change(content)
    write_manifest(
        folder / "state.json",
        {k: v for k, v in content.items() if k not in ("files", "sha256")},
        ["tensors.safetensors"],
    )


@pytest.mark.parametrize(
    "structure",
    [
        {"tensor": "absent"},
        {"tensor": "../../etc/passwd"},
        {"tensor": ["w"]},
        {"tensor": "w", "requires_grad": 1},
        {"pickle": "abc"},
        {"dict": [1]},
        {"tuple": {"a": 1}},
        {"items": [[1]]},
        {"items": [[[], 1]]},
        {"float": "1e5"},
        {"int": "0b1"},
        {"int": 3},
        {"bytes": "not base64!"},
        {"bytes": 5},
        {"dtype": "object"},
        {"dtype": ["float32"]},
        {"scalar": "w"},
        {},
        {"dict": {}, "tuple": []},
        1,  # its arrays are not used
    ],
    ids=str,
)
def test_hostile_structures_are_refused(tmp_path: Path, structure: Any) -> None:
    folder = tmp_path / "state"
    save_checkpoint(folder, og.ones(2))
    _tamper(folder, lambda content: content.update(structure=structure))
    with pytest.raises(StorageError, match=r"state\.json"):
        load_checkpoint(folder)


def test_integers_cannot_require_gradients_nor_bfloat16_be_arrays(tmp_path: Path) -> None:
    for tensor, kind in ((og.arange(2), "requires_grad"), (og.ones(2, dtype=og.bfloat16), "array")):
        save_checkpoint(tmp_path / "s", tensor)
        structure = {"tensor": "value", "requires_grad": True} if kind == "requires_grad" else {"array": "value"}
        _tamper(tmp_path / "s", lambda content, structure=structure: content.update(structure=structure))
        with pytest.raises(StorageError, match="is said to"):
            load_checkpoint(tmp_path / "s")


@pytest.mark.parametrize("depth", [150, 5_000, 1_000_000])
def test_deep_json_is_refused(tmp_path: Path, depth: int) -> None:
    save_checkpoint(tmp_path / "s", og.ones(1))
    (tmp_path / "s" / "state.json").write_text("[" * depth + "]" * depth)
    with pytest.raises(StorageError, match=r"state\.json"):
        load_checkpoint(tmp_path / "s")
    structure = "[" * depth + "]" * depth
    metadata = {"onegraph.version": "1", "onegraph.structure": structure, "onegraph.sha256": _digest(structure, {})}
    save_file({}, tmp_path / "f", metadata)
    with pytest.raises(StorageError, match=r"f'.*nested"):
        og.load(tmp_path / "f")


def test_state_deeper_than_allowed_is_refused_with_a_fitting_checksum(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "s", None)
    structure: Any = 1
    for _ in range(150):
        structure = [structure]
    content = {"format": "onegraph checkpoint", "version": 1, "structure": structure}
    write_manifest(tmp_path / "s" / "state.json", content, ["tensors.safetensors"])
    with pytest.raises(StorageError, match="nested more than"):
        load_checkpoint(tmp_path / "s")


def test_huge_sizes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "s", og.ones(2))
    header = json.dumps({"value": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (tmp_path / "s" / "tensors.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    _tamper(tmp_path / "s", lambda content: None)
    with pytest.raises(StorageError, match=r"tensors\.safetensors"):
        load_checkpoint(tmp_path / "s")


def test_missing_and_odd_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="absent"):
        load_checkpoint(tmp_path / "absent")
    with pytest.raises(StorageError, match="absent"):
        og.load(tmp_path / "absent")
    for name in ("state.json", "tensors.safetensors"):
        save_checkpoint(tmp_path / "s", og.ones(2))
        (tmp_path / "s" / name).unlink()
        with pytest.raises(StorageError, match=name):
            load_checkpoint(tmp_path / "s")
        os.mkfifo(tmp_path / "s" / name)  # reading one would wait for ever
        with pytest.raises(StorageError, match=f"{name}.*regular"):
            load_checkpoint(tmp_path / "s")
    save_checkpoint(tmp_path / "s", 1)
    content = json.loads((tmp_path / "s" / "state.json").read_text())
    (tmp_path / "s" / "state.json").write_text(json.dumps({**content, "version": 2}))
    with pytest.raises(StorageError, match="version 2"):
        load_checkpoint(tmp_path / "s")


# ---- the last few


def test_the_last_few_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints", keep=2)
    assert checkpoints.latest() is None and checkpoints.steps() == []
    for step in (1, 5, 30):
        assert checkpoints.save(step, {"step": step}).name == f"step-{step:08d}"
    assert checkpoints.steps() == [5, 30]
    assert checkpoints.latest() == (30, {"step": 30})
    checkpoints.save(30, "again")
    assert checkpoints.load(30) == "again" and checkpoints.steps() == [5, 30]
    checkpoints.save(2, "an older step is not deleted at once")
    assert 2 in checkpoints.steps() and len(checkpoints.steps()) == 2
    (tmp_path / "run" / "checkpoints" / "step-x").mkdir()
    (tmp_path / "run" / "checkpoints" / "step-000000000031").mkdir()
    assert len(checkpoints.steps()) == 2, "other names are left alone"
    with pytest.raises(StorageError, match="step-00000099"):
        checkpoints.load(99)
    unlimited = Checkpoints(tmp_path / "all", keep=None)
    for step in range(5):
        unlimited.save(step, None)
    assert unlimited.steps() == [0, 1, 2, 3, 4]


def test_a_damaged_newest_checkpoint_is_skipped_with_a_warning(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save(step, {"w": og.full((4,), float(step))})
    file = checkpoints.path(3) / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    (checkpoints.path(2) / "state.json").unlink()
    with pytest.warns(UserWarning) as warned:
        found = checkpoints.latest()
    assert found is not None and found[0] == 1 and found[1]["w"].tolist() == [1, 1, 1, 1]
    messages = [str(w.message) for w in warned]
    assert (
        "step 3" in messages[0]
        and "tensors.safetensors" in messages[0]
        and "step 2" in messages[1]
        and "state.json" in messages[1]
    )
    (checkpoints.path(1) / "state.json").write_text("{")
    with pytest.warns(UserWarning) as warned:
        assert checkpoints.latest() is None
    assert len(warned) == 3


def test_steps_and_counts_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="keep"):
        Checkpoints(tmp_path, keep=0)
    for step in (-1, 10**18):
        with pytest.raises(ArgumentError, match="a step is from 0"):
            Checkpoints(tmp_path).save(step, None)
    with pytest.raises(ArgumentTypeError, match="float"):
        Checkpoints(tmp_path).save(1.0, None)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked writers")
def test_a_killed_writer_leaves_what_was_there(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run", keep=2)
    checkpoints.save(0, _version(0))
    save_checkpoint(tmp_path / "one", _version(0))
    og.save(_version(0), tmp_path / "file")
    chance = np.random.default_rng(5)
    newest = 0
    for start in range(1, 16):
        child = os.fork()
        if child == 0:
            try:
                _write_forever(tmp_path, newest + 1)
            finally:
                os._exit(1)
        time.sleep(float(chance.uniform(0.002, 0.04)))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the writer died by itself"
        found = checkpoints.latest()  # warnings are errors: what has its final name is sound
        assert found is not None and found[0] >= newest, start
        newest = found[0]
        for state in (found[1], load_checkpoint(tmp_path / "one"), og.load(tmp_path / "file")):
            _check_version(state)
    assert newest > 0, "no writer got as far as one checkpoint"
    checkpoints.save(newest + 1, None)
    assert not [name for name in os.listdir(tmp_path / "run") if name.startswith(".")], "leftovers"


def _version(number: int) -> dict[str, Any]:
    return {"number": number, "a": np.full(20_000, number, np.float32), "b": np.full(30_000, number, np.float64)}


def _check_version(state: dict[str, Any]) -> None:
    number = state["number"]
    assert (state["a"] == number).all() and (state["b"] == number).all(), "versions are mixed"


def _write_forever(folder: Path, number: int) -> None:
    checkpoints = Checkpoints(folder / "run", keep=2)
    while True:
        checkpoints.save(number, _version(number))
        save_checkpoint(folder / "one", _version(number))
        og.save(_version(number), folder / "file")
        number += 1


def test_the_first_kind_of_file_is_readable_by_others(tmp_path: Path) -> None:
    og.save({"layer": {"weight": og.ones(2, 3)}, "step": 1}, tmp_path / "f.safetensors")
    arrays, metadata = load_file(tmp_path / "f.safetensors")
    assert list(arrays) == ["layer.weight"] and json.loads(metadata["onegraph.structure"])["dict"]["step"] == 1
    assert sys.byteorder == "little" or arrays["layer.weight"].data.dtype.isnative
