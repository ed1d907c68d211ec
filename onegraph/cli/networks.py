"""Which network a name on the command line means: one of the zoo, or a function in a user's own file.

Read next: `onegraph/zoo/__init__.py`, `trainer.py`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onegraph import zoo
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError
from onegraph.nn import Module
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
    path, separator, function = name.rpartition(":")
    if not separator or not path.endswith(".py"):
        return zoo.network(name)
    module = _run_file(Path(path))
    make = getattr(module, function, None)
    if not callable(make):
        raise ArgumentError(f"{path} has no function or class {function!r}")
    return Network(name, f"{function} in {path}", _fitting(make), tuple(getattr(module, "INPUT_SIZE", DEFAULT_SIZE)))


def _run_file(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(f"onegraph_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _fitting(make: Callable[..., Any]) -> Callable[..., Module]:
    """Call with those of the two arguments that the function takes."""
    parameters = inspect.signature(make).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())

    def build(**arguments: Any) -> Module:
        result = make(**{n: v for n, v in arguments.items() if takes_any or n in parameters})
        if not isinstance(result, Module):
            raise ArgumentTypeError(f"{make.__name__} gave a {type(result).__name__}, not an onegraph.nn.Module")
        return result

    return build


def listing() -> str:
    """The networks of the zoo, a line each."""
    width = max(len(name) for name in zoo.NETWORKS)
    return "\n".join(f"  {name:<{width}}  {found.doc}" for name, found in zoo.NETWORKS.items())
