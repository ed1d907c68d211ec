"""`onegraph evaluate MODEL`: accuracy, loss and a table of classes for a saved model on test images.

Read next: `measure.py`, `confusion.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from onegraph.cli.confusion import class_table, save_picture, worst_confusions
from onegraph.cli.measure import measure
from onegraph.cli.preprocessing import Preprocessing
from onegraph.data import arrays_from
from onegraph.data.dataset import Dataset
from onegraph.errors import ArgumentError, DataError, NotFiniteError, StateError
from onegraph.storage.model import load_model
from onegraph.storage.serving import LoadedModel


def classes_of(model: LoadedModel) -> list[str]:
    """Names of the classes that a saved model tells apart.

    Raises:
        StateError: it was saved without them.
    """
    names = model.extra.get("classes")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise StateError(
            "the model does not say which classes it tells apart",
            hint="use a model of `onegraph train`, or save with extra={'classes': [...], 'preprocessing': {...}}",
        )
    return names


def model_folder(path: Path) -> Path:
    """The model in the folder of a run, when that is what was named."""
    inside = path / "model"
    return inside if not (path / "signature.json").exists() and (inside / "signature.json").exists() else path


class Renumbered(Dataset):
    """A data set whose class numbers are replaced."""

    def __init__(self, dataset: Any, numbers: np.ndarray) -> None:
        self.dataset, self.numbers = dataset, numbers

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        image, label = self.dataset[index]
        return image, int(self.numbers[label])


def with_classes(dataset: Any, theirs: tuple[str, ...], ours: list[str]) -> Any:
    """The data set with class numbers as the model counts them, by name.

    Raises:
        DataError: the data has a class that the model does not know.
    """
    unknown = [name for name in theirs if name not in ours]
    if unknown:
        raise DataError(
            f"the data has classes that the model does not know: {', '.join(unknown[:10])}; it knows {', '.join(ours[:20])}"
        )
    if list(theirs) == ours[: len(theirs)]:
        return dataset
    return Renumbered(dataset, np.array([ours.index(name) for name in theirs]))


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", help="As for `train`.  [default: the digits, for a model trained on them]")
@click.option("--part", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True)
@click.option("--confusion", type=click.Path(path_type=Path), help="Draw the confusion matrix into this PNG file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, data: str | None, part: str, batch_size: int, confusion: Path | None, as_json: bool) -> None:
    """Measure a saved MODEL on test images that it was not trained on."""
    loaded = load_model(model_folder(model))
    names = classes_of(loaded)
    preprocessing = Preprocessing.from_dict(loaded.extra.get("preprocessing") or {})
    source = data or ("digits" if loaded.extra.get("data") == "digits" else None)
    if source is None:
        raise ArgumentError("the model was not trained on the digits, so --data is needed: a folder of test images")
    found = arrays_from(source, preprocessing.size, preprocessing.channels)
    dataset = with_classes(getattr(found, part), found.class_names, names)
    result = measure(lambda x: loaded(x).numpy(), dataset, preprocessing, len(names), batch_size)
    if not np.isfinite(result.loss):
        raise NotFiniteError(f"the model in {model} gives a loss of {result.loss}", hint="train it again")
    if confusion is not None:
        save_picture(result.matrix, names, confusion, f"{result.accuracy:.2%} of {result.count:,} images are right")
    if as_json:
        values = {"accuracy": result.accuracy, "loss": result.loss, "images": result.count, "classes": names}
        click.echo(json.dumps({**values, "confusion_matrix": result.matrix.tolist()}))
        return
    click.echo(f"{source}, {part} part: {result.count:,} images")
    click.echo(f"accuracy {result.accuracy:.2%}, loss {result.loss:.4f}")
    click.echo(class_table(result.matrix, names))
    mistakes = worst_confusions(result.matrix, names)
    click.echo(f"most frequent mistakes: {'; '.join(mistakes) or 'none'}")
    if confusion is not None:
        click.echo(f"confusion matrix: {confusion}")
