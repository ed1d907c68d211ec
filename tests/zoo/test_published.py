"""The facts about published weights, and ImageNet's classes: complete, consistent, and fitting the networks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.errors import ArgumentError, DataError, ShapeError
from onegraph.zoo import imagenet
from onegraph.zoo.published import (
    Published,
    find_published,
    networks_with_weights,
    preprocessing,
    published,
    reported,
)
from tests.zoo.test_parameters import PARAMETERS

ENTRIES = [entry for name in networks_with_weights() for entry in published(name)]


def test_entries_are_consistent() -> None:
    assert len({(entry.network, entry.name) for entry in ENTRIES}) == len(ENTRIES) == len({e.url for e in ENTRIES})
    for entry in ENTRIES:
        kind, digits = entry.checksum.split(":")
        assert re.fullmatch("[0-9a-f]{8}" if kind == "sha256" else "[0-9a-f]{32}", digits), entry
        assert (kind == "sha256") == (entry.layout == "torchvision") and entry.url.endswith((".pth", ".h5"))
        if kind == "sha256":
            assert f"-{digits}." in entry.file, "the name carries the checksum"
        assert 50 < entry.top1 < entry.top5 < 100 and entry.preprocessing.crop <= entry.preprocessing.resize


def test_each_network_has_one_default() -> None:
    for name in networks_with_weights():
        chosen = [entry for entry in published(name) if entry.default]
        best = max((e for e in published(name) if e.layout == "torchvision"), key=lambda e: e.top1)
        assert chosen == [best]


def test_published_weights_have_as_many_parameters_as_the_network() -> None:
    assert set(networks_with_weights()) <= set(PARAMETERS)
    stated = {name: {entry.parameters for entry in published(name)} for name in networks_with_weights()}
    wanted = {name: {PARAMETERS[name]} for name in stated}
    auxiliary = sum(p.numel() for n, p in zoo.googlenet().named_parameters() if n.startswith("aux"))
    wanted["googlenet"] = {PARAMETERS["googlenet"] - auxiliary}  # torchvision counts it without these heads
    assert stated == wanted


def test_weights_are_found_by_name() -> None:
    assert find_published("resnet50").name == find_published("resnet50", "default").name == "IMAGENET1K_V2"
    entry = find_published("resnet50", "ResNet50_Weights.IMAGENET1K_V1")
    assert isinstance(entry, Published) and entry.file == "resnet50-0676ba61.pth"
    with pytest.raises(ArgumentError, match="it has DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2") as caught:
        find_published("resnet50", "IMAGENET1K_V3")
    assert "did you mean IMAGENET1K_V" in str(caught.value)
    with pytest.raises(ArgumentError, match="no weights of lenet5 are published"):
        find_published("lenet5")


def test_reported_errors_name_their_table() -> None:
    text = (Path(zoo.__file__).parent / "data" / "reported.tsv").read_text(encoding="utf-8").splitlines()[1:]
    names = {line.split("\t")[0] for line in text}
    assert sum(len(reported(name)) for name in names) == len(text)
    for name in names:
        for row in reported(name):
            assert row.measure in ("top1_error", "top5_error") and 0 < row.value < 50
            assert re.search(r" \d{4}, (table|figure) \d+$", row.source), row
    assert [r.value for r in reported("vgg16")] == [27.0, 8.8]


# ---- classes


def test_there_are_1000_classes_in_the_order_of_wordnet() -> None:
    names, numbers = imagenet.labels(), imagenet.wordnet_numbers()
    assert len(names) == len(numbers) == len(set(numbers)) == 1000
    assert numbers == sorted(numbers) and all(re.fullmatch(r"n\d{8}", number) for number in numbers)
    assert [names[i] for i in (0, 207, 281, 504, 999)] == [
        "tench",
        "golden retriever",
        "tabby",
        "coffee mug",
        "toilet tissue",
    ]
    assert imagenet.index_of("n03063599") == imagenet.index_of("coffee mug") == 504
    with pytest.raises(ArgumentError, match="no classes"):
        imagenet.index_of("unicorn")


def test_decode_sorts_by_probability() -> None:
    logits = np.zeros((2, 1000))
    logits[0, 3], logits[0, 5], logits[1, 999] = 10, 9, 800
    first, second = imagenet.decode(logits, top=2)
    assert [guess.index for guess in first] == [3, 5]
    share = np.exp(10) / (np.exp(10) + np.exp(9) + 998)
    assert first[0].probability == pytest.approx(share) and first[0].label == "tiger shark"
    assert second[0] == imagenet.Guess(999, "toilet tissue", "n15075141", 1.0)
    assert imagenet.decode(og.zeros(1000))[0][0].index == 0
    with pytest.raises(ShapeError, match=r"\(N, 1000\), got \(1, 10\)"):
        imagenet.decode(np.zeros((1, 10)))
    with pytest.raises(ArgumentError, match="top=0"):
        imagenet.decode(logits, top=0)


# ---- preparing images


def test_images_are_prepared_as_stated(tmp_path: Path) -> None:
    image_library = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = image_library.fromarray(pixels)
    picture.save(tmp_path / "a.png")
    prepare = preprocessing("resnet50", "IMAGENET1K_V1")
    found = prepare(tmp_path / "a.png")
    assert tuple(found.shape) == (1, 3, 224, 224) and found.dtype == og.float32
    # By hand: the shorter side to 256 (the longer to int(256 * 400 / 300) = 341), then the middle 224 by 224.
    scaled = picture.resize((341, 256), image_library.Resampling.BILINEAR)
    left, top = round((341 - 224) / 2), (256 - 224) // 2
    cut = np.asarray(scaled.crop((left, top, left + 224, top + 224))) / 255
    wanted = (cut - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(found.numpy()[0].transpose(1, 2, 0), wanted, atol=1e-5)
    np.testing.assert_array_equal(prepare(pixels).numpy(), found.numpy())
    np.testing.assert_array_equal(prepare(picture).numpy(), found.numpy())
    blue_first = preprocessing("vgg16", "KERAS")(pixels).numpy()
    np.testing.assert_allclose(blue_first[0, 2], cut[..., 0] * 255 - 123.68, atol=1e-3)
    lite = preprocessing("efficientnet_lite0")
    assert (lite.interpolation, lite.crop) == ("bicubic", 224)
    np.testing.assert_allclose(lite(np.full((300, 300, 3), 255, np.uint8)).numpy(), 1.0, atol=1e-6)


def test_bad_images_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    prepare = preprocessing("resnet18")
    with pytest.raises(ShapeError, match=r"got \(3, 8, 8\) uint8"):
        prepare(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(ShapeError, match="float64"):
        prepare(np.zeros((8, 8, 3)))
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "absent.jpg")
