"""`onegraph predict MODEL IMAGE...`: the most probable classes of image files. Read next: `preprocessing.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from onegraph.cli.evaluate import classes_of, model_folder
from onegraph.cli.measure import log_softmax
from onegraph.cli.preprocessing import Preprocessing
from onegraph.errors import DataError
from onegraph.storage.model import load_model
from onegraph.storage.serving import LoadedModel


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to name.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Images at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, model: Path, images: tuple[str, ...], top: int, batch_size: int, as_json: bool) -> None:
    """Classify image files with a saved MODEL.

    Images are made gray or coloured and scaled as in training; colours are not inverted. The probabilities of the digits
    model suppose light strokes on black. An image that cannot be read is named, and the others are still classified.
    """
    loaded = load_model(model_folder(model))
    names = classes_of(loaded)
    preprocessing = Preprocessing.from_dict(loaded.extra.get("preprocessing") or {})
    failed = False
    everything: list[dict[str, Any]] = []
    for start in range(0, len(images), batch_size):
        results = classify(loaded, preprocessing, names, images[start : start + batch_size], top)
        failed |= any("error" in result for result in results)
        everything += results
        for result in [] if as_json else results:
            _show(result)
    if as_json:
        click.echo(json.dumps(everything, indent=1))
    if failed:
        ctx.exit(1)


def classify(
    model: LoadedModel, preprocessing: Preprocessing, names: list[str], paths: tuple[str, ...], top: int
) -> list[dict[str, Any]]:
    """Classify image files, as one batch.

    Returns:
        For each file {"file", "predictions": [{"class", "probability"}, ...]}, or {"file", "error"}.
    """
    results: list[dict[str, Any]] = [{"file": path} for path in paths]
    loaded = []
    for result in results:
        try:
            loaded.append((result, preprocessing.load(result["file"])))
        except DataError as error:
            result["error"] = error.message
    if loaded:
        logits = model(preprocessing(np.stack([image for _, image in loaded]))).numpy()
        for (result, _), row in zip(loaded, np.exp(log_softmax(logits)), strict=True):
            order = np.argsort(-row, kind="stable")[:top]
            result["predictions"] = [{"class": names[i], "probability": float(row[i])} for i in order]
    return results


def _show(result: dict[str, Any]) -> None:
    if "error" in result:
        click.echo(f"error: {result['error']}", err=True)
        return
    best = ", ".join(f"{found['class']} ({found['probability']:.1%})" for found in result["predictions"])
    click.echo(f"{result['file']}: {best}")
