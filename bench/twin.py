"""The zoo's networks made of PyTorch's own modules: a zoo file, executed with `torch` where it says `onegraph`.

Layers have PyTorch's names and arguments, so one text describes a network in both frameworks. Their `state_dict`s fit each
other, and what is different between them is ours to explain. Read next: `accuracy.py`.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


@functools.cache
def twin(name: str) -> ModuleType:
    """A file of `onegraph.zoo`, such as "resnet", as a module whose classes and functions are PyTorch's.

    Functions lose their `weights=`; errors that the file raises are still those of `onegraph.errors`.
    """
    spec = importlib.util.find_spec(f"onegraph.zoo.{name}")
    if spec is None or spec.origin is None:
        raise ImportError(f"the zoo has no file {name!r}")
    module = ModuleType(f"{spec.name} on torch")
    sys.modules[module.__name__] = module  # dataclasses look up the module that they are in
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(Path(spec.origin).read_text(), spec.origin, "exec"), module.__dict__)
    return module


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """What `import` does inside such a file."""
    if name == "onegraph" or name.startswith(("onegraph.nn", "onegraph.utils")):
        return importlib.import_module(name.replace("onegraph", "torch", 1))
    if name == "onegraph.frontend.tensor":
        return SimpleNamespace(Tensor=importlib.import_module("torch").Tensor)
    if name == "onegraph.zoo.registry":
        return SimpleNamespace(network=_as_it_is)
    if name.startswith("onegraph.zoo."):
        return twin(name.removeprefix("onegraph.zoo."))
    return builtins.__import__(name, globals, locals, fromlist or (), level)


def _as_it_is(**about: Any) -> Callable[[Any], Any]:
    """The zoo's decorator, which enters functions into its list, without the list."""
    return lambda function: function


def twin_of(make: Callable[..., Any]) -> Callable[..., Any]:
    """The function of PyTorch's twin that corresponds to one of the zoo, such as `zoo.resnet20`."""
    found: Callable[..., Any] = getattr(twin(make.__module__.removeprefix("onegraph.zoo.")), make.__name__)
    return found
