"""Training input from files: the same bits for any number of workers and after a resume, and memory that stays flat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import DataError
from onegraph.utils.data import DataLoader, default_collate
from onegraph.vision import datasets, transforms
from onegraph.vision.datasets import fast_loader
from onegraph.vision.transforms import v2

Image = pytest.importorskip("PIL.Image")

STEPS = transforms.Compose(
    [
        transforms.RandomResizedCrop(12),
        transforms.RandomHorizontalFlip(),
        transforms.RandAugment(),
        transforms.ToTensor(),
        transforms.RandomErasing(),
        transforms.Normalize((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
    ]
)
MIX = v2.RandomChoice([v2.MixUp(num_classes=2), v2.CutMix(num_classes=2)])


def mixed(samples: list[Any]) -> Any:
    return MIX(*default_collate(samples))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name in "ab":
        (root / name).mkdir()
        for place in range(7):
            coarse = generator.integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(coarse).resize((64, 48)).save(root / name / f"{place}.jpg")
    return root


def loader_of(root: Path, workers: int, **options: Any) -> DataLoader:
    data = datasets.ImageFolder(root, transform=STEPS)
    return DataLoader(data, batch_size=4, shuffle=True, num_workers=workers, collate_fn=mixed, **options)


def bits(batches: Any) -> list[bytes]:
    return [images.numpy().tobytes() + labels.numpy().tobytes() for images, labels in batches]


def test_the_same_bits_for_any_number_of_workers_and_after_a_resume(photographs: Path) -> None:
    def two_epochs(workers: int, **options: Any) -> list[list[bytes]]:
        og.manual_seed(3)
        loader = loader_of(photographs, workers, **options)
        return [bits(loader), bits(loader)]

    first, second = two_epochs(0)
    assert len(first) == 4
    assert set(first).isdisjoint(second)
    assert two_epochs(0, prefetch_batches=2) == [first, second]
    assert two_epochs(2) == [first, second]
    assert two_epochs(1, persistent_workers=True) == [first, second]

    og.manual_seed(3)
    loader = loader_of(photographs, 0)
    list(loader)
    batches = iter(loader)
    assert bits([next(batches), next(batches)]) == second[:2]
    og.manual_seed(99)
    resumed = loader_of(photographs, 2)
    resumed.load_state_dict(loader.state_dict())
    assert bits(resumed) == second[2:]


def test_without_shuffling_the_seed_still_decides(photographs: Path) -> None:
    def epoch(seed: int, workers: int) -> list[bytes]:
        og.manual_seed(seed)
        data = datasets.ImageFolder(photographs, transform=STEPS)
        return [images.numpy().tobytes() for images, _ in DataLoader(data, batch_size=5, num_workers=workers)]

    assert epoch(1, 0) == epoch(1, 1)
    assert epoch(1, 0) != epoch(2, 0)


def test_the_fast_loader_gives_almost_the_same_images(photographs: Path, tmp_path: Path) -> None:
    for place, path in enumerate(sorted(photographs.rglob("*.jpg"))[:4]):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.open(path).resize((800, 600), Image.Resampling.BICUBIC).save(tmp_path / "a" / f"{place}.jpg", quality=95)
    steps = transforms.Compose([transforms.RandomResizedCrop(16, scale=(0.3, 1.0)), transforms.ToTensor()])
    results = []
    for options in ({}, {"loader": fast_loader}):
        og.manual_seed(0)
        data = datasets.ImageFolder(tmp_path, transform=steps, **options)
        results.append(np.stack([data[index][0].numpy() for index in range(4)]))
    assert np.abs(results[0] - results[1]).mean() < 0.01
    assert not np.array_equal(results[0], results[1])  # otherwise it has decoded everything
    (tmp_path / "a" / "2.jpg").write_bytes((tmp_path / "a" / "2.jpg").read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a/2\.jpg: the image is truncated"):
        datasets.ImageFolder(tmp_path, transform=steps, loader=fast_loader)[2]
    assert datasets.ImageFolder(photographs, loader=fast_loader)[0][0].size == (64, 48)


def test_an_error_in_a_transform_names_the_file(photographs: Path) -> None:
    data = datasets.ImageFolder(photographs, transform=lambda image: image.nothing)
    with pytest.raises(AttributeError) as caught:
        data[0]
    assert any("a/0.jpg" in note for note in caught.value.__notes__)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("workers", [0, 2])
def test_memory_stays_flat(workers: int, photographs: Path) -> None:
    loader = loader_of(photographs, workers, persistent_workers=workers > 0)

    def epochs(count: int) -> Iterator[int]:
        for _ in range(count):
            for _images, _labels in loader:
                pass
            yield resident()

    warm = max(epochs(20))
    later = max(epochs(80))
    assert later - warm < 8 << 20
