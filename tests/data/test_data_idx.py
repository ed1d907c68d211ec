"""IDX files: round trips, every way to be broken, and the real MNIST where it is at hand."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegraph.data import arrays_from, load_idx_folder, read_idx, write_idx
from onegraph.errors import DataError

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_round_trip(dtype: str, suffix: str, tmp_path: Path) -> None:
    array = np.array([[1, 2, 100], [0, 5, 7]], dtype=dtype)
    path = tmp_path / f"array-ubyte{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert np.array_equal(back, array)
    back[0, 0] = 9  # may be written


def test_known_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_idx(path, np.array([[1, -2]], np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000002 0001 fffe")


def test_the_same_bytes_each_time_and_the_name_does_not_matter(tmp_path: Path) -> None:
    array = np.arange(9, dtype=np.uint8)
    write_idx(tmp_path / "a.gz", array)
    write_idx(tmp_path / "b.gz", array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    (tmp_path / "a.gz").rename(tmp_path / "packed")
    assert read_idx(tmp_path / "packed").tolist() == array.tolist()


def test_empty_axes(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.zeros((0, 3), np.uint8))
    assert read_idx(tmp_path / "x").shape == (0, 3)


HEAD = struct.pack(">4BII", 0, 0, 8, 2, 2, 3)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47"),
        (b"\0\0\x07\x01" + bytes(8), "not an IDX file"),
        (b"\0\0\x08\x00", "0 axes"),
        (b"\0\0\x08\xff" + bytes(2000), "255 axes"),
        (HEAD[:-1], "truncated: the header"),
        (HEAD + bytes(5), r"truncated: shape \(2, 3\) needs 6 bytes, 5"),
        (HEAD + bytes(7), "more bytes follow"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "more than max_bytes"),
        (struct.pack(">4BII", 0, 0, 14, 2, 1 << 16, 1 << 16), "more than max_bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_broken_files(content: bytes, text: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=text) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_broken_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(HEAD + bytes(6))
    for name, content in {
        "cut": whole[:-9],
        "checksum": whole[:-8] + b"\xff" * 8,
        "garbage": b"\x1f\x8b" + bytes(30),
        "stream": whole[:12] + b"\xff\xff" + whole[14:],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=str(tmp_path / name)):
            read_idx(tmp_path / name)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(HEAD + bytes(50_000_000)))
    unpacked = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: unpacked.append(size) or original(self, size))
    with pytest.raises(DataError, match="more bytes follow"):
        read_idx(bomb)
    assert sum(unpacked) < 100


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


@given(st.binary(max_size=40))
def test_any_bytes_give_an_array_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for content in (tail, b"\0\0\x08\x02" + tail, gzip.compress(b"\0\0" + tail), b"\x1f\x8b\x08" + tail):
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            assert isinstance(read_idx(path, max_bytes=1000), np.ndarray)


@pytest.mark.parametrize("array", [np.zeros(2, bool), np.zeros(2, np.int64), np.zeros(()), np.zeros((1,) * 17)])
def test_what_idx_cannot_hold(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="IDX holds"):
        write_idx(tmp_path / "x", array)
    assert list(tmp_path.iterdir()) == []


def write_folder(folder: Path, suffix: str = "", dot: str = "-", prefix: str = "") -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 4)):
        images = rng.integers(0, 256, (count, 5, 4), dtype=np.uint8)
        write_idx(folder / f"{prefix}{part}-images{dot}idx3-ubyte{suffix}", images)
        write_idx(folder / f"{prefix}{part}-labels{dot}idx1-ubyte{suffix}", np.arange(count, dtype=np.uint8))


@pytest.mark.parametrize(
    ("suffix", "dot", "prefix"), [("", "-", ""), (".gz", ".", ""), (".gz", "-", "emnist-letters-")]
)
def test_folder(suffix: str, dot: str, prefix: str, tmp_path: Path) -> None:
    write_folder(tmp_path, suffix, dot, prefix)
    folder = load_idx_folder(tmp_path)
    assert [array.shape for array in folder] == [(6, 5, 4), (6,), (4, 5, 4), (4,)]
    data = arrays_from(tmp_path)
    assert data.image_shape == (1, 5, 4)
    assert data.class_names == tuple("012345")
    image, label = data.train[3]
    assert image.dtype == np.float32
    assert np.array_equal(image[0], folder.train_images[3].astype(np.float32) / np.float32(255))
    assert label == 3


def test_folder_errors(tmp_path: Path) -> None:
    write_folder(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.unlink()
    with pytest.raises(DataError, match=r"missing t10k-labels-idx1-ubyte\[.gz\]"):
        load_idx_folder(tmp_path)
    write_idx(labels, np.zeros(3, np.uint8))
    with pytest.raises(DataError, match=r"\(4, 5, 4\).*\(3,\)"):
        load_idx_folder(tmp_path)
    write_idx(labels, np.zeros(4, np.float32))
    with pytest.raises(DataError, match="must be uint8"):
        load_idx_folder(tmp_path)
    write_idx(labels, np.zeros(4, np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((4, 6, 6), np.uint8))
    with pytest.raises(DataError, match=r"training images have shape \(5, 4\), test images \(6, 6\)"):
        load_idx_folder(tmp_path)
    write_folder(tmp_path, prefix="other-")
    with pytest.raises(DataError, match="several data sets"):
        load_idx_folder(tmp_path)
    with pytest.raises(DataError, match="cannot be listed"):
        load_idx_folder(tmp_path / "nothing")


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST is not in {MNIST}")
def test_real_mnist() -> None:
    packed = (MNIST / "train-images-idx3-ubyte.gz").read_bytes()
    assert hashlib.md5(gzip.decompress(packed)).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    data = arrays_from(MNIST)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.image_shape == (1, 28, 28)
    assert np.bincount(data.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The mean everyone normalizes with.
    assert round(float(data.train.images.mean()) / 255, 4) == 0.1307
