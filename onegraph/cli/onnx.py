"""`onegraph export-onnx` and `onegraph import-onnx`: models to and from ONNX files.

Read next: `onegraph/onnx/README.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import onegraph as og
from onegraph.cli.evaluate import model_folder
from onegraph.cli.networks import find_network, split_name
from onegraph.errors import ArgumentError, DataError, StateError, UnsupportedError
from onegraph.ir.dtype import DType, by_name
from onegraph.onnx.values import ELEMENT_TYPES, onnx_package
from onegraph.storage.model import load_model
from onegraph.storage.serving import LoadedModel

_DTYPES = {number: name for name, number in ELEMENT_TYPES.items()}
_TOLERANCE = 1e-4  # relative to the largest number of an output


@click.command("export-onnx")
@click.argument("model")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--opset", type=int, help="Version of ONNX's operators, from 7 on.  [default: 18]")
@click.option("--batch", default="dynamic", show_default=True, help="A batch size, or `dynamic` for any.")
@click.option("--size", type=click.IntRange(1), help="Height and width of the images, for a network by its name.")
@click.option("--classes", type=click.IntRange(1), help="Number of classes, for a network by its name.")
@click.option("--weights", help="Weights for a network of the zoo: a path, or the name of published ones.")
@click.option("--external-data", is_flag=True, help="Keep the weights in OUT.data, a file beside the model.")
@click.option("--check", is_flag=True, help="Check the model, and compare with ONNX Runtime where it is installed.")
def export_command(
    model: str,
    out: Path,
    opset: int | None,
    batch: str,
    size: int | None,
    classes: int | None,
    weights: str | None,
    external_data: bool,
    check: bool,
) -> None:
    """Write MODEL as an ONNX file OUT.

    MODEL is the folder of a saved model, a network of the zoo, or FILE.py:FUNCTION.
    """
    count = _batch(batch)
    if Path(model).is_dir():
        if size or classes or weights:
            raise ArgumentError("--size, --classes and --weights are for a network by its name, not for a saved model")
        target: Any = load_model(model_folder(Path(model)))
        example = _examples(target, count or 2)
        program = og.onnx.export(target, tuple(example) if count else (), opset_version=opset)
    else:
        target, example = _network(model, count or 2, size, classes, weights)
        axes = None if count else {"input": {0: "batch"}}
        program = og.onnx.export(target, tuple(example), input_names=["input"], dynamic_axes=axes, opset_version=opset)
    program.save(out, external_data=external_data or None)
    nodes = len(program.model_proto.graph.node) if not external_data else "its"
    click.echo(f"{out}: {nodes} nodes, {len(program.weights)} weights, opset {opset or 18}, batch {batch}")
    if check:
        with og.no_grad():
            wanted = _arrays(target(*example))
        click.echo(_checked(out, program.input_names, example, wanted))


def _batch(text: str) -> int | None:
    """None for any batch size."""
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentError(f"--batch must be a number from 1 on, or `dynamic`, got {text!r}")
    return int(text)


def _network(
    name: str, batch: int, size: int | None, classes: int | None, weights: str | None
) -> tuple[Any, list[og.Tensor]]:
    """A network by its name and an example of its input."""
    arguments: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    if weights is not None:
        arguments["weights"] = weights
    path, _ = split_name(name)
    about = find_network(name) if path else og.zoo.network(name)
    if path:
        arguments = {"num_classes": about.num_classes, "in_channels": about.in_channels, **arguments}
    made = about.make(**arguments).eval()
    if about.task == "language":
        return made, [og.zeros(batch, 8, dtype=og.int64)]
    if about.task == "generate":
        return made, [og.randn(batch, made.latent)]
    height, width = (size, size) if size else about.input_size
    return made, [og.randn(batch, about.in_channels, height, width)]


def _random(shape: Sequence[int], dtype: DType, random: np.random.Generator) -> og.Tensor:
    if dtype.is_floating_point:
        return og.tensor(random.standard_normal(tuple(shape)).astype(np.float32)).to(dtype)
    return og.zeros(*shape, dtype=dtype)


def _examples(model: LoadedModel, batch: int) -> list[og.Tensor]:
    """An input for each that a saved model takes; an unknown size is the batch size."""
    random = np.random.default_rng(0)
    shapes = [[size if isinstance(size, int) else batch for size in v.shape] for v in model.signature.inputs]
    return [_random(shape, v.dtype, random) for shape, v in zip(shapes, model.signature.inputs, strict=True)]


def _arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of a result, in order."""
    if isinstance(value, og.Tensor):
        return [value.detach().numpy()]
    values = value.values() if isinstance(value, dict) else value
    return [array for each in values for array in _arrays(each)]


def _checked(path: Path, names: list[str], inputs: list[og.Tensor], wanted: list[np.ndarray[Any, Any]]) -> str:
    """What the checks of a file say, in a sentence.

    Raises:
        StateError: the file computes something else. DataError: it is no valid model.
    """
    onnx = onnx_package()
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise DataError(f"{path}: not accepted by the checker of ONNX: {error}") from error
    try:
        import onnxruntime
    except ImportError:
        return "checked: the model is valid. onnxruntime is not installed, so its values were not compared"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {name: x.numpy() for name, x in zip(names, inputs, strict=True)})
    return f"checked: the model is valid, and ONNX Runtime differs by at most {_largest(path, found, wanted):.1e}"


def _largest(path: Path, found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest difference relative to the scale of its output."""
    worst = 0.0
    for a, b in zip(found, wanted, strict=True):
        if a.shape != b.shape:
            raise StateError(f"{path}: an output has shape {a.shape}, and {b.shape} where it comes from")
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        scale = float(np.abs(b).max(initial=0.0)) or 1.0
        worst = max(worst, float(np.abs(a - b).max(initial=0.0)) / scale)
    if not worst <= _TOLERANCE:
        raise StateError(
            f"{path}: its outputs differ by {worst:.1e} of their scale; at most {_TOLERANCE} may be rounding"
        )
    return worst


@click.command("import-onnx")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=2x3", help="Shape of an input whose sizes are not in the file."
)
@click.option(
    "--values",
    type=click.Path(dir_okay=False, path_type=Path),
    help="An .npz file with inputs by name to compare with.",
)
@click.option("--fixed", is_flag=True, help="Keep the batch size of the example, instead of any.")
def import_command(model: Path, out: Path, shapes: tuple[str, ...], values: Path | None, fixed: bool) -> None:
    """Read the ONNX file MODEL, and save it as a model folder OUT.

    The saved model is then compared with the file, for random or given inputs.
    """
    module = og.onnx.load(model)
    inputs = _inputs_of(module, dict(map(_named_shape, shapes)), values)
    with og.no_grad():
        wanted = _arrays(module(*inputs))
    og.save_model(
        out, module, inputs, input_names=module.input_names, output_names=module.output_names, dynamic_batch=not fixed
    )
    loaded = load_model(out)
    difference = _largest(out, _arrays(loaded(*inputs)), wanted)
    click.echo(f"{out}: {loaded.signature}, {len(loaded.weights)} weights; differs from the file by {difference:.1e}")


def _named_shape(text: str) -> tuple[str, list[int]]:
    name, separator, sizes = text.rpartition("=")
    parts = sizes.split("x") if sizes else []
    if not separator or not all(part.isdecimal() for part in parts):
        raise ArgumentError(f"--shape {text}: write NAME=2x3x8x8")
    return name, [int(part) for part in parts]


def _inputs_of(module: Any, shapes: dict[str, list[int]], values: Path | None) -> list[og.Tensor]:
    """An input for each that the file takes: given values, or random ones."""
    if values is not None:
        try:
            with np.load(values, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError) as error:
            raise DataError(f"{values}: no .npz file of arrays: {error}") from error
        missing = [name for name in module.input_names if name not in arrays]
        if missing:
            raise DataError(f"{values}: it has no array called {', '.join(missing)}")
        return [og.tensor(arrays[name]) for name in module.input_names]
    random = np.random.default_rng(0)
    found = []
    for value in [v for v in module.description.graph.inputs if v.name in module.input_names]:
        if value.shape is None and value.name not in shapes:
            raise ArgumentError(
                f"the shape of input {value.name!r} is not in the file", hint=f"--shape {value.name}=2x3"
            )
        shape = shapes.get(value.name) or [
            size if isinstance(size, int) else 2 if place == 0 else 8 for place, size in enumerate(value.shape or ())
        ]
        if value.kind != "tensor" or value.data_type not in _DTYPES:
            raise UnsupportedError(f"input {value.name!r} is no tensor of a type that is computed with here")
        found.append(_random(shape, by_name(_DTYPES[value.data_type]), random))
    return found
