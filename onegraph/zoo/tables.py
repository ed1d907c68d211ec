"""Tables of the layers of each network, as the reference shows them. `page()` is that page.

Nothing is computed for them: networks are called with shapes that have no values. Read next: `registry.py`;
`onegraph/inspection/summary.py` shows every layer of any model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from onegraph import int64
from onegraph.inspection.layers import LayerRecord, record_layers
from onegraph.inspection.shapes import zeros_of
from onegraph.nn import Module
from onegraph.zoo.registry import NETWORKS, Network, network

_OPEN = ("Sequential", "ModuleList", "ModuleDict")  # containers whose parts have lines of their own
_LEFT_OUT = (
    "ReLU",
    "ReLU6",
    "LeakyReLU",
    "Tanh",
    "Hardswish",
    "SiLU",
    "GELU",
    "Dropout",
    "Identity",
    "Flatten",
    "Unflatten",
)
_TOKENS = 32


class Row(NamedTuple):
    """A line of a table: one layer or block, or several alike that follow each other.

    Attributes:
        layer: name of the first, and of the last behind two dots.
        kind: what it is.
        output: shape of the result for one image or text.
        parameters: of all layers of the line.
        times: how many.
    """

    layer: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    times: int


def layer_rows(name: str) -> list[Row]:
    """The layers and blocks of a network in the order in which they are called; activations and dropout are left out.

    Args:
        name: of the network.

    Raises:
        ArgumentError: there is no such network.

    >>> for row in layer_rows("lenet5")[:2]:
    ...     print(*row)
    c1 Conv2d 6, 5x5 (1, 6, 28, 28) 156 1
    s2 AvgPool2d 2x2 (1, 6, 14, 14) 0 1
    """
    entry = network(name)
    return _rows(entry, entry.make())


def _rows(entry: Network, model: Module) -> list[Row]:
    records = record_layers(model, lambda: model(_input(entry, model)), None)
    found = list(_lines(records[0], ""))
    rows = []
    for _, group in itertools.groupby(found, lambda row: row[1:]):
        same = list(group)
        label = same[0].layer if len(same) == 1 else f"{same[0].layer} .. {same[-1].layer}"
        total = sum(row.parameters for row in same)
        rows.append(Row(label, same[0].kind, same[0].output, total, len(same)))
    return rows


def _input(entry: Network, model: Module) -> object:
    if entry.task == "language":
        return zeros_of((1, _TOKENS), int64)
    if entry.task == "generate":
        return zeros_of((1, model.latent))
    return zeros_of((1, entry.in_channels, *entry.input_size))


def _lines(record: LayerRecord, prefix: str) -> Iterator[Row]:
    for child in record.children:
        if child.parent is None or child.parent.module is not record.module:
            continue
        name = prefix + child.name
        if child.class_name in _OPEN:
            yield from _lines(child, name + ".")
        elif child.class_name not in _LEFT_OUT:
            yield Row(name, _kind(child), tuple(child.output_size), child.num_params, 1)


def _kind(record: LayerRecord) -> str:
    """The class, and the sizes of convolutions, pooling and dense layers; of a block around one convolution, of that."""
    inside = [r for r in record.children if r.is_leaf and "Conv" in r.class_name]
    shown = record if record.is_leaf else inside[0] if len(inside) == 1 else None
    if shown is None:
        return record.class_name
    module: Any = shown.module
    details = [str(getattr(module, name)) for name in ("out_channels", "out_features") if hasattr(module, name)]
    if shown.kernel_size is not None:
        sizes = shown.kernel_size if isinstance(shown.kernel_size, list) else [shown.kernel_size] * 2
        details.append("x".join(map(str, sizes)))
        stride = getattr(module, "stride", 1)
        step = stride if isinstance(stride, int) else stride[0]
        if step > 1 and "Conv" in shown.class_name:
            details.append(f"stride {step}")
        groups = getattr(module, "groups", 1)
        if groups > 1:
            details.append(f"{groups} groups")
    return f"{record.class_name} {', '.join(details)}".strip()


def layer_table(name: str) -> str:
    """The layers of a network as a table in Markdown.

    Args:
        name: of the network.

    Raises:
        ArgumentError: there is no such network.

    >>> print(layer_table("mlp"))
    | Layer | Kind | Output | Parameters |
    |---|---|---|---:|
    | hidden.0 | Linear 256 | 256 | 262,400 |
    | hidden.1 | Linear 128 | 128 | 32,896 |
    | output | Linear 10 | 10 | 1,290 |
    | | | | **296,586** |
    """
    entry = network(name)
    model = entry.make()
    lines = ["| Layer | Kind | Output | Parameters |", "|---|---|---|---:|"]
    for row in _rows(entry, model):
        output = " x ".join(map(str, row.output[1:] if row.output[:1] == (1,) else row.output)) or "1"
        kind = row.kind if row.times == 1 else f"{row.times} {row.kind}"
        lines.append(f"| {row.layer} | {kind} | {output} | {row.parameters:,} |")
    total = sum(p.numel() for p in model.parameters())
    return "\n".join([*lines, f"| | | | **{total:,}** |"])


def page() -> str:
    """The page of the reference with the tables of all networks."""
    parts = [
        "# Layers of the zoo's networks\n\n"
        "Written by `onegraph.zoo.tables.page()`. Layers are in the order in which they are called; blocks are one\n"
        "line, and lines alike that follow each other are one too. Left out are activations, dropout, functions without a\n"
        "layer, and auxiliary heads, which are called in training only; the sum counts them. Outputs are for one image of\n"
        f"the size that the network was made for, or for {_TOKENS} tokens.\n"
    ]
    families: dict[str, list[Network]] = {}
    for entry in NETWORKS.values():
        families.setdefault(entry.family, []).append(entry)
    for family, entries in families.items():
        parts.append(f"## {family}\n")
        for entry in entries:
            parts.append(f"### {entry.name}\n\n{entry.doc} ({entry.source}).\n\n{layer_table(entry.name)}\n")
    return "\n".join(parts)
