"""The native backend: graphs become machine code.

`NativeBackend.compile` lowers a graph (`lowering.py`) and hands its launches to a `Program` (`program.py`), which runs
them in one native call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from onegraph.backends.contract import Backend, Buffer, Executable, get_backend, register_backend
from onegraph.backends.host import HostMemory, located, location_of
from onegraph.backends.native import layout
from onegraph.backends.native.control import run_cond, run_scan, run_while, step_of
from onegraph.backends.native.launch import Launch, Lowered, Place
from onegraph.backends.native.layout import Loop, ProgramBuilder
from onegraph.backends.native.lowering import lower
from onegraph.backends.native.program import Program
from onegraph.backends.native.reading import is_control
from onegraph.errors import CompileError, DivisionError, OneGraphError, OutOfRangeError
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.kernels.target import host
from onegraph.ops.evaluate import execute_node
from onegraph.ops.shapes import show
from onegraph.passes.pipeline import optimize

Array = np.ndarray[Any, Any]


class NativeExecutable:
    """A graph as a program of kernels."""

    def __init__(self, graph: Graph, replaced: Sequence[tuple[int, int]] = ()) -> None:
        self.graph = graph
        self.lowered = lower(graph, host())
        self.program = build_program(self.lowered, replaced)

    def run(self, inputs: Sequence[Buffer], given_up: Sequence[int] = ()) -> list[Buffer]:
        """One native call (and calls of Python functions for ops without kernels)."""
        try:
            return self.program.run(inputs, given_up)
        except (DivisionError, OutOfRangeError) as error:
            from onegraph.backends.native.blame import exact_error

            raise exact_error(self.graph, inputs, error) from None

    def describe(self) -> str:
        """The kernels in order, each with its loops."""
        return describe(self.lowered)


def build_program(lowered: Lowered, replaced: Sequence[tuple[int, int]] = ()) -> Program:
    """Slots and steps for places and launches; `replaced`: see `Backend.compile`."""
    builder = ProgramBuilder()
    slots: dict[int, int] = {}
    for place in sorted(lowered.inputs, key=lambda p: p.number):
        slots[id(place)] = builder.input(place.shape, place.dtype)

    def slot(place: Place) -> int:
        found = slots.get(id(place))
        if found is None:
            if place.base is not None:
                found = builder.part(slot(place.base), place.offset, place.shape, place.dtype, place.bytes)
            elif place.kind == "output":
                found = builder.output(place.shape, place.dtype)
            elif place.kind == "constant":
                assert place.array is not None
                found = builder.constant(place.array, place.dtype)
            else:
                found = builder.local(place.shape, place.dtype, place.bytes)
            slots[id(place)] = found
        return found

    def described(launch: Launch) -> dict[str, Any]:
        assert launch.kernel is not None
        first = next(iter(launch.nodes), None)
        return {
            "kernel": launch.kernel,
            "buffers": tuple([slot(p) for p in launch.buffers]),
            "reads": tuple([slot(p) for p in launch.reads]),
            "writes": tuple([slot(p) for p in launch.writes]),
            "in_place": tuple([(slot(a), slot(b)) for a, b in launch.in_place]),
            "keep": launch.keep,
            "label": launch.kernel.name,
            "location": None if first is None else location_of(first),
            "error": launch.error,
        }

    outputs = [slot(p) for p in lowered.outputs]
    for launch in lowered.launches:
        reads, writes = [slot(p) for p in launch.reads], [slot(p) for p in launch.writes]
        if launch.host is not None:
            builder.host(host_function(launch), reads, writes, launch.host.op)
        elif launch.loop is not None:
            builder.loop(
                Loop(
                    tuple([layout.Launch(**described(s)) for s in launch.loop.launches]),
                    tuple([tuple(m) for m in launch.loop.moves]),
                    tuple(launch.loop.barriers),
                    launch.loop.turns,
                    tuple(reads),
                    tuple(writes),
                    next(iter(launch.nodes)).op,
                )
            )
        else:
            builder.launch(**described(launch))
    given = [slots[id(place)] for place in sorted(lowered.inputs, key=lambda p: p.number)]
    return Program(builder, outputs, [(outputs[new], given[old]) for new, old in replaced])


def host_function(launch: Launch) -> Callable[[list[Array]], Sequence[Array]]:
    """What Python does for a node without a kernel."""
    node, items = launch.host, launch.items
    assert node is not None
    execute = control_function(node) if is_control(node) else partial(execute_node, node)

    def run(arrays: list[Array]) -> Sequence[Array]:
        result = located(node, execute, arrays)
        return [result[i] for i in items] if isinstance(result, tuple) else [result]

    return run


def control_function(node: Node) -> Callable[[list[Array]], tuple[Array, ...]]:
    """Control flow that Python steers: its graphs are programs."""
    a = node.attributes
    if node.op == "cond":
        return partial(run_cond, node, _program(a["then"]), _program(a["otherwise"]))
    if node.op == "while":
        return partial(run_while, node, _program(a["condition"]), _program(step_of(node)))
    return partial(run_scan, node, _program(a["body"]))


def _program(graph: Graph) -> Program:
    return NativeExecutable(optimize(graph)).program


def describe(lowered: Lowered) -> str:
    """The launches as text."""
    names: dict[int, str] = {}
    lines = []

    def name(place: Place) -> str:
        return names.setdefault(id(place), f"{place.kind[0]}{len(names)}")

    for number, launch in enumerate(lowered.launches):
        buffers = ", ".join(f"{name(p)} {p.dtype.short}{show(p.shape)}" for p in launch.buffers)
        if launch.loop is not None:
            lines.append(f"{number}: {launch.loop.turns} turns of")
            lines += [f"    {s.kernel.name}, {s.kernel.tasks} tasks" for s in launch.loop.launches if s.kernel]
            continue
        if launch.kernel is None:
            lines.append(f"{number}: Python: {launch.host.op if launch.host else ''}({buffers})")
            continue
        lines.append(f"{number}: {launch.kernel.name}({buffers}), {launch.kernel.tasks} tasks")
        lines.extend("    " + line for line in launch.kernel.description.splitlines())
    return "\n".join(lines)


class NativeBackend(HostMemory):
    """Machine code for the processor that this runs on."""

    name = "native"

    def compile(self, graph: Graph, replaced: Sequence[tuple[int, int]] = ()) -> Executable:
        """Lower the graph, and compile the kernels that are new.

        A mistake of the compiler is not the end: a warning names it, and the reference runs this graph.
        """
        try:
            return NativeExecutable(graph, replaced)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError, CompileError) as error:
            if isinstance(error, OneGraphError) and not isinstance(error, CompileError):
                raise
            what = str(error) if isinstance(error, CompileError) else f"{type(error).__name__}: {error}"
            warnings.warn(
                f"the native backend could not compile a graph of {len(graph.nodes())} nodes ({what}); the reference "
                f"runs it, slowly. Please report this",
                RuntimeWarning,
                stacklevel=2,
            )
            return get_backend("reference").compile(graph, replaced)


BACKEND: Backend = register_backend(NativeBackend())
