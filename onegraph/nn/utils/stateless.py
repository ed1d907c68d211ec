"""Calling a module with other parameters and buffers than its own: `functional_call`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.tensor import Tensor
from onegraph.nn.module import Module


def _places(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """For each dotted name the table and the name in it."""
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            for name in table:
                found[f"{path}.{name}" if path else name] = (table, name)
    return found


@contextlib.contextmanager
def replaced(
    module: Module, tensors: Mapping[str, Tensor], tie_weights: bool = True, strict: bool = False
) -> Iterator[None]:
    """Within it, a module has other parameters and buffers; see `functional_call`."""
    places = _places(module)
    unknown = [name for name in tensors if name not in places]
    missing = [name for name in places if name not in tensors]
    own = {name: table[key] for name, (table, key) in places.items()}
    new = dict(tensors)
    if tie_weights:
        by_tensor = {id(own[name]): value for name, value in tensors.items() if name in own and own[name] is not None}
        for name in missing:
            if id(own[name]) in by_tensor:
                new[name] = by_tensor[id(own[name])]
    missing = [name for name in missing if name not in new and own[name] is not None]
    if unknown or (strict and missing):
        said = ([f"unexpected: {', '.join(unknown)}"] if unknown else []) + (
            [f"missing: {', '.join(missing)}"] if strict and missing else []
        )
        raise ArgumentError(f"functional_call: names that do not fit {type(module).__name__}: {'; '.join(said)}")
    try:
        for name, value in new.items():
            table, key = places[name]
            table[key] = value
        yield
    finally:
        for name, (table, key) in places.items():
            if name in new:
                if table[key] is not new[name] and isinstance(tensors, dict) and name in tensors:
                    tensors[name] = table[key]  # the call put another tensor there
                table[key] = own[name]


def functional_call(
    module: Module,
    parameters_and_buffers: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """A call of a module with other parameters and buffers than its own.

    Args:
        module: what is called; afterwards it is as before.
        parameters_and_buffers: tensors by dotted name, or several such dicts. What is not named stays the module's.
            What the call writes in place, such as running statistics, is written into these tensors.
        args: of the call: one argument, or a tuple of them.
        kwargs: arguments by name.
        tie_weights: a tensor that the module has under several names is replaced under all of them.
        strict: every parameter and buffer must be named.

    Raises:
        ArgumentError: names that the module does not have.

    >>> import onegraph as og
    >>> layer = og.nn.Linear(2, 1)
    >>> values = {"weight": og.ones(1, 2), "bias": og.zeros(1)}
    >>> og.nn.utils.stateless.functional_call(layer, values, og.tensor([2.0, 3.0]))
    tensor([5.])
    """
    if isinstance(parameters_and_buffers, Sequence):
        merged: dict[str, Tensor] = {}
        for part in parameters_and_buffers:
            twice = [name for name in part if name in merged]
            if twice:
                raise ArgumentError(f"functional_call: given twice: {', '.join(twice)}")
            merged.update(part)
        parameters_and_buffers = merged
    if not isinstance(parameters_and_buffers, Mapping):
        raise ArgumentTypeError(
            f"functional_call: expected tensors by name, got {type(parameters_and_buffers).__name__}"
        )
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with replaced(module, parameters_and_buffers, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))
