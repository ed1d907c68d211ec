"""Reading the list of names, finding each in a library, and its answers in a form that can be compared and kept.

The list, `names.tsv`: names that well-known public programs for PyTorch use, with the keyword arguments that they pass and,
for names that are not here, the reason. Read next: `test_torch_names.py`.
"""

from __future__ import annotations

import csv
import importlib
import io
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.surface import expressions, expressions_of_layers, expressions_of_vision

FOLDER = Path(__file__).parent


class Name(NamedTuple):
    """A row of the list."""

    symbol: str
    keywords: tuple[str, ...]
    missing: str


def read_names() -> list[Name]:
    """The list."""
    with (FOLDER / "names.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [Name(r["symbol"], tuple(filter(None, r["keywords"].split(","))), r["missing"] or "") for r in rows]


def checks() -> dict[str, str]:
    """The expression of each name."""
    tables = {
        "<obj>.": {**expressions.TENSOR_METHODS, **expressions.OBJECT_METHODS},
        "torch.": expressions.TOP_LEVEL,
        "torch.nn.": expressions_of_layers.LAYERS,
        "torch.optim.": expressions_of_layers.OPTIMIZERS,
        "torch.utils.": expressions_of_layers.UTILS,
        "torchvision.": expressions_of_vision.VISION,
    }
    return {prefix + name: text for prefix, table in tables.items() for name, text in table.items()}


def resolve(symbol: str, roots: dict[str, Any]) -> Any:
    """The object that a dotted name means: attributes, or what a module of that name has (a function may hide a module)."""
    first, *rest = symbol.split(".")
    found = roots[first]
    module = found.__name__
    for part in rest:
        module = f"{module}.{part}"
        if hasattr(found, part):
            found = getattr(found, part)
        elif module.rpartition(".")[0] in sys.modules and hasattr(sys.modules[module.rpartition(".")[0]], part):
            found = getattr(sys.modules[module.rpartition(".")[0]], part)
        else:
            found = importlib.import_module(module)
    return found


def answer(text: str, library: Any, vision: Any = None) -> Any:
    """What an expression gives in a library, in a form that JSON can hold."""
    names = expressions.surroundings(library)
    names |= {
        "filled": lambda module: filled(module, library),
        "importlib": importlib,
        "round_trip": round_trip,
        "spread": spread,
        "v": vision,
        "picture": picture(),
        "folder_of": folder_of,
        "saved_image": saved_image,
        "np": np,
    }
    return plain(eval(text, names))


def filled(module: Any, library: Any) -> Any:
    """A module with parameters from -0.5 to 0.5, the same in both libraries."""
    with library.no_grad():
        for p in module.parameters():
            count = p.numel()
            p.copy_((library.arange(float(count)) * 7 % count / max(count, 1) - 0.5).reshape(p.shape))
    return module


def spread(value: Any, expected: float) -> bool:
    """Whether the standard deviation of random numbers is within a tenth of what it should be."""
    return bool(abs(value.std().item() / expected - 1) < 0.1)


def round_trip(library: Any, value: Any) -> Any:
    """A value saved and loaded."""
    file = io.BytesIO()
    library.save(value, file)
    file.seek(0)
    return library.load(file, map_location="cpu")


def picture() -> Any:
    """A PIL image of 6 x 8 pixels."""
    from PIL import Image

    return Image.fromarray((np.arange(6 * 8 * 3) * 5 % 256).astype(np.uint8).reshape(6, 8, 3))


def folder_of(datasets: Any, image: Any, transform: Any) -> Any:
    """Two classes of one picture each, read from a folder."""
    with tempfile.TemporaryDirectory() as root:
        for name in ("cats", "dogs"):
            Path(root, name).mkdir()
            image.save(Path(root, name, "one.png"))
        found = datasets.ImageFolder(root=root, transform=transform)
        return [found.classes, len(found), [label for _, label in found], found[1][0]]


def saved_image(utils: Any, images: Any) -> Any:
    """Pixels of a grid of images that was written to a file."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as root:
        utils.save_image(images, Path(root, "grid.png"), nrow=2, normalize=True)
        return np.asarray(Image.open(Path(root, "grid.png")))


def plain(value: Any) -> Any:
    """Numbers, strings and lists for any answer; tensors with shape and dtype."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "detach"):
        array = value.detach().numpy()
        return {
            "shape": list(array.shape),
            "dtype": str(value.dtype).split(".")[-1],
            "values": plain(array.ravel().tolist()),
        }
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "dtype": str(value.dtype), "values": plain(value.ravel().tolist())}
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [plain(v) for v in value]
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return "callable"
    return str(type(value).__name__)


def same(mine: Any, theirs: Any) -> bool:
    """Whether two answers are the same, numbers within float32 noise."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(same(a, b) for a, b in zip(mine, theirs, strict=True))
    if isinstance(mine, float) and isinstance(theirs, (int, float)) and not isinstance(theirs, bool):
        return math.isclose(mine, theirs, rel_tol=2e-5, abs_tol=2e-6)
    return type(mine) is type(theirs) and bool(mine == theirs)
