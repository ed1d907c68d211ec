"""What the tests of passes share: small graphs, their texts, and their values before and after a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.reference import ReferenceExecutable
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import DType, float32
from onegraph.ir.verify import verify
from onegraph.ops.record import check_rule

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, -1e-45, 3.4e38, 0.3, -7.5]


def graph_of(build: Callable[..., Any], *shapes: tuple[int, ...], dtype: DType = float32) -> Graph:
    """A graph of inputs of those shapes; `build` gives one node or several."""
    inputs = [input_node(s, dtype) for s in shapes]
    outputs = build(*inputs)
    return Graph(inputs, outputs if isinstance(outputs, (list, tuple)) else [outputs])


def text(graph: Graph) -> str:
    """The graph without the line of its inputs, so that golden texts stay short."""
    return "\n".join(line.strip() for line in str(graph).splitlines()[1:-1])


def values_for(graph: Graph, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    """Inputs: special values first, then random ones."""
    random = np.random.default_rng(seed)
    found = []
    for node in graph.inputs:
        flat = random.standard_normal(node.size)
        if node.dtype.is_floating_point:
            flat[: len(SPECIAL)] = random.permutation(SPECIAL)[: flat.size]
        else:
            flat = np.round(flat * 3)
        with np.errstate(all="ignore"):
            found.append(flat.astype(node.dtype.numpy).reshape(node.shape))
    return found


def run(graph: Graph, values: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """What the reference backend computes."""
    buffers = [Buffer(v, n.dtype) for v, n in zip(values, graph.inputs, strict=True)]
    return [b.array for b in ReferenceExecutable(graph).run(buffers)]


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal in every bit, but that any NaN is as good as another."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    nan = np.isnan(a)
    equal = (a == b) & (np.signbit(a) == np.signbit(b))
    return bool(np.array_equal(nan, np.isnan(b)) and np.all(equal | nan))


def check(apply: Callable[[Graph], Graph], graph: Graph, expected: str | None = None) -> Graph:
    """Apply a pass, verify what it gives, compare values bit for bit and the text with what is expected."""
    found = apply(graph)
    verify(found, check_rule)
    for seed in range(3):
        values = values_for(graph, seed)
        for before, after in zip(run(graph, values), run(found, values), strict=True):
            assert same_bits(before, after), f"{before}\n{after}\n{found}"
    if expected is not None:
        assert text(found) == "\n".join(line.strip() for line in expected.strip().splitlines())
    assert text(apply(found)) == text(found), "a second run must find nothing"
    return found
