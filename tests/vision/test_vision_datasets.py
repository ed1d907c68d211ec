"""torchvision's data sets by name: files, samples, downloads that fail, and folders with bad images."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
import onegraph.vision as torchvision
from onegraph.data import write_idx
from onegraph.errors import ArgumentError, DataError
from onegraph.utils.data import DataLoader
from onegraph.vision import transforms
from onegraph.vision.datasets import vision as vision_module

Image = pytest.importorskip("PIL.Image")

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def write_mnist(folder: Path, end: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 6), ("t10k", 2)):
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", IMAGES[:count])
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", LABELS[:count])


@pytest.mark.parametrize("place, end", [("MNIST/raw", ""), ("MNIST/raw", ".gz"), ("", ".gz")])
def test_mnist(place: str, end: str, tmp_path: Path) -> None:
    write_mnist(tmp_path / place, end)
    data = torchvision.datasets.MNIST(str(tmp_path), train=True)
    image, label = data[2]
    assert isinstance(image, Image.Image)
    assert (image.mode, image.size, label, type(label)) == ("L", (28, 28), 4, int)
    assert np.array_equal(np.asarray(image), IMAGES[2])
    assert (len(data), len(torchvision.datasets.MNIST(tmp_path, train=False))) == (6, 2)
    assert (data.data.dtype, data.targets.dtype) == (og.uint8, og.int64)
    assert data.targets.tolist() == LABELS.tolist()
    assert data.classes[9] == "9 - nine"
    assert data.class_to_idx["9 - nine"] == 9
    data.data, data.targets = data.data[:3], data.targets[:3]
    assert len(data) == 3
    assert "Split: Train" in repr(data)


def test_mnist_in_a_loader(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST/raw")
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    data = torchvision.datasets.MNIST(tmp_path, transform=steps, target_transform=lambda label: label + 1)
    batches = [next(iter(DataLoader(data, batch_size=4, num_workers=workers))) for workers in (0, 1)]
    images, labels = batches[0]
    expected = (IMAGES[:4, None].astype(np.float32) / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
    assert np.array_equal(images.numpy(), expected)
    assert labels.tolist() == [4, 2, 5, 2]
    assert np.array_equal(batches[1][0].numpy(), expected)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"MNIST: .*raw lacks train-images-idx3-ubyte, train-labels-idx1-ubyte"
    ) as caught:
        torchvision.datasets.MNIST(tmp_path)
    assert "download=True" in str(caught.value)
    write_mnist(tmp_path / "KMNIST/raw")
    (tmp_path / "KMNIST/raw/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\0" * 5)
    with pytest.raises(DataError, match="truncated"):
        torchvision.datasets.KMNIST(tmp_path)
    write_idx(tmp_path / "KMNIST/raw/train-images-idx3-ubyte", IMAGES[:2])
    with pytest.raises(DataError, match="do not fit"):
        torchvision.datasets.KMNIST(tmp_path)


def test_without_a_network_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"file://{tmp_path}/nothing/"])
    with pytest.raises(DataError, match=r"MNIST: train-images-idx3-ubyte\.gz cannot be downloaded") as caught:
        torchvision.datasets.MNIST(tmp_path, download=True)
    assert "put the file into" in str(caught.value)


def test_downloads_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "server", ".gz")
    sums = [(p.name, hashlib.md5(p.read_bytes()).hexdigest()) for p in sorted((tmp_path / "server").iterdir())]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"file://{tmp_path}/server/"])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)
    assert len(torchvision.datasets.MNIST(tmp_path / "a", download=True)) == 6
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", [(sums[0][0], "0" * 32)])
    with pytest.raises(DataError, match="cannot be downloaded"):
        torchvision.datasets.MNIST(tmp_path / "b", download=True)


def test_emnist_has_splits(tmp_path: Path) -> None:
    folder = tmp_path / "EMNIST/raw"
    folder.mkdir(parents=True)
    write_idx(folder / "emnist-letters-test-images-idx3-ubyte", IMAGES)
    write_idx(folder / "emnist-letters-test-labels-idx1-ubyte", LABELS)
    data = torchvision.datasets.EMNIST(tmp_path, "letters", train=False)
    assert (len(data), data.classes[1]) == (6, "a")
    counts = {name: len(classes) for name, classes in torchvision.datasets.EMNIST.classes_split_dict.items()}
    assert counts == {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27, "digits": 10, "mnist": 10}
    with pytest.raises(ArgumentError, match="split='words'"):
        torchvision.datasets.EMNIST(tmp_path, "words")


def write_cifar(folder: Path, hundred: bool = False) -> np.ndarray:
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3072), np.uint8)
    labels = "fine_labels" if hundred else "labels"
    for name in ["train", "test"] if hundred else [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(pickle.dumps({"data": pixels, labels: [0, 9]}, protocol=2))
    names = [f"class {n}" for n in range(100 if hundred else 10)]
    (folder / ("meta" if hundred else "batches.meta")).write_bytes(
        pickle.dumps({"fine_label_names" if hundred else "label_names": names}, protocol=2)
    )
    return pixels


def test_cifar(tmp_path: Path) -> None:
    pixels = write_cifar(tmp_path / "cifar-10-batches-py")
    write_cifar(tmp_path / "cifar-100-python", hundred=True)
    data = torchvision.datasets.CIFAR10(root=tmp_path, train=True)
    assert (len(data), data.data.shape, data.targets[:2]) == (10, (10, 32, 32, 3), [0, 9])
    image, label = data[1]
    assert (image.mode, label) == ("RGB", 9)
    assert np.array_equal(np.asarray(image), pixels[1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert data.class_to_idx["class 3"] == 3
    assert len(torchvision.datasets.CIFAR100(tmp_path, train=False).classes) == 100
    with pytest.raises(DataError, match=r"CIFAR100: .* lacks cifar-100-python/"):
        torchvision.datasets.CIFAR100(tmp_path / "cifar-10-batches-py")


def test_cifar_is_downloaded_and_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "server/cifar-10-batches-py")
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "server/cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"file://{archive}")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert len(torchvision.datasets.CIFAR10(tmp_path / "here", train=False, download=True)) == 2


def test_fake_data_repeats() -> None:
    data = torchvision.datasets.FakeData(size=6, image_size=(3, 4, 5), num_classes=3, transform=transforms.ToTensor())
    first = [data[index] for index in range(6)]
    assert all(
        np.array_equal(data[i][0].numpy(), image.numpy()) and data[i][1] == label
        for i, (image, label) in enumerate(first)
    )
    assert len({image.numpy().tobytes() for image, _ in first}) == 6
    assert {label for _, label in first} <= {0, 1, 2}
    assert first[0][0].shape == (3, 4, 5)
    with pytest.raises(IndexError):
        data[6]


def write_folder(root: Path) -> None:
    for number, name in enumerate("ab"):
        (root / name).mkdir(parents=True)
        for place in range(3):
            pixels = np.full((20, 30, 3), 40 * place + number, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{place}.jpg", quality=95)


def test_image_folder(tmp_path: Path) -> None:
    write_folder(tmp_path)
    data = torchvision.datasets.ImageFolder(tmp_path, transform=transforms.Resize(10))
    image, label = data[4]
    assert (image.mode, image.size, label) == ("RGB", (15, 10), 1)
    assert isinstance(data, torchvision.datasets.VisionDataset)
    assert "Number of datapoints: 6" in repr(data)
    assert "Resize" in repr(data)
    assert torchvision.datasets.ImageFolder(tmp_path, loader=lambda path: Path(path).name)[0][0] == "0.jpg"
    folder = torchvision.datasets.DatasetFolder(tmp_path, lambda path: Path(path).stat().st_size, extensions=(".jpg",))
    assert folder[0][0] > 100
    with pytest.raises(ArgumentError, match="extensions or is_valid_file"):
        torchvision.datasets.DatasetFolder(tmp_path, len)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_bad_images_stop_or_are_skipped(damage: str, tmp_path: Path) -> None:
    write_folder(tmp_path)
    bad = tmp_path / "a" / "1.jpg"
    bad.write_bytes({"truncated": bad.read_bytes()[:-200], "empty": b"", "text": b"hello"}[damage])
    data = torchvision.datasets.ImageFolder(tmp_path)
    with pytest.raises(DataError, match=r"a/1\.jpg"):
        data[1]
    loader = DataLoader(torchvision.datasets.ImageFolder(tmp_path, transform=transforms.ToTensor()), 6, num_workers=1)
    with pytest.raises(DataError, match=r"a/1\.jpg"):
        next(iter(loader))
    with pytest.warns(UserWarning, match=r"1 files left out: .*a/1\.jpg"):
        data = torchvision.datasets.ImageFolder(tmp_path, on_error="skip")
    assert (len(data), [Path(path).name for path, _ in data.skipped]) == (5, ["1.jpg"])


def test_names_that_are_not_here_say_why() -> None:
    with pytest.raises(AttributeError, match="LMDB databases"):
        _ = torchvision.datasets.LSUN
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = torchvision.datasets.Nothing
    assert not hasattr(torchvision.datasets, "SVHN")


def test_transforms_of_both() -> None:
    class One(vision_module.VisionDataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Any:
            return self.changed(1, 2)

    assert One(transforms=lambda image, target: (target, image))[0] == (2, 1)
    assert One(transform=lambda image: image + 1)[0] == (2, 2)
    with pytest.raises(ArgumentError, match="pass transforms, or transform"):
        One(transforms=max, transform=abs)
