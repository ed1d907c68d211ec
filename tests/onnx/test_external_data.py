"""Data outside the model file: what is read and written, and what is refused in both directions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph.errors import ExternalDataError
from onegraph.onnx.external_data import ALIGNMENT, ExternalFiles, ExternalWriter, byte_count

onnx = pytest.importorskip("onnx")


def outside(dims: list[int], data_type: int = 1, **entries: Any) -> Any:
    """A TensorProto whose data is at these entries."""
    tensor = onnx.TensorProto(name="w", data_type=data_type, dims=dims, data_location=1)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    values = np.arange(6, dtype="<f4").tobytes()
    for path in (model / "w.bin", model / "sub" / "w.bin", tmp_path / "secret.bin"):
        path.write_bytes(values)
    return model


def test_bytes_at_an_offset(folder: Path) -> None:
    read = ExternalFiles(folder).read
    assert np.frombuffer(read(outside([2, 1], location="w.bin", offset=16, length=8)), "<f4").tolist() == [4.0, 5.0]
    assert np.frombuffer(read(outside([6], location="./sub/w.bin")), "<f4").tolist() == [0, 1, 2, 3, 4, 5]
    assert bytes(read(outside([0], location="w.bin", offset=24))) == b""


def test_large_files_are_mapped(folder: Path) -> None:
    values = np.arange(100_000, dtype="<i8")
    (folder / "large.bin").write_bytes(values.tobytes())
    view = ExternalFiles(folder).read(outside([99_999], 7, location="large.bin", offset=8))
    assert view.readonly and np.array_equal(np.frombuffer(view, "<i8"), values[1:])


@pytest.mark.parametrize(
    ("entries", "rule"),
    [
        ({"location": "../secret.bin"}, r"leaves the model's folder"),
        ({"location": "sub/../../secret.bin"}, r"leaves the model's folder"),
        ({"location": "sub/../w.bin"}, r"leaves the model's folder"),
        ({"location": "/etc/passwd"}, "absolute"),
        ({"location": "C:w.bin"}, "absolute"),
        ({"location": "sub\\w.bin"}, "backslash"),
        ({"location": ""}, "empty"),
        ({"location": "w.bin\0"}, "zero byte"),
        ({}, "empty"),
        ({"location": "sub"}, "folder, not a file"),
        ({"location": "w.bin/"}, "names a folder"),
        ({"location": "missing.bin"}, "no such file"),
        ({"location": "w.bin", "offset": -4}, "below 0"),
        ({"location": "w.bin", "length": -24}, "below 0"),
        ({"location": "w.bin", "offset": 4}, "bytes 4 to 28 are asked for, the file has 24"),
        ({"location": "w.bin", "offset": 10**18}, "the file has 24"),
        ({"location": "w.bin", "offset": "9" * 30}, "no number"),
        ({"location": "w.bin", "offset": "0x10"}, "no number"),
        ({"location": "w.bin", "length": 20}, "its length is 20"),
        ({"location": "w.bin", "length": 28}, "its length is 28"),
    ],
)
def test_reading_refuses(folder: Path, entries: dict[str, Any], rule: str) -> None:
    with pytest.raises(ExternalDataError, match=rule) as caught:
        ExternalFiles(folder).read(outside([6], **entries))
    assert caught.value.tensor == "w" and caught.value.file == entries.get("location", "") and caught.value.rule


@pytest.mark.parametrize("dims", [[2**62, 2**62], [-6], [6, -1, -1]])
def test_reading_refuses_sizes_that_no_file_has(folder: Path, dims: list[int]) -> None:
    with pytest.raises(ExternalDataError, match=r"negative size|are asked for"):
        ExternalFiles(folder).read(outside(dims, location="w.bin"))


def test_entries_given_twice_and_text(folder: Path) -> None:
    tensor = outside([6], location="w.bin")
    tensor.external_data.add(key="location", value="../secret.bin")
    with pytest.raises(ExternalDataError, match="twice"):
        ExternalFiles(folder).read(tensor)
    with pytest.raises(ExternalDataError, match="data type 8"):
        ExternalFiles(folder).read(outside([6], 8, location="w.bin"))
    with pytest.raises(ExternalDataError, match="not in a file"):
        ExternalFiles(None).read(outside([6], location="w.bin"))


def make_link(folder: Path, kind: str) -> str:
    """Put something that is no plain file into the folder; returns its location."""
    secret = folder.parent / "secret.bin"
    if kind == "symlink":
        (folder / "bad").symlink_to(secret)
    elif kind == "symlink inside":
        (folder / "bad").symlink_to("w.bin")
    elif kind == "folder symlink":
        (folder / "link").symlink_to(folder.parent)
        return "link/secret.bin"
    elif kind == "hard link":
        os.link(secret, folder / "bad")
    elif kind == "pipe":
        os.mkfifo(folder / "bad")
    else:
        (folder / "bad").mkdir()
    return "bad"


KINDS = ["symlink", "symlink inside", "folder symlink", "hard link", "pipe", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_neither_reading_nor_writing_follows_links(folder: Path, kind: str) -> None:
    location = make_link(folder, kind)
    before = (folder.parent / "secret.bin").read_bytes()
    with pytest.raises(ExternalDataError):
        ExternalFiles(folder).read(outside([6], location=location))
    with pytest.raises(ExternalDataError), ExternalWriter(folder, location) as writer:
        writer.add("w", b"overwritten")
    assert (folder.parent / "secret.bin").read_bytes() == before


@pytest.mark.parametrize("location", ["../secret.bin", "/tmp/x.bin", "", "sub/", "nowhere/x.bin", "a\\b"])
def test_writing_refuses(folder: Path, location: str) -> None:
    with pytest.raises(ExternalDataError):
        ExternalWriter(folder, location)


def test_what_is_written_is_read(folder: Path) -> None:
    arrays = {"a": np.arange(5, dtype="<f4"), "b": np.array(7, "<i8"), "c": np.zeros((0, 3), "<f4")}
    with ExternalWriter(folder, "sub/model.onnx.data") as writer:
        placed = {name: writer.add(name, array) for name, array in arrays.items()}
    files = ExternalFiles(folder)
    for name, array in arrays.items():
        assert int(placed[name]["offset"]) % ALIGNMENT == 0
        data_type = 7 if array.dtype == np.int64 else 1
        found = files.read(outside(list(array.shape), data_type, **placed[name]))
        assert bytes(found) == array.tobytes()


def test_a_failed_write_leaves_the_old_file(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), ExternalWriter(folder, "w.bin") as writer:
        writer.add("w", b"new")
        raise ZeroDivisionError
    assert (folder / "w.bin").stat().st_size == 24
    assert sorted(os.listdir(folder)) == ["sub", "w.bin"]


def test_packed_elements() -> None:
    assert [byte_count(22, (n,)) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert byte_count(25, (5,)) == 2 and byte_count(15, (2,)) == 32 and byte_count(99, (1,)) is None
