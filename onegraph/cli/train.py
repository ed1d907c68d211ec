"""`onegraph train NETWORK`: options, what is written besides checkpoints, and what is said at the end.

Read next: `trainer.py`, the loop.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

import onegraph as og
from onegraph.board.png import encode_png
from onegraph.cli.confusion import save_picture, worst_confusions
from onegraph.cli.interrupt import Interrupted
from onegraph.cli.measure import Measurement
from onegraph.cli.networks import check_network, find_network, listing
from onegraph.cli.progress import duration
from onegraph.cli.settings import Settings, from_options, training_options
from onegraph.cli.starting import Start, build, find_start, resumed_start, with_size
from onegraph.cli.trainer import FORMAT, Trainer
from onegraph.data import Subset, arrays_from
from onegraph.errors import ArgumentError, DataError, StateError, StorageError, UnsupportedError
from onegraph.nn import Module
from onegraph.storage.atomic import atomic_directory, atomic_write, delete_directory
from onegraph.storage.checkpoint import Checkpoints
from onegraph.storage.filesystem import storage_error
from onegraph.storage.model import save_model
from onegraph.zoo import Network

_EXAMPLES = 10
_CHANGEABLE = {"epochs"}  # settings that a resumed run may change


@click.command(
    "train",
    epilog="\b\nNetworks:\n" + listing() + "\n  FILE.py:FUNCTION  your own, called with num_classes and in_channels",
)
@click.argument("network")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: runs/NETWORK]")
@training_options
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that load images.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, with its settings.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option(
    "--stop-on-nan/--no-stop-on-nan", default=True, show_default=True, help="Stop at a NaN and say where it began."
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def command(ctx: click.Context, network: str, **options: Any) -> None:
    """Train NETWORK and save the model, its checkpoints, logs and measurements."""
    out = options["out"] or Path("runs", Path(network.rpartition(":")[2] or network).name.lower())
    say = _silent if options["quiet"] else click.echo
    if options["resume"]:
        state = _latest_state(out)
        settings = _resumed_settings(ctx, network, state)
    else:
        state, settings = None, _settings(network, options)
    found = find_network(settings.network)
    start = find_start(settings, found) if state is None else resumed_start(settings, state)
    if state is None:
        _make_room(out, options["overwrite"])
    og.manual_seed(settings.seed)
    data = _data(settings, found, start)
    model, notes = build(found, start, settings, len(data.class_names), data.image_shape[0])
    check_network(found.name, model, data.image_shape, len(data.class_names))
    prepared = None if start.preprocessing is None else with_size(start.preprocessing, data.image_shape[1:])
    trainer = Trainer(
        settings, data, model, out, options["workers"], options["stop_on_nan"], options["quiet"], prepared
    )
    if state is not None:
        trainer.restore(state)
    say("\n".join([*_summary(settings, data, model, out, trainer), *notes]))
    started = time.monotonic()
    try:
        result = trainer.run()
    except Interrupted as stop:
        click.echo(
            f"\nStopped at step {trainer.position.step}; everything is saved. To go on:\n  {_resume_command(ctx, out)}",
            err=True,
        )
        ctx.exit(128 + stop.number)
    say(_finish(trainer, result, time.monotonic() - started))


def _silent(message: str) -> None:
    """What --quiet prints."""


# ---- before training


def _settings(network: str, options: dict[str, Any]) -> Settings:
    """Those of the command line, with paths that a resume finds from any folder."""
    for name in ("data", "weights"):
        if options[name] and os.path.exists(options[name]):
            options[name] = os.path.abspath(options[name])
    return from_options(_absolute_network(network), options)


def _absolute_network(name: str) -> str:
    path, separator, function = name.rpartition(":")
    return f"{os.path.abspath(path)}:{function}" if separator and path.endswith(".py") else name


def _latest_state(out: Path) -> dict[str, Any]:
    """The newest sound checkpoint; damaged ones are named on stderr."""
    folder = out / "checkpoints"
    if not folder.is_dir():
        raise StorageError(f"{out} holds no checkpoint to resume from", hint="check --out, or leave out --resume")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        latest = Checkpoints(folder).latest()
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)
    if latest is None:
        raise StorageError(
            f"{folder} holds no checkpoint that can be read", hint="start again with --overwrite instead of --resume"
        )
    state = latest[1]
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise StateError(f"the checkpoint of step {latest[0]} in {folder} is not one that this version writes")
    return state


def _resumed_settings(ctx: click.Context, network: str, state: dict[str, Any]) -> Settings:
    """Those of the checkpoint; an option that asks for something else is an error, more epochs are not."""
    settings = Settings.from_dict(state["settings"])
    given: dict[str, Any] = {"network": _absolute_network(network)}
    for field in dataclasses.fields(Settings):
        if ctx.get_parameter_source(field.name) is ParameterSource.COMMANDLINE and field.name != "network":
            given[field.name] = ctx.params[field.name]
    for name in ("data", "weights"):
        if os.path.exists(str(given.get(name) or "")):
            given[name] = os.path.abspath(given[name])
    for name, value in given.items():
        before = getattr(settings, name)
        if value != before and name not in _CHANGEABLE:
            raise ArgumentError(
                f"the run was started with {name.replace('_', '-')} {before!r}, not {value!r}",
                hint="leave the option out to resume, or start another run with another --out",
            )
    return dataclasses.replace(settings, **{n: v for n, v in given.items() if n in _CHANGEABLE})


def _make_room(out: Path, overwrite: bool) -> None:
    """Refuse to mix two runs in one folder; with `overwrite`, delete what the run before wrote."""
    checkpoints = sorted((out / "checkpoints").glob("step-*"))
    if checkpoints and not overwrite:
        raise StorageError(
            f"{out} already holds a run (up to step {int(checkpoints[-1].name[5:])})",
            hint="go on with it: --resume; replace it: --overwrite; keep it: another --out",
        )
    for folder in checkpoints:
        delete_directory(folder)
    if (out / "model" / "signature.json").exists():  # nothing of the run before may pass for a result of this one
        delete_directory(out / "model")
    try:
        for name in ("result.json", "confusion.png"):
            (out / name).unlink(missing_ok=True)
        for file in (out / "log").glob("events.out.tfevents.*"):
            file.unlink()
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, out, "write") from error


def _data(settings: Settings, network: Network, start: Start) -> Any:
    size = network.input_size if start.preprocessing is None else start.preprocessing.size
    if settings.image_size:
        size = (settings.image_size, settings.image_size)
    on_error = "skip" if settings.on_bad_image == "skip" else "raise"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = arrays_from(settings.data, size=size, channels=start.channels, on_error=on_error)
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)
    if len(data.class_names) < 2:
        raise DataError(
            f"{settings.data} holds one class, {data.class_names[0]!r}: there is nothing to tell apart",
            hint="give the folder that holds a folder of images for each class",
        )
    if settings.limit is None:
        return data
    parts = {name: _evenly(getattr(data, name), settings.limit) for name in ("train", "test")}
    return dataclasses.replace(data, **parts)


def _evenly(dataset: Any, limit: int) -> Any:
    """A part of a data set with samples from all over it."""
    places = np.unique(np.linspace(0, len(dataset) - 1, min(limit, len(dataset))).astype(np.int64))
    return Subset(dataset, places.tolist())


def _summary(settings: Settings, data: Any, model: Module, out: Path, trainer: Trainer) -> list[str]:
    count = sum(parameter.numel() for parameter in model.parameters())
    channels, height, width = data.image_shape
    watch = "to watch" if find_spec("tensorboard") else "to watch, with TensorBoard installed"
    lines = [
        f"{settings.network}: {count:,} parameters; {settings.optimizer}, learning rate {settings.lr:g}, "
        f"batches of {settings.batch_size}, seed {settings.seed}",
        f"{settings.data}: {len(data.train):,} training and {len(data.test):,} test images, "
        f"{len(data.class_names)} classes, {height}x{width}, {'gray' if channels == 1 else 'colour'}",
        f"writing to {out}; {watch}: tensorboard --logdir {shlex.quote(str(out))}",
    ]
    position = trainer.position
    if position.epoch >= settings.epochs:
        lines.append(f"all {position.epoch} epochs are done; --epochs {position.epoch + 10} would train on")
    elif position.step:
        lines.append(f"going on after step {position.step}, in epoch {position.epoch + 1}")
    return lines


# ---- after training


def _finish(trainer: Trainer, result: Measurement, seconds: float) -> str:
    """Write everything that a trained model is used with; returns what to print."""
    out, names = trainer.out, trainer.data.class_names
    metrics = {"test_accuracy": result.accuracy, "test_loss": result.loss, "epochs": trainer.position.epoch}
    extra = {
        "classes": list(names),
        "preprocessing": trainer.preprocessing.to_dict(),
        "metrics": {k: v for k, v in metrics.items() if v == v and abs(v) != float("inf")},
        "network": Path(trainer.settings.network).name,
    }
    if trainer.settings.data == "digits":  # a path would mean nothing elsewhere, and tell where the model was made
        extra["data"] = "digits"
    example = np.zeros((1, trainer.preprocessing.channels, *trainer.preprocessing.size), np.float32)
    save_model(
        out / "model", trainer.measured_model, example, input_names=["images"], output_names=["logits"], extra=extra
    )
    title = f"{result.accuracy:.2%} of {result.count:,} test images are right"
    picture = out / "confusion.png"
    note = ""
    try:
        save_picture(result.matrix, names, picture, title)
    except UnsupportedError as error:
        note = f" (no picture of it: {error.message})"
    examples = _write_examples(trainer, out / "examples")
    report = {**metrics, "seconds": round(seconds, 1), "settings": dataclasses.asdict(trainer.settings)}
    report["confusion_matrix"] = result.matrix.tolist()
    with atomic_write(out / "result.json") as file:
        file.write((json.dumps(report, indent=1) + "\n").encode())
    mistakes = "; ".join(worst_confusions(result.matrix, names)) or "none"
    return "\n".join(
        [
            f"test accuracy {result.accuracy:.2%} ({int(np.trace(result.matrix))} of {result.count}) after {duration(seconds)}",
            f"most frequent mistakes: {mistakes}{note or f'; all of them: {picture}'}",
            f"model: {out / 'model'}",
            "Next, classify an image:",
            f"  {program()} predict {shlex.quote(str(out / 'model'))} {shlex.quote(str(examples[0]))}",
        ]
    )


def _write_examples(trainer: Trainer, folder: Path) -> list[Path]:
    """A few test images as PNG files, the true class in the name."""
    test, names = trainer.data.test, trainer.data.class_names
    places = np.linspace(0, len(test) - 1, min(_EXAMPLES, len(test))).astype(int)
    written = []
    with atomic_directory(folder) as new:
        for place in places:
            image, label = test[int(place)]
            pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
            safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in names[int(label)])
            name = f"test-{place}-is-{safe}.png"
            (new / name).write_bytes(encode_png(np.ascontiguousarray(pixels)))
            written.append(folder / name)
    return written


def program() -> str:
    """How this program was called, so that a printed command can be copied."""
    called = Path(sys.argv[0])
    if called.name not in ("onegraph", "onegraph.exe"):
        return "onegraph" if shutil.which("onegraph") else f"{sys.executable} -m onegraph.cli.main"
    on_path = shutil.which("onegraph")
    return "onegraph" if on_path and os.path.realpath(on_path) == os.path.realpath(called) else os.path.relpath(called)


def _resume_command(ctx: click.Context, out: Path) -> str:
    network = ctx.params["network"]
    return f"{program()} train {shlex.quote(network)} --out {shlex.quote(str(out))} --resume"
