"""`ModelStatistics`: the totals of a summary, and the table as text, laid out as torchinfo lays it out.

Read next: `summary.py`, which makes one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onegraph.inspection.layers import LayerRecord

COLUMNS = {
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "kernel_size": "Kernel Shape",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
"""The columns that there are, with their titles."""
ROW_SETTINGS = ("depth", "var_names", "ascii_only", "hide_recursive_layers")
NOTHING = "--"
_NAME_WIDTH = 40
_INDENT = 5  # characters for each depth


@dataclass(frozen=True)
class Format:
    """How a summary is printed: arguments of `summary`."""

    depth: int = 3
    verbose: int = 1
    columns: Sequence[str] = ("output_size", "num_params")
    width: int = 25
    rows: frozenset[str] = frozenset({"depth"})


class ModelStatistics:
    """What `summary` found. Printing it prints the table.

    Attributes:
        summary_list: a `LayerRecord` for each line.
        input_size: the shapes of the inputs.
        total_input: bytes of the inputs.
        total_params, trainable_params: numbers of parameters; shared ones once.
        total_mult_adds: by torchinfo's rule, for the whole batch.
        total_param_bytes, total_output_bytes: bytes of parameters; of the outputs of layers with parameters, counted
            twice, for their gradients are as large.
    """

    def __init__(
        self, summary_list: list[LayerRecord], input_size: Sequence[Sequence[int]], total_input: int, format: Format
    ) -> None:
        self.summary_list, self.input_size, self.total_input, self.format = (
            summary_list,
            input_size,
            total_input,
            format,
        )
        self.total_mult_adds = self.total_params = self.trainable_params = 0
        self.total_param_bytes = self.total_output_bytes = 0
        for record in summary_list:
            if record.is_leaf:
                self.total_mult_adds += record.mult_adds
                if record.num_params:
                    self.total_output_bytes += 2 * record.output_bytes
            if record.recursive:
                continue
            if record.is_leaf:
                self.total_params += record.num_params
                self.trainable_params += record.trainable_params
                self.total_param_bytes += record.param_bytes
            else:
                self.total_params += max(record.own_params(), 0)
                self.trainable_params += max(record.own_trainable_params(), 0)
        longest = max((len(self._title(r)) + r.depth * _INDENT + 1 for r in summary_list), default=0)
        self._name_width = math.ceil(longest / _INDENT) * _INDENT if longest >= _NAME_WIDTH else _NAME_WIDTH

    # ---- the table

    def __repr__(self) -> str:
        rule = "=" * (self._name_width + len(self.format.columns) * self.format.width)
        kinds = (" (var_name)" if "var_names" in self.format.rows else "") + (
            ":depth-idx" if "depth" in self.format.rows else ""
        )
        lines = [rule, self._row(f"Layer (type{kinds})", [COLUMNS[name] for name in self.format.columns]), rule]
        for record in self.summary_list:
            hidden = record.recursive and "hide_recursive_layers" in self.format.rows
            if record.depth <= self.format.depth and not hidden:
                lines += self._lines(record)
        lines += [rule, *self._totals(rule), rule]
        return "\n".join(lines)

    def _totals(self, rule: str) -> list[str]:
        lines = [
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
        ]
        if self.input_size:
            sizes = (self.total_input, self.total_output_bytes, self.total_param_bytes)
            names = ("Input size", "Forward/backward pass size", "Params size", "Estimated Total Size")
            lines += [f"Total mult-adds {readable(self.total_mult_adds)}", rule]
            lines += [f"{n} (MB): {b / 1e6:.2f}" for n, b in zip(names, (*sizes, sum(sizes)), strict=True)]
        return lines

    def _row(self, name: str, values: Sequence[str]) -> str:
        cells = "".join(f"{value:<{self.format.width}} " for value in values)
        return f"{name:<{self._name_width}} {cells}".rstrip()

    def _title(self, record: LayerRecord) -> str:
        title = record.class_name
        if "var_names" in self.format.rows and record.name:
            title += f" ({record.name})"
        if "depth" in self.format.rows and record.depth:
            title += f": {record.depth}-{record.depth_index}"
        return title

    def _branch(self, depth: int) -> str:
        ascii_only = "ascii_only" in self.format.rows
        if depth == 0:
            return ""
        if depth == 1:
            return "+ " if ascii_only else "├─"
        return ("|    " if ascii_only else "│    ") * (depth - 1) + ("+ " if ascii_only else "└─")

    def _lines(self, record: LayerRecord) -> list[str]:
        cells = [self._cell(record, name) for name in self.format.columns]
        lines = [self._row(self._branch(record.depth) + self._title(record), cells)]
        if self.format.verbose == 2:
            branch = self._branch(record.depth + 1)
            for i, (name, shape, count) in enumerate(record.weights):
                corner = "└─" if i == len(record.weights) - 1 else "├─"
                shown = {"kernel_size": str(shape), "num_params": f"{corner}{count:,}"}
                lines.append(self._row(branch + name, [shown.get(column, "") for column in self.format.columns]))
        return lines

    def _cell(self, record: LayerRecord, column: str) -> str:
        deepest = record.depth == self.format.depth
        if column in ("num_params", "params_percent"):
            return self._params(record, deepest, percent=column == "params_percent")
        if column == "mult_adds":
            if record.mult_adds <= 0 or not (record.is_leaf or deepest):
                return NOTHING
            inside = sum(child.mult_adds for child in record.children if child.is_leaf)
            return f"{record.mult_adds if record.is_leaf else inside:,}"
        return str(getattr(record, column) or NOTHING)

    def _params(self, record: LayerRecord, deepest: bool, percent: bool) -> str:
        whole = record.is_leaf or deepest
        count = record.num_params if whole else record.own_params()
        if percent:
            if record.recursive and self.total_params:
                return "(recursive)"
            return f"{count / self.total_params:>7.2%}" if count and self.total_params else f"     {NOTHING}"
        if not record.num_params:
            return NOTHING
        if record.recursive:
            return "(recursive)"
        if whole:
            return f"{count:,}" if record.trainable_params else f"({count:,})"
        return f"{count:,}" if count > 0 else NOTHING


def readable(count: float) -> str:
    """A large number in millions, billions or trillions, as torchinfo writes it.

    >>> readable(416_520), readable(4_089_184_256), readable(3_000_000)
    ('(M): 0.42', '(G): 4.09', '(M): 3')
    """
    unit, size = ("T", 1e12) if count >= 1e12 else ("G", 1e9) if count >= 1e9 else ("M", 1e6)
    value = count / size
    return f"({unit}): {int(value):,}" if value == int(value) else f"({unit}): {value:,.2f}"
