"""Which network a name on the command line means: one of the zoo, or a function in a user's own file.

Read next: `onegraph/zoo/__init__.py`, `trainer.py`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from onegraph import no_grad, zeros, zoo
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError, OneGraphError, ShapeError
from onegraph.nn import Module
from onegraph.ops.shapes import show
from onegraph.zoo import Network

DEFAULT_SIZE = (32, 32)


def find_network(name: str) -> Network:
    """A network by its name in the zoo, or as `FILE.py:FUNCTION`.

    The function (or class) is called with `num_classes` and `in_channels`, as far as it takes them. Images come in the
    size that its file says with `INPUT_SIZE = (height, width)`, 32 by 32 by default. The file is run, as by Python.

    Raises:
        ArgumentError: there is no such network.
        DataError: the file cannot be read.
    """
    path, function = split_name(name)
    if not path:
        found: Network = zoo.network(name)
        if found.task != "classify":
            raise ArgumentError(
                f"{name} does not classify images", hint=f"those that do: {', '.join(zoo.names('classify'))}"
            )
        return found
    module = run_file(Path(path))
    make = function_of(module, path, function)
    return Network(
        name, f"{function} in {path}", _fitting(make, path), tuple(getattr(module, "INPUT_SIZE", DEFAULT_SIZE))
    )


def split_name(name: str) -> tuple[str, str]:
    """The two parts of `FILE.py:FUNCTION`; the first is empty for other names.

    Raises:
        ArgumentError: there is a file without a function.
    """
    path, separator, function = name.rpartition(":")
    if name.endswith(".py"):
        raise ArgumentError(f"{name}: which function is meant?", hint=f"write {name}:FUNCTION")
    return (path, function) if separator and path.endswith(".py") else ("", name)


def function_of(module: Any, path: str, function: str) -> Callable[..., Any]:
    """A function or class of a file.

    Raises:
        ArgumentError: it has none of that name.
    """
    found = getattr(module, function, None)
    if not callable(found):
        raise ArgumentError(f"{path} has no function or class {function!r}")
    result: Callable[..., Any] = found
    return result


def run_file(path: Path) -> Any:
    """Run a user's file as a module.

    Raises:
        DataError: it cannot be read.
        ArgumentError: it raises an error of its own.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(f"onegraph_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with users_errors(str(path)):
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def users_errors(path: str) -> Iterator[None]:
    """An error in the user's file is told in one message with their line; `--debug` shows the traceback."""
    try:
        yield
    except OneGraphError:
        raise
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ArgumentError(
            f"{path}: {type(error).__name__}: {message}",
            hint="onegraph --debug shows the whole traceback",
            location=None if line is None else (path, line),
        ) from error


def check_network(name: str, model: Module, image_shape: tuple[int, ...], classes: int) -> None:
    """Call a network on one image, before anything is written.

    Raises:
        ShapeError: it does not take such images, or does not give one number a class.
    """
    training = {module: module.training for module in model.modules()}
    with no_grad(), users_errors(name.rpartition(":")[0]):
        result = model.eval()(zeros(1, *image_shape))
    for module, mode in training.items():
        module.training = mode
    shape = tuple(getattr(result, "shape", ()))
    if shape != (1, classes):
        what = f"shape {show(shape)}" if shape else f"{type(result).__name__}"
        raise ShapeError(
            f"{name} gives {what} for an image of shape {show((1, *image_shape))}; {classes} classes need shape "
            f"{show((1, classes))}",
            hint="its last layer needs as many outputs as `num_classes` says",
        )


def _fitting(make: Callable[..., Any], path: str) -> Callable[..., Module]:
    """Call with those of the two arguments that the function takes."""
    with users_errors(path):
        parameters = inspect.signature(make).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())

    def build(**arguments: Any) -> Module:
        with users_errors(path):
            result = make(**{n: v for n, v in arguments.items() if takes_any or n in parameters})
        if not isinstance(result, Module):
            raise ArgumentTypeError(
                f"{make.__name__} must give an onegraph.nn.Module, and gave {type(result).__name__}",
                hint="does it end with `return model`?" if result is None else None,
            )
        return result

    return build


def listing() -> str:
    """The networks of the zoo that classify images, a line each."""
    found = [entry for entry in zoo.NETWORKS.values() if entry.task == "classify"]
    width = max(len(entry.name) for entry in found)
    return "\n".join(f"  {entry.name:<{width}}  {entry.doc}" for entry in found)
