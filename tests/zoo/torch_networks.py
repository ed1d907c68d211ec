"""The zoo's networks built from PyTorch's own modules: their source is run with `torch` where it says `onegraph`.

So the two have the same architecture by construction, and what is compared is every layer, every kernel, and the exchange
of weights. That the architecture is the published one is the business of other tests, with what torchvision computed.
Read next: `test_equality.py`.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import torch.utils.checkpoint

import onegraph.zoo

FOLDER = Path(onegraph.zoo.__file__).parent
_networks: dict[str, Callable[..., torch.nn.Module]] = {}
_modules: dict[str, ModuleType] = {}


def _register(name: str | None = None, **about: Any) -> Any:
    """In the place of the registry's decorator."""

    def keep(build: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
        _networks[build.__name__] = build
        return build

    return keep


STANDING_IN: Mapping[str, Any] = {
    "onegraph": torch,
    "onegraph.nn": torch.nn,
    "onegraph.nn.functional": torch.nn.functional,
    "onegraph.frontend.tensor": SimpleNamespace(Tensor=torch.Tensor),
    "onegraph.utils.checkpoint": torch.utils.checkpoint,
    "onegraph.zoo.registry": SimpleNamespace(network=_register),
}


def _import(name: str, scope: Any = None, inside: Any = None, wanted: Sequence[str] = (), level: int = 0) -> Any:
    if name in STANDING_IN:
        return STANDING_IN[name]
    if name.startswith("onegraph.zoo."):
        return module(name.removeprefix("onegraph.zoo."))
    return builtins.__import__(name, scope, inside, wanted, level)


def module(name: str) -> ModuleType:
    """A module of the zoo, run with PyTorch."""
    if name not in _modules:
        path = FOLDER / f"{name}.py"
        made = ModuleType(f"torch_zoo.{name}")
        made.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        made.__dict__["__file__"] = str(path)
        _modules[name] = made
        import sys

        sys.modules[made.__name__] = made  # dataclasses look their module up
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), made.__dict__)
    return _modules[name]


@functools.cache
def networks() -> dict[str, Callable[..., torch.nn.Module]]:
    """Functions that build the zoo's networks from PyTorch's modules, by name."""
    for path in sorted(FOLDER.glob("*.py")):
        if "@network(" in path.read_text(encoding="utf-8") and path.stem != "registry":
            module(path.stem)
    return dict(_networks)
