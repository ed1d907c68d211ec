"""Ops with a kernel of their own kind, which loop nests cannot say: what they read, and what writes their kernel.

Everything here reads and writes values in row-major order. Read next: `scatter.py`, `scans.py`, `sorting.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from onegraph.backends.native.loops import emit_scan_loop
from onegraph.backends.native.scans import emit_scan
from onegraph.backends.native.scatter import emit_scatter, scatter_operands
from onegraph.backends.native.sorting import emit_sort
from onegraph.ir.node import Node

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering


class SpecialKernel(NamedTuple):
    """How an op is lowered.

    Attributes:
        operands: the values that its kernel reads.
        emit: adds its launch.
    """

    operands: Callable[[Node], tuple[Node, ...]]
    emit: Callable[[Lowering, Group, set[Node]], None]


def _inputs(node: Node) -> tuple[Node, ...]:
    return node.inputs


KERNELS: dict[str, SpecialKernel] = {
    "scatter": SpecialKernel(scatter_operands, emit_scatter),
    "cumsum": SpecialKernel(_inputs, emit_scan),
    "cumprod": SpecialKernel(_inputs, emit_scan),
    "cummax": SpecialKernel(_inputs, emit_scan),
    "scan": SpecialKernel(_inputs, emit_scan_loop),
    "argsort": SpecialKernel(_inputs, emit_sort),
}
