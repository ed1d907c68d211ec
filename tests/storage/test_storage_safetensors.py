"""The safetensors format: round trips, agreement with the safetensors package, and files made to do harm."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, StorageError
from onegraph.storage.safetensors import StoredArray, load_file, save_file

PLAIN = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def sample(dtype: str, shape: tuple[int, ...] = (2, 3)) -> np.ndarray:
    values = np.arange(int(np.prod(shape))).reshape(shape)
    return values % 2 == 1 if dtype == "bool" else values.astype(dtype)


def write_raw(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3), (2, 1, 2, 1, 3)])
def test_round_trip_of_all_types(tmp_path: Path, shape: tuple[int, ...]) -> None:
    arrays: dict[str, Any] = {dtype: sample(dtype, shape) for dtype in PLAIN}
    arrays["bfloat16"] = StoredArray(sample("uint16", shape), "bfloat16")
    save_file(arrays, tmp_path / "a.safetensors", {"who": "onegraph", "ünï": "→"})
    loaded, metadata = load_file(tmp_path / "a.safetensors")
    assert metadata == {"who": "onegraph", "ünï": "→"}
    assert list(loaded) == [*PLAIN, "bfloat16"]
    for name, stored in loaded.items():
        expected = arrays[name].data if name == "bfloat16" else arrays[name]
        assert stored.dtype == name
        assert stored.data.dtype == expected.dtype
        assert stored.data.shape == shape
        np.testing.assert_array_equal(stored.data, expected)


def test_memory_layouts_and_byte_orders(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    layouts = {"transposed": base.T, "strided": base[::-2, 1::2], "swapped": base.astype(">f4")}
    layouts["broadcast"] = np.broadcast_to(base[:1], (3, 6))
    save_file(layouts, tmp_path / "a.safetensors")
    loaded, metadata = load_file(tmp_path / "a.safetensors")
    assert metadata == {}
    for name, expected in layouts.items():
        np.testing.assert_array_equal(loaded[name].data, expected)
        assert loaded[name].data.dtype == np.float32
        assert loaded[name].data.flags.writeable


def test_same_input_gives_same_bytes_and_aligned_tensors(tmp_path: Path) -> None:
    arrays = {name: sample(name, (3,)) for name in PLAIN}
    save_file(arrays, tmp_path / "a")
    save_file(arrays, tmp_path / "b")
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    length = int.from_bytes(content[:8], "little")
    for name, value in json.loads(content[8 : 8 + length]).items():
        assert (8 + length + value["data_offsets"][0]) % arrays[name].dtype.itemsize == 0


def test_empty_file(tmp_path: Path) -> None:
    save_file({}, tmp_path / "a")
    assert load_file(tmp_path / "a") == ({}, {})


def test_the_safetensors_package_reads_our_files(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors")
    numpy_package = pytest.importorskip("safetensors.numpy")
    arrays = {f"layer.{dtype}": sample(dtype) for dtype in PLAIN} | {"scalar": np.float32(2.5).reshape(())}
    save_file(arrays, tmp_path / "a.safetensors", {"k": "v"})
    theirs = numpy_package.load_file(tmp_path / "a.safetensors")
    assert theirs.keys() == arrays.keys()
    for name, expected in arrays.items():
        np.testing.assert_array_equal(theirs[name], expected)
        assert theirs[name].dtype == expected.dtype
    with package.safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.metadata() == {"k": "v"}


def test_we_read_files_of_the_safetensors_package(tmp_path: Path) -> None:
    numpy_package = pytest.importorskip("safetensors.numpy")
    arrays = {dtype: sample(dtype) for dtype in PLAIN} | {"empty": np.zeros((0, 2), np.float32)}
    numpy_package.save_file(arrays, tmp_path / "a.safetensors", {"k": "v"})
    ours, metadata = load_file(tmp_path / "a.safetensors")
    assert metadata == {"k": "v"}
    assert ours.keys() == arrays.keys()
    for name, expected in arrays.items():
        np.testing.assert_array_equal(ours[name].data, expected)
        assert ours[name].data.dtype == expected.dtype


def test_bfloat16_agrees_with_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch_package = pytest.importorskip("safetensors.torch")
    values = torch.tensor([1.0, -2.5, 3e38, float("inf")], dtype=torch.bfloat16)
    torch_package.save_file({"x": values}, tmp_path / "theirs")
    ours, _ = load_file(tmp_path / "theirs")
    assert ours["x"].dtype == "bfloat16"
    np.testing.assert_array_equal(ours["x"].data, values.view(torch.uint16).numpy())
    save_file(ours, tmp_path / "ours")
    assert torch.equal(torch_package.load_file(tmp_path / "ours")["x"], values)


def test_wrong_arguments(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(DTypeError, match=r"tensor 'w' of shape \(2,\) has dtype complex64"):
        save_file({"w": np.zeros(2, np.complex64)}, path)
    with pytest.raises(DTypeError, match="uint16"):
        save_file({"w": np.zeros(2, np.uint16)}, path)
    with pytest.raises(DTypeError, match="unknown dtype 'float8'"):
        StoredArray(np.zeros(2), "float8")
    with pytest.raises(DTypeError, match="bfloat16 is held as a NumPy array of uint16, not float32"):
        StoredArray(np.zeros(2, np.float32), "bfloat16")
    with pytest.raises(ArgumentTypeError, match="'w' is a list"):
        save_file({"w": [1.0]}, path)  # type: ignore[dict-item]
    with pytest.raises(ArgumentTypeError, match="names are strings"):
        save_file({1: np.zeros(1)}, path)  # type: ignore[dict-item]
    with pytest.raises(ArgumentTypeError, match="metadata are strings"):
        save_file({}, path, {"epoch": 3})  # type: ignore[dict-item]
    with pytest.raises(ArgumentError, match="__metadata__"):
        save_file({"__metadata__": np.zeros(1)}, path)
    with pytest.raises(ArgumentError, match="not valid Unicode"):
        save_file({"\ud800": np.zeros(1)}, path)
    assert not path.exists()


F32 = entry("F32", [2], 0, 8)
HOSTILE: dict[str, tuple[Any, bytes, str]] = {
    "no brace": (b"[]", b"", "does not start with"),
    "bad json": (b'{"a":', b"", "not valid JSON"),
    "trailing text": (b"{} x", b"", "not valid JSON"),
    "bad utf8": (b'{"\xff":1}', b"", "not valid JSON"),
    "deep nesting": (b'{"a":' + b"[" * 100_000, b"", "nested too deeply"),
    "many parts": (b"{" + b"[," * 2_100_000, b"", "more than 4000000 parts"),
    "huge number": (b'{"a":' + b"9" * 5000 + b"}", b"", "not valid JSON"),
    "duplicate": (b'{"a":1,"b":2,"a":3}', b"", "key 'a' twice"),
    "duplicate inside": (b'{"a":{"dtype":"U8","dtype":"U8"}}', b"", "key 'dtype' twice"),
    "not a table": ({"a": 1}, b"", "must have exactly"),
    "missing field": ({"a": {"dtype": "F32", "shape": []}}, b"", "must have exactly"),
    "extra field": ({"a": {**F32, "x": 1}}, bytes(8), "must have exactly"),
    "unknown dtype": ({"a": entry("F4", [2], 0, 8)}, bytes(8), "unknown dtype 'F4'"),
    "dtype list": ({"a": entry(["F32"], [2], 0, 8)}, bytes(8), "unknown dtype"),  # type: ignore[arg-type]
    "negative size": ({"a": entry("F32", [-2], 0, 8)}, bytes(8), "not a list of"),
    "two negative sizes": ({"a": entry("F32", [-2, -1], 0, 8)}, bytes(8), "not a list of"),
    "bool size": ({"a": entry("U8", [True], 0, 1)}, bytes(1), "not a list of"),
    "float size": ({"a": entry("F32", [2.0], 0, 8)}, bytes(8), "not a list of"),
    "shape number": ({"a": entry("F32", 2, 0, 8)}, bytes(8), "not a list of"),  # type: ignore[arg-type]
    "rank": ({"a": entry("U8", [1] * 65, 0, 1)}, bytes(1), "at most 64 sizes"),
    "overflow": ({"a": entry("F32", [2**62, 4], 0, 0)}, b"", "does not fill"),
    "overflow by zero": ({"a": entry("F32", [2**62, 0], 0, 0)}, b"", "does not fill"),
    "thousands of digits": ({"a": entry("F32", [10**4200] * 60, 0, 8)}, bytes(8), "not a list of"),
    "too small range": ({"a": entry("F32", [3], 0, 8)}, bytes(8), "does not fill"),
    "reversed": ({"a": entry("F32", [2], 8, 0)}, bytes(8), "increasing positions"),
    "negative offset": ({"a": entry("F32", [2], -8, 0)}, bytes(8), "increasing positions"),
    "three offsets": ({"a": {**F32, "data_offsets": [0, 4, 8]}}, bytes(8), "increasing positions"),
    "nan offset": (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[NaN,1]}}', b"1", "increasing positions"),
    "overlap": ({"a": F32, "b": entry("F32", [2], 4, 12)}, bytes(12), "overlaps"),
    "same place": ({"a": F32, "b": F32}, bytes(8), "overlaps"),
    "gap": ({"a": F32, "b": entry("F32", [2], 12, 20)}, bytes(20), "leaves a gap"),
    "beyond the end": ({"a": entry("F32", [2**40], 0, 2**42)}, bytes(8), "but the file has 8"),
    "hidden bytes": ({"a": F32}, bytes(9), "but the file has 9"),
    "metadata numbers": ({"__metadata__": {"a": 1}}, b"", "not a table of strings"),
    "metadata list": ({"__metadata__": []}, b"", "not a table of strings"),
    "bool bytes": ({"a": entry("BOOL", [2], 0, 2)}, b"\1\2", "bytes other than 0 and 1"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(tmp_path: Path, case: str) -> None:
    header, data, message = HOSTILE[case]
    path = write_raw(tmp_path / "hostile.safetensors", header, data)
    with pytest.raises(StorageError, match=message) as caught:
        load_file(path)
    assert "hostile.safetensors" in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_header_length_beyond_file_or_limit(tmp_path: Path) -> None:
    for length in (3, 2**63, 2**64 - 1):
        with pytest.raises(StorageError, match=f"claims {length} bytes"):
            load_file(write_raw(tmp_path / "a", b"{}", length=length))
    sparse = write_raw(tmp_path / "sparse", b"{}", length=100_000_001)
    os.truncate(sparse, 200_000_000)  # takes no space on disk
    tracemalloc.start()
    try:
        with pytest.raises(StorageError, match="a header at most 100000000"):
            load_file(sparse)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_claimed_sizes_allocate_nothing(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a", {"a": entry("F32", [2**30], 0, 2**32)}, bytes(8))
    tracemalloc.start()
    try:
        with pytest.raises(StorageError):
            load_file(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_missing_short_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file") as caught:
        load_file(tmp_path / "absent")
    assert caught.value.location is not None
    assert caught.value.location[0] == __file__
    (tmp_path / "short").write_bytes(b"1234567")
    with pytest.raises(StorageError, match="7 bytes are too few"):
        load_file(tmp_path / "short")
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(StorageError, match=r"not a regular file|it is a folder"):
            load_file(special)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save_file({"a": sample("float32"), "b": sample("bool")}, path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(StorageError):
            load_file(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), replacement=st.binary(min_size=1, max_size=4))
def test_damage_is_a_typed_error_or_other_values(tmp_path: Path, position: int, replacement: bytes) -> None:
    path = tmp_path / "a"
    save_file({"a": sample("float32"), "b": sample("int64", (1,))}, path, {"k": "v"})
    content = bytearray(path.read_bytes())
    position %= len(content)
    content[position : position + len(replacement)] = replacement
    path.write_bytes(content)
    try:
        loaded, metadata = load_file(path)
    except StorageError as error:
        assert str(path) in error.message
    else:
        assert sum(stored.data.nbytes for stored in loaded.values()) <= len(content)
        assert all(isinstance(text, str) for text in metadata.values())
