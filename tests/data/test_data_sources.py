"""CIFAR's files, NumPy's, tables and archives: what is in them, and what is wrong with them."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph.data import TableDataset, arrays_from, read_csv, read_parquet
from onegraph.data.archive import TarFiles, TarImageFolder, extract_archive
from onegraph.data.cifar import load_cifar, unpickle
from onegraph.data.numpy_files import load_npz, open_npy
from onegraph.errors import ArgumentError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3072), np.uint8)
LABELS = [index % 2 for index in range(12)]


def write_cifar(root: Path, kind: str) -> None:
    """Twelve training and two test images of two classes; five training files for CIFAR-10."""
    root.mkdir(exist_ok=True)
    hundred, binary = "100" in kind, "binary" in kind
    parts = {"train": slice(0, 12)} if hundred else {f"data_batch_{n + 1}": slice(3 * n, 3 * n + 3) for n in range(4)}
    if not hundred:
        parts["data_batch_5"] = slice(0, 0)
    parts["test" if hundred else "test_batch"] = slice(0, 2)
    for name, part in parts.items():
        if binary:
            rows = [bytes([7, label] if hundred else [label]) + row.tobytes()
                    for label, row in zip(LABELS[part], PIXELS[part], strict=True)]  # fmt: skip
            (root / f"{name}.bin").write_bytes(b"".join(rows))
        else:
            entry = {b"data": PIXELS[part], b"fine_labels" if hundred else b"labels": LABELS[part]}
            (root / name).write_bytes(pickle.dumps(entry, protocol=2))
    if binary:
        (root / ("fine_label_names.txt" if hundred else "batches.meta.txt")).write_text("cat\ndog\n\n")
    else:
        names = {"fine_label_names" if hundred else "label_names": ["cat", "dog"]}
        (root / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(names, protocol=2))


@pytest.mark.parametrize("kind", ["cifar10-python", "cifar100-python", "cifar100-binary"])
def test_cifar(kind: str, tmp_path: Path) -> None:
    write_cifar(tmp_path, kind)
    data = arrays_from(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (3, 32, 32)
    images, labels = data.arrays()
    assert np.array_equal(images.reshape(12, -1), PIXELS.astype(np.float32) / np.float32(255))
    assert labels.tolist() == LABELS
    assert len(data.test) == 2
    assert arrays_from(tmp_path, channels=1).image_shape == (1, 32, 32)


def test_cifar10_binary_needs_whole_rows(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin", "cifar10-binary")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_5.bin").write_bytes(b"\x01" + PIXELS[0].tobytes())
    assert load_cifar(tmp_path).train_labels.tolist() == [*LABELS, 1]
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(b"\x01" * 3000)
    with pytest.raises(DataError, match=r"test_batch\.bin: 3,000 bytes, no whole number of rows"):
        arrays_from(tmp_path)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(b"\x09" + PIXELS[0].tobytes())
    with pytest.raises(DataError, match="labels from 9 to 9 for 2 classes"):
        arrays_from(tmp_path)


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize(
    "content, text",
    [
        (pickle.dumps({b"data": Evil()}, protocol=2), "system"),
        (pickle.dumps({b"data": PIXELS}, protocol=2)[:2000], "test"),
        (pickle.dumps([1, 2]), "holds a list, not a dictionary"),
        (pickle.dumps({"data": PIXELS[:, :100], "fine_labels": LABELS}), "no uint8 array of shape"),
        (pickle.dumps({"data": PIXELS, "fine_labels": LABELS[:-1]}), "no list of 12 class numbers"),
        (b"", "test"),
        (b"\x80\x02garbage", "test"),
    ],
)
def test_pickles_are_read_without_running_them(
    content: bytes, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path, "cifar100-python")
    (tmp_path / "test").write_bytes(content)
    with pytest.raises(DataError, match=text) as caught:
        arrays_from(tmp_path)
    assert str(tmp_path / "test") in caught.value.message
    assert not (tmp_path / "hacked").exists()


def test_unpickled_values_are_plain(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps({b"a": np.arange(3), b"b": [b"x", 1, 2.5]}, protocol=2))
    value = unpickle(tmp_path / "x")
    assert value["a"].tolist() == [0, 1, 2]
    assert value["b"] == ["x", 1, 2.5]


@pytest.mark.parametrize("layout", ["NHW", "NHWC", "NCHW"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_numpy(layout: str, as_folder: bool, tmp_path: Path) -> None:
    shape = {"NHW": (10, 4, 5), "NHWC": (10, 4, 5, 3), "NCHW": (10, 3, 4, 5)}[layout]
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    arrays = {
        "x_train": images,
        "y_train": np.arange(10)[:, None] % 3,
        "x_test": images[:2],
        "y_test": np.array([0, 2]),
    }
    path = tmp_path / "x.npz"
    if as_folder:
        path = tmp_path
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
    else:
        np.savez(path, **arrays)  # type: ignore[arg-type]
    data = arrays_from(path)
    assert data.image_shape == (1 if layout == "NHW" else 3, 4, 5)
    assert len(data.class_names) == 3
    chosen = images[:, None] if layout == "NHW" else images.transpose(0, 3, 1, 2) if layout == "NHWC" else images
    got, labels = data.arrays()
    assert np.array_equal(got, chosen.astype(np.float32) / np.float32(255))
    assert got.flags.c_contiguous
    assert labels.tolist() == [i % 3 for i in range(10)]
    assert np.array_equal(data.train[3][0], got[3])
    if as_folder:
        assert isinstance(data.train.images.base, np.memmap) or isinstance(data.train.images, np.memmap)


def test_numpy_without_parts_is_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.random.default_rng(0).random((20, 3, 3)), labels=np.arange(20) % 2)
    data = arrays_from(tmp_path / "x.npz", test_fraction=0.2)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert 0 < data.train[0][0].max() <= 1


@pytest.mark.parametrize(
    "arrays, text",
    [
        ({"weights": np.zeros(3)}, "holds weights"),
        ({"x_train": np.zeros((2, 3, 3))}, "x_train without labels"),
        ({"images": np.zeros((2, 3, 3)), "labels": np.zeros(3, int)}, r"images has shape \(2, 3, 3\), labels \(3,\)"),
        ({"images": np.zeros((4, 5, 3, 7)), "labels": np.zeros(4, int)}, r"images of shape \(4, 5, 3, 7\)"),
        ({"images": np.full((4, 3, 3), 300.0), "labels": np.zeros(4, int)}, "pixels from 300 to 300"),
        ({"images": np.zeros((4, 3, 3)), "labels": np.array(list("abcd"))}, "labels of <U1"),
        ({"images": np.zeros((4, 3, 3)), "labels": np.array([0, 1, -1, 0])}, "a label of -1"),
        ({"images": np.array([object()] * 4), "labels": np.zeros(4, int)}, "objects would run code"),
    ],
)
def test_wrong_arrays(arrays: dict[str, np.ndarray], text: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=text) as caught:
        arrays_from(tmp_path / "x.npz")
    assert "x.npz" in caught.value.message


def test_damaged_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1000))
    whole = (tmp_path / "x.npy").read_bytes()
    for content in (whole[:500], b"", b"no array", whole[:20]):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.npy"):
            open_npy(tmp_path / "x.npy")
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(100_000))
    with pytest.raises(DataError, match="more than max_bytes"):
        load_npz(tmp_path / "bomb.npz", max_bytes=10_000)
    packed = bytearray((tmp_path / "bomb.npz").read_bytes())
    packed[60:80] = b"\xff" * 20
    (tmp_path / "bomb.npz").write_bytes(packed)
    with pytest.raises(DataError, match=r"bomb\.npz"):
        load_npz(tmp_path / "bomb.npz")
    with pytest.raises(DataError, match="no such file"):
        load_npz(tmp_path / "nothing.npz")


def test_csv_types(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffid,size,kind,code\n1,2.5,"a, b",007\n2,,c,x\n\n3,1e3,d,1\n', encoding="utf-8")
    table = read_csv(path)
    assert {name: column.dtype.kind for name, column in table.items()} == {
        "id": "i",
        "size": "f",
        "kind": "U",
        "code": "U",
    }
    assert table["kind"].tolist() == ["a, b", "c", "d"]
    assert table["code"].tolist() == ["007", "x", "1"]
    assert np.isnan(table["size"][1])
    path.write_text("1;2\n3;4\n")
    assert {name: column.tolist() for name, column in read_csv(path).items()} == {"0": [1, 3], "1": [2, 4]}


@pytest.mark.parametrize(
    "content, text",
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the first line 2"),
        (b"a,a\n1,2\n", "columns named twice: 'a'"),
        (b"a,b\n\xff\xfe\xff,1\n", "no table in text"),
        (b"a,b\n" + b"x" * 2_000_000 + b",1\n", "no table in text"),
    ],
)
def test_wrong_csv(content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=text):
        read_csv(tmp_path / "t.csv")


def test_csv_limits_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 100)
    with pytest.raises(DataError, match="100 rows need 800 bytes, more than max_bytes=700"):
        read_csv(tmp_path / "t.csv", max_bytes=700)
    with pytest.raises(DataError, match="no such file"):
        read_csv(tmp_path / "nothing.csv")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"a": [1, 2], "b": [0.5, None], "kind": ["x", "y"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    table = read_parquet(tmp_path / "t.parquet")
    assert table["a"].tolist() == [1, 2]
    assert np.isnan(table["b"][1])
    data = TableDataset(tmp_path / "t.parquet", label="kind", features=["a"])
    assert [data[i] for i in range(2)] == [(np.float32([1]), 0), (np.float32([2]), 1)]
    with pytest.raises(DataError, match="no columns z; there are a, b, kind"):
        read_parquet(tmp_path / "t.parquet", ["z"])
    with pytest.raises(DataError, match="more than max_bytes"):
        read_parquet(tmp_path / "t.parquet", max_bytes=10)
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-10])
    with pytest.raises(DataError, match=r"t\.parquet: no Parquet file"):
        read_parquet(tmp_path / "t.parquet")
    parquet.write_table(pyarrow.table({"a": [[1], [2]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'a' holds list"):
        read_parquet(tmp_path / "t.parquet")


def test_table_dataset_checks_columns() -> None:
    table = {"a": np.array([1, 2]), "kind": np.array(["x", "y"])}
    assert TableDataset(table)[1].tolist() == [2]
    assert TableDataset(table, label="a", features=["a"]).take_batch([1, 0])[1].tolist() == [2, 1]
    with pytest.raises(ArgumentError, match="no column 'z'; there are a, kind"):
        TableDataset(table, label="z")
    with pytest.raises(DataError, match="columns of text cannot be features: kind"):
        TableDataset(table, features=["kind"])
    with pytest.raises(ArgumentError, match="no columns of numbers"):
        TableDataset({"kind": table["kind"]})


def test_arrays_from_a_table_of_pixels(tmp_path: Path) -> None:
    rows = ["label," + ",".join(f"pixel{n}" for n in range(9))]
    rows += [f"{'ab'[n % 2]}," + ",".join(str((n * 7 + p) % 256) for p in range(9)) for n in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    data = arrays_from(tmp_path / "t.csv")
    assert (data.image_shape, data.class_names, len(data.train)) == ((1, 3, 3), ("a", "b"), 8)
    (tmp_path / "t.csv").write_text("label,a,b\n1,2,3\n")
    with pytest.raises(DataError, match="2 columns, which make no square image"):
        arrays_from(tmp_path / "t.csv")


def add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def png(value: int) -> bytes:
    stream = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(np.full((4, 5, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("mode, suffix, top", [("w", "tar", ""), ("w:xz", "tar.xz", "photos/"), ("w:gz", "tgz", "./")])
def test_images_in_an_archive(mode: Any, suffix: str, top: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    with tarfile.open(path, mode) as archive:
        for part, count in (("train", 3), ("test", 2)):
            for name in "ab":
                for place in range(count):
                    add_file(archive, f"{top}{part}/{name}/{place}.png", png(10 * place + ord(name)))
                add_file(archive, f"{top}{part}/{name}/notes.txt", b"no image")
    data = arrays_from(path)
    assert (len(data.train), len(data.test), data.class_names) == (6, 4, ("a", "b"))
    assert data.train[5][0].max() == np.float32((20 + ord("b")) / 255)
    files = TarFiles(path)
    assert len(files.names()) == 14
    with pytest.raises(DataError, match="no z in it"):
        files.read("z")


def test_bad_images_in_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name in "ab":
            add_file(archive, f"{name}/0.png", png(1))
            add_file(archive, f"{name}/1.png", png(1)[:30])
    data = TarImageFolder(tmp_path / "x.tar")
    with pytest.raises(DataError, match=r"x\.tar/a/1\.png"):
        data[1]
    with pytest.warns(UserWarning, match="2 files left out"):
        data = TarImageFolder(tmp_path / "x.tar", on_error="skip")
    assert (len(data), len(data.skipped)) == (2, 2)


def test_damaged_archives(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        add_file(archive, "a/0.png", os.urandom(50_000))
    whole = (tmp_path / "x.tar.gz").read_bytes()
    for content in (whole[:20_000], b"", b"no archive", whole[:5]):
        (tmp_path / "x.tar.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.tar\.gz"):
            arrays_from(tmp_path / "x.tar.gz")
    (tmp_path / "x.tar.gz").write_bytes(whole)
    with pytest.raises(DataError, match="more than max_bytes=10,000"):
        TarFiles(tmp_path / "x.tar.gz", max_bytes=10_000)


def test_archives_are_unpacked_inside_their_folder_only(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "good.tar", "w") as archive:
        add_file(archive, "a/x", b"12")
    (written,) = extract_archive(tmp_path / "good.tar", tmp_path / "out")
    assert written == tmp_path / "out/a/x"
    assert written.read_bytes() == b"12"
    with pytest.raises(DataError, match="2 bytes of content, more than"):
        extract_archive(tmp_path / "good.tar", tmp_path / "out", max_bytes=1)
    for name in ("../evil", "/evil", "a/../../evil"):
        with tarfile.open(tmp_path / "bad.tar", "w") as archive:
            add_file(archive, name, b"1")
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as zipped:
            zipped.writestr(name, b"1")
        for path in ("bad.tar", "bad.zip"):
            with pytest.raises(DataError, match="would be written outside"):
                extract_archive(tmp_path / path, tmp_path / "out")
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match="links or devices"):
        extract_archive(tmp_path / "link.tar", tmp_path / "out")
