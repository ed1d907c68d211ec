"""What the native backend must do with random graphs (`graphs.py`): what the reference says, to the bit.

With `rounding` values are any numbers, and what is compared are bits: of different numbers of threads, and with `steps` of
the graph and its nodes one by one. With `guard` every value ends at a page that must not be touched.

    python -m tests.fuzz.check_graphs 0 1000 [rounding] [large] [steps] [guard]      # seeds; prints what fails
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native.backend import NativeExecutable
from onegraph.config import using
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, input_node
from onegraph.ops.evaluate import run_graph
from onegraph.passes.pipeline import optimize
from tests.fuzz.graphs import Array, GraphWriter


def run_native(graph: Graph, arrays: list[Array]) -> list[Array]:
    """The results of the native backend."""
    buffers = [Buffer(np.ascontiguousarray(a), n.dtype) for a, n in zip(arrays, graph.inputs, strict=True)]
    return [b.array.copy() for b in NativeExecutable(graph).run(buffers)]


def nodes_one_by_one(graph: Graph, arrays: list[Array]) -> list[Array]:
    """The results when every node is a program of its own."""
    known: dict[Node, Any] = dict(zip(graph.inputs, arrays, strict=True))
    for node in graph.nodes():
        if node in known:
            continue
        if node.op == "constant":
            known[node] = node.attributes["value"].array
            continue
        fresh = [i if i.op == "constant" else input_node(i.shape, i.dtype) for i in node.inputs]
        given = dict(zip(fresh, [known[i] for i in node.inputs], strict=True))
        made = Node(node.op, tuple(fresh), node.attributes, node.shape, node.dtype, node.source)
        inputs = [n for n in given if n.op != "constant"]
        (known[node],) = run_native(Graph(inputs, [made]), [given[n] for n in inputs])
    return [known[o] for o in graph.outputs]


def same(found: list[Array], expected: list[Array], how: str) -> None:
    """Whether all bits are the same; zeros of either sign count as one, and so do all NaN."""
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise AssertionError(f"{how}: output {i}: {a.shape} {a.dtype} where {b.shape} {b.dtype} was due")
        if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            bad = np.argwhere((a != b) & ~((a != a) & (b != b)))
            at = tuple(bad[0])
            raise AssertionError(
                f"{how}: output {i} {a.shape} at {at} ({len(bad)} of {a.size}): {a[at]} where {b[at]} was due"
            )


def close(found: list[Array], graph: Graph, expected: list[Array], rtol: float = 1e-2) -> None:
    """Whether values are about the same."""
    for i, (a, b, node) in enumerate(zip(found, expected, graph.outputs, strict=True)):
        if node.dtype.kind != "float" or node.dtype.bits < 32:
            continue
        scale = float(np.abs(b[np.isfinite(b)]).max()) if np.isfinite(b).any() else 1.0
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(scale, 1e-3), err_msg=f"output {i}")


def check(seed: int, rounding: bool = False, large: bool = False, steps: bool = False, guard: bool = False) -> Graph:
    """All that must hold for the graph of a seed."""
    writer = GraphWriter(seed, rounding, large)
    graph = writer.write(writer.choose.randint(1, 14))
    arrays = writer.arrays(graph)
    with using(threads=1, guard_pages=guard):
        found = run_native(graph, arrays)
    expected = run_graph(graph, arrays)
    if rounding:
        close(found, graph, expected)
    else:
        same([zero(a) for a in found], [zero(b) for b in expected], "native and reference")
    for threads in (2, 3):
        with using(threads=threads):
            same(run_native(graph, arrays), found, f"{threads} threads and 1")
    if steps and not any(n.op.startswith("conv") for n in graph.nodes()):  # which decide how values lie in memory
        same(nodes_one_by_one(graph, arrays), found, "nodes one by one and all")
    if not rounding and seed % 4 == 0:
        same([zero(a) for a in run_native(optimize(graph), arrays)], [zero(b) for b in expected], "after the passes")
    return graph


def zero(a: Array) -> Array:
    """Zeros without a sign (of bfloat16, whose bits are seen as integers, too)."""
    return np.where(a == 0x8000, 0, a).astype(a.dtype) if a.dtype == np.uint16 else a


def main() -> None:
    """Try seeds from the command line, in a process of their own, and print those that fail or that end the process."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    flags = sys.argv[3:]
    failed = 0
    seed = first
    while seed < last:
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            try_seeds(range(seed, last), flags, sink)
            os._exit(0)
        os.close(sink)
        with os.fdopen(source) as lines:
            for line in lines:
                number, _, text = line.rstrip("\n").partition(" ")
                seed = int(number) + 1 if text else int(number)
                if text not in ("", "fine"):
                    failed += 1
                    print(f"seed {number}: {text}", flush=True)
        _, status = os.waitpid(child, 0)
        if status:
            failed += 1
            print(f"seed {seed}: the process ended with status {status}", flush=True)
            seed += 1
    print(f"{last - first} graphs, {failed} failed")


def try_seeds(seeds: range, flags: list[str], sink: int) -> None:
    """Lines for `main`: the number of a seed when it begins, and what came of it."""
    for seed in seeds:
        os.write(sink, f"{seed}\n".encode())
        text = "fine"
        try:
            check(seed, "rounding" in flags, "large" in flags, "steps" in flags, "guard" in flags)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = " ".join(f"{type(error).__name__}: {error}"[:300].split()) + f" ({where.filename}:{where.lineno})"
        os.write(sink, f"{seed} {text}\n".encode())


if __name__ == "__main__":
    main()
