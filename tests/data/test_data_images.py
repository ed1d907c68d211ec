"""Image files and folders of them: decoding, sizes, broken files, classes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph.data import DataLoader, ImageFolder, arrays_from, check_same_classes, load_image, numpy_collate
from onegraph.data.images import image_header
from onegraph.errors import ArgumentError, DataError, UnsupportedError

Image = pytest.importorskip("PIL.Image")


def save(path: Path, array: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path, **options)
    return path


def gradient(height: int, width: int) -> np.ndarray:
    """A color image in which every pixel is different."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 9, columns * 9, rows * columns], axis=2).astype(np.uint8)


def write_classes(root: Path, names: str = "ab", count: int = 5, size: tuple[int, int] = (4, 6)) -> None:
    for number, name in enumerate(names):
        for place in range(count):
            save(root / name / f"{place}.png", gradient(*size) // (number + 1) + place)


def test_pixels(tmp_path: Path) -> None:
    pixels = gradient(4, 6)
    path = save(tmp_path / "x.png", pixels)
    assert np.array_equal(load_image(path, dtype=np.uint8, layout="HWC"), pixels)
    image = load_image(path)
    assert (image.shape, image.dtype) == ((3, 4, 6), np.float32)
    assert np.array_equal(image, pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    assert image.flags.c_contiguous
    assert load_image(path, channels=1).shape == (1, 4, 6)
    assert load_image(path, channels=4, dtype=np.uint8)[3].min() == 255
    assert image_header(path) == (3, 4, 6)


def test_size_covers_then_crops(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 4:12] = 200  # the middle square
    path = save(tmp_path / "x.png", pixels)
    assert np.all(load_image(path, size=8, dtype=np.uint8) == 200)
    assert load_image(path, size=(3, 5)).shape == (3, 3, 5)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_orientation(orientation: int, tmp_path: Path) -> None:
    upright = gradient(4, 6)
    stored = {1: upright, 3: np.rot90(upright, 2), 6: np.rot90(upright), 8: np.rot90(upright, 3)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "x.png", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(load_image(path, dtype=np.uint8, layout="HWC"), upright)
    assert image_header(path) == (3, 4, 6)


def test_modes(tmp_path: Path) -> None:
    gray = save(tmp_path / "gray.png", np.full((2, 2), 7, np.uint8))
    assert np.all(load_image(gray, dtype=np.uint8) == 7)
    assert image_header(gray)[0] == 1
    deep = save(tmp_path / "deep.png", np.array([[0, 65535, 32896]], np.uint16))
    assert load_image(deep, channels=1, dtype=np.uint8).ravel().tolist() == [0, 255, 128]
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=b"\x00")
    assert load_image(tmp_path / "palette.png", dtype=np.uint8)[:, 0, 0].tolist() == [10, 20, 30]


def test_broken_files(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))
    cases = {
        "cut.png": whole.read_bytes()[:2000],
        "text.png": b"hello",
        "empty.png": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            load_image(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        load_image(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=": a folder, not an image"):
        load_image(tmp_path)
    with pytest.raises(DataError, match=r"text\.png: not a readable image \("):
        load_image(tmp_path / "text.png")


def test_a_decompression_bomb_is_not_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "large.png", np.zeros((300, 400), np.uint8))
    with pytest.raises(DataError, match="400 x 300 pixels, more than max_pixels=100,000"):
        load_image(path, max_pixels=100_000)
    huge = tmp_path / "huge.png"
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    huge.write_bytes(content)
    with pytest.raises(DataError, match=r"huge\.png"):
        load_image(huge)


@pytest.mark.parametrize(
    "options", [{"channels": 2}, {"dtype": np.float64}, {"layout": "NCHW"}, {"size": 0}, {"size": (1, -1)}]
)
def test_arguments(options: dict[str, Any], tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", gradient(2, 2))
    with pytest.raises(ArgumentError, match=next(iter(options))):
        load_image(path, **options)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UnsupportedError, match=r"pip install onegraph\[images\]"):
        load_image(tmp_path / "x.png")


def test_folder(tmp_path: Path) -> None:
    write_classes(tmp_path, "ba")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    save(tmp_path / "b" / "deeper" / "9.png", gradient(4, 6))
    data = ImageFolder(tmp_path, target_transform=lambda label: -label)
    assert data.classes == ["a", "b"]
    assert data.class_to_idx == {"a": 0, "b": 1}
    assert data.targets == [0] * 5 + [1] * 6
    assert data.imgs == data.samples
    assert data[0][0].shape == (3, 4, 6)
    assert data[-1][1] == -1
    assert ImageFolder(tmp_path, transform=lambda image: image.shape)[0][0] == (3, 4, 6)
    assert ImageFolder(tmp_path, loader=os.path.basename)[0] == ("0.png", 0)
    images, labels = next(iter(DataLoader(data, batch_size=11, num_workers=1, collate_fn=numpy_collate)))
    assert images.shape == (11, 3, 4, 6)
    assert labels.tolist() == [0] * 5 + [-1] * 6


def test_folder_follows_links_once(tmp_path: Path) -> None:
    write_classes(tmp_path, "a", count=2)
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    assert ImageFolder(tmp_path).targets == [0, 0, 1, 1]


def test_folder_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folders of classes"):
        ImageFolder(tmp_path)
    with pytest.raises(DataError, match="cannot be listed"):
        ImageFolder(tmp_path / "nothing")
    write_classes(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: a class without images"):
        ImageFolder(tmp_path)
    assert ImageFolder(tmp_path, allow_empty=True).classes == ["a", "empty"]
    with pytest.raises(ArgumentError, match="on_error"):
        ImageFolder(tmp_path, on_error="ignore")


def test_bad_images_raise_or_are_left_out(tmp_path: Path) -> None:
    write_classes(tmp_path, "ab", count=2)
    (tmp_path / "a" / "1.png").write_bytes(b"broken")
    data = ImageFolder(tmp_path)
    with pytest.raises(DataError, match=r"1\.png") as caught:
        data[1]
    assert "not a readable image" in str(caught.value)
    with pytest.warns(UserWarning, match=r"1 files left out: .*1\.png"):
        data = ImageFolder(tmp_path, on_error="skip")
    assert [Path(path).name for path, _ in data.skipped] == ["1.png"]
    assert data.targets == [0, 1, 1]
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="none of 4 images can be read"):
        ImageFolder(tmp_path, on_error="skip")


def test_classes_that_differ_are_listed() -> None:
    with pytest.raises(DataError, match="bird, cat only in training, dog only in test"):
        check_same_classes(["bird", "cat", "fox"], ["dog", "fox"])


def test_arrays_from_train_and_test_folders(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", "xy", count=3)
    write_classes(tmp_path / "val", "xy", count=2, size=(8, 8))
    data = arrays_from(tmp_path)
    assert (len(data.train), len(data.test)) == (6, 4)
    assert data.image_shape == (3, 4, 6)
    images, labels = data.arrays("test")
    assert (images.shape, images.dtype) == ((4, 3, 4, 6), np.float32)
    assert (labels.tolist(), labels.dtype) == ([0, 0, 1, 1], np.int64)
    assert arrays_from(tmp_path, size=5, channels=1).train[0][0].shape == (1, 5, 5)
    save(tmp_path / "val" / "z" / "0.png", gradient(4, 6))
    with pytest.raises(DataError, match="nothing only in training, z only in test"):
        arrays_from(tmp_path)


def test_arrays_from_one_folder_of_classes(tmp_path: Path) -> None:
    write_classes(tmp_path, "abc", count=5)
    data, again = arrays_from(tmp_path), arrays_from(tmp_path)
    assert (len(data.train), len(data.test)) == (12, 3)
    assert sorted(label for _, label in data.test) == [0, 1, 2]
    assert data.test.indices == again.test.indices
    assert set(data.test.indices).isdisjoint(data.train.indices)
    assert arrays_from(tmp_path, test_fraction=0.4).test.indices != data.test.indices


def test_arrays_from_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        arrays_from(tmp_path / "nothing")
    with pytest.raises(DataError, match="no folders of classes"):
        arrays_from(tmp_path)
    write_classes(tmp_path / "train", "a", count=1)
    with pytest.raises(DataError, match="train/ is there, but not both"):
        arrays_from(tmp_path)
    with pytest.raises(DataError, match="too few to hold out"):
        arrays_from(tmp_path / "train")


def test_arrays_from_lists_what_was_left_out_of_both_parts(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", "xy", count=3)
    write_classes(tmp_path / "test", "xy", count=2)
    (tmp_path / "train" / "x" / "0.png").write_bytes(b"")  # the first file of all, which gives the shape
    (tmp_path / "test" / "y" / "1.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"train/x/0\.png"):
        arrays_from(tmp_path)
    with pytest.warns(UserWarning, match="1 files left out"):
        data = arrays_from(tmp_path, on_error="skip")
    assert [os.path.relpath(path, tmp_path) for path, _ in data.skipped] == ["train/x/0.png", "test/y/1.png"]
    assert (len(data.train), len(data.test), data.image_shape) == (5, 3, (3, 4, 6))


def test_classes_are_compared_before_images_are_decoded(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", "abx", count=1)
    write_classes(tmp_path / "test", "aby", count=1)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="x only in training, y only in test"):
        arrays_from(tmp_path, on_error="skip")
