"""`summary`: the layers of a model as a table, as torchinfo prints it. Nothing is computed or compiled for it.

Read next: `layers.py` (what is noted), `statistics.py` (how it is printed).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.frontend.device import Device
from onegraph.inspection.layers import LayerRecord, record_layers
from onegraph.inspection.shapes import as_inputs, bytes_of, first_shape
from onegraph.inspection.statistics import COLUMNS, ROW_SETTINGS, Format, ModelStatistics
from onegraph.nn.module import Module

_NEED_INPUT = ("input_size", "output_size", "mult_adds")
_cached: dict[str, list[LayerRecord]] = {}


def summary(
    model: Module,
    input_size: Any = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """Print the layers of a model with their shapes and numbers of parameters.

    Arguments, numbers and layout are those of torchinfo 1.8. The model is called with inputs that have shapes but no
    values, so that a summary of the largest model takes moments and no memory.

    Args:
        model: the model; layers that are built at their first call are built.
        input_size: shape of the input with its batch dimension, or a list of shapes.
        input_data: instead of it, a tensor or array, a list of arguments, or a dict of named arguments.
        batch_dim: put a batch dimension of 1 there; `input_size` is without it then.
        cache_forward_pass: keep what was found by the name of the model's class, for further summaries of it.
        col_names: columns in their order: "input_size", "output_size", "num_params", "params_percent",
            "kernel_size", "mult_adds", "trainable".
        col_width: width of a column.
        depth: layers inside each other that are shown.
        device: "cpu", for programs written for other libraries.
        dtypes: of the inputs that `input_size` describes; float32 by default.
        mode: "eval" (the default) or "train".
        row_settings: of "depth", "var_names", "ascii_only" and "hide_recursive_layers"; ("depth",) by default.
        verbose: 0 prints nothing, 1 the table, 2 weights too; by default 1, and 0 at Python's prompt, which shows the
            result itself.
        kwargs: named arguments of the model.

    Returns:
        The totals, and a record for each line.

    Raises:
        ArgumentError: both or neither of `input_size` and `input_data` where columns need one; unknown names.
        ShapeError: the model does not take such inputs.

    >>> import onegraph as og
    >>> net = og.nn.Sequential(og.nn.Conv2d(1, 6, 5), og.nn.ReLU(), og.nn.Flatten(), og.nn.Linear(6 * 28 * 28, 10))
    >>> found = summary(net, (1, 1, 32, 32), col_width=18, verbose=1)
    ============================================================================
    Layer (type:depth-idx)                   Output Shape       Param #
    ============================================================================
    Sequential                               [1, 10]            --
    ├─Conv2d: 1-1                            [1, 6, 28, 28]     156
    ├─ReLU: 1-2                              [1, 6, 28, 28]     --
    ├─Flatten: 1-3                           [1, 4704]          --
    ├─Linear: 1-4                            [1, 10]            47,050
    ============================================================================
    Total params: 47,206
    Trainable params: 47,206
    Non-trainable params: 0
    Total mult-adds (M): 0.17
    ============================================================================
    Input size (MB): 0.00
    Forward/backward pass size (MB): 0.04
    Params size (MB): 0.19
    Estimated Total Size (MB): 0.23
    ============================================================================
    >>> found.total_params
    47206
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(f"summary: expected a module, got {type(model).__name__}")
    if device is not None:
        Device(device)
    given = input_size is not None or input_data is not None
    columns = _columns(col_names, given)
    rows = _check("row_settings", ROW_SETTINGS, ("depth",) if row_settings is None else row_settings)
    if col_width < 1 or verbose not in (None, 0, 1, 2) or mode not in (None, "train", "eval"):
        raise ArgumentError(
            f"summary: col_width={col_width!r}, verbose={verbose!r}, mode={mode!r}: "
            "a width of at least 1, 0 to 2, and 'train' or 'eval'"
        )
    if verbose is None:
        verbose = 0 if getattr(sys, "ps1", None) else 1
    sizes: list[list[int]] = []
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    if given:
        args, named = as_inputs("summary", input_size, input_data, dtypes, batch_dim)
        sizes = [first_shape(value)[0] for value in (*args, *named.values())]
    name, train = type(model).__name__, mode == "train"
    if cache_forward_pass and name in _cached:
        records = _cached[name]
    else:
        call = (lambda: model(*args, **named, **kwargs)) if given else None
        records = record_layers(model, call, batch_dim, train)
        if cache_forward_pass:
            _cached[name] = records
    format = Format(depth, verbose, columns, col_width, frozenset(rows))
    result = ModelStatistics(records, sizes, bytes_of(args) + bytes_of(named), format)
    if verbose:
        print(result)
    return result


def clear_cached_forward_pass() -> None:
    """Forget what `cache_forward_pass=True` kept."""
    _cached.clear()


def _columns(names: Iterable[str] | None, given: bool) -> tuple[str, ...]:
    if names is None:
        return ("output_size", "num_params") if given else ("num_params",)
    found = _check("col_names", tuple(COLUMNS), names)
    needed = [name for name in found if name in _NEED_INPUT]
    if needed and not given:
        raise ArgumentError(f"summary: columns {', '.join(needed)} need input_size or input_data")
    return found


def _check(what: str, known: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(names)
    unknown = [name for name in found if name not in known]
    if unknown or isinstance(names, str):
        raise ArgumentError(f"summary: {what}={names!r}: any of {', '.join(known)}")
    return found
