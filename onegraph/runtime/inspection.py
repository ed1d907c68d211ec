"""What is inside a compiled plan, as plain data: its steps with the user's lines, its values in memory, measured times.

`onegraph.explain`, the command line and the HTML report (`report.py`) print what is collected here.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, DivisionError
from onegraph.ir.dtype import bfloat16
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological
from onegraph.runtime.plan import Plan

if TYPE_CHECKING:
    from onegraph.backends.native.launch import Launch as LoweredLaunch
    from onegraph.backends.native.layout import Layout
    from onegraph.backends.native.machine_limits import Limits
    from onegraph.backends.native.profile import Recorder


@dataclass(frozen=True)
class Step:
    """One launch of a kernel, a loop of launches, or one call of a Python function.

    Attributes:
        name: of the kernel.
        ops: what it computes, in order: (op, dtype and shape, the user's line or "").
        tasks: pieces that threads share; 0 for a Python function.
        wait: whether all threads wait for what came before.
        kept: whether it runs only when other inputs are given.
        reads, writes: names of values.
        nest: the loop nest as text.
        flops, bytes: what it must compute and move at least, as far as it is known.
        text: its LLVM IR (of a loop: that of its first kernel).
    """

    number: int
    name: str
    ops: tuple[tuple[str, str, str], ...]
    tasks: int
    wait: bool
    kept: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    nest: str
    flops: int
    bytes: int
    text: str

    @property
    def lines(self) -> list[str]:
        """The user's lines that it computes, each once."""
        return [line for line in dict.fromkeys(line for _, _, line in self.ops) if line]


@dataclass(frozen=True)
class Value:
    """A place in memory.

    Attributes:
        kind: "input", "output", "constant" or "local".
        about: dtype and shape.
        bytes: size, padding included.
        offset: in the arena; None for values that lie elsewhere.
        first, last: numbers of the first and the last step that use it.
    """

    name: str
    kind: str
    about: str
    bytes: int
    offset: int | None
    first: int
    last: int


@dataclass(frozen=True)
class Inspection:
    """A plan taken apart.

    Attributes:
        arena_bytes: size of the arena.
        most_alive: bytes of it that are alive at the same time; no arena can be smaller.
    """

    backend: str
    steps: list[Step] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    arena_bytes: int = 0
    most_alive: int = 0

    def find(self, kernel: int | str) -> Step:
        """A step with a kernel, by its number or by a part of its name.

        Raises:
            ArgumentError: there is none.
        """
        for step in self.steps:
            if step.text and (step.number == kernel or (isinstance(kernel, str) and kernel in step.name)):
                return step
        names = ", ".join(f"{s.number} {s.name}" for s in self.steps if s.text) or "none"
        raise ArgumentError(f"no kernel of this plan is called {kernel!r}; there are: {names}")


def inspect(plan: Plan) -> Inspection:
    """Take a plan apart. Plans of the reference backend have no kernels: the result is empty then."""
    if plan.backend.name != "native":
        return Inspection(plan.backend.name)
    executable: Any = plan.executable
    layout: Layout = executable.program.layout
    launches = [n for n in executable.lowered.launches if n.kernel is None or n.kernel.tasks > 0]
    if len(launches) != len(layout.steps):
        raise ValueError(f"{len(launches)} launches became {len(layout.steps)} steps")
    lines = {n.source[:2] for n in plan.graph.nodes() if n.source is not None}
    computed = {n for launch in launches for n in launch.nodes}
    names = [_name(layout, slot) for slot in range(len(layout.slots))]
    steps = []
    for number, (launch, step) in enumerate(zip(launches, layout.steps, strict=True)):
        wait = number > 0 and layout.times[number] != layout.times[number - 1]
        reads, writes = (tuple([names[s] for s in slots]) for slots in (step.reads, step.writes))
        place = (_ops(launch, computed, lines), wait, step.keep is not None, reads, writes)
        steps.append(_step(number, launch, *place))
    arena = layout.arena
    return Inspection("native", steps, _values(layout, names), arena.total, arena.most_alive)


def _step(
    number: int,
    launch: LoweredLaunch,
    ops: tuple[tuple[str, str, str], ...],
    wait: bool,
    kept: bool,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
) -> Step:
    if launch.loop is not None:
        turns = launch.loop.turns
        kernels = [x.kernel for x in launch.loop.launches if x.kernel is not None]
        nests = [f"{k.name}, {k.tasks} tasks\n{k.description}".replace("\n", "\n    ") for k in kernels]
        nest = "\n".join([f"{turns} turns of", *nests])
        flops, moved = sum(k.flops for k in kernels) * turns, sum(k.bytes for k in kernels) * turns
        tasks, text = sum(k.tasks for k in kernels) * turns, kernels[0].text if kernels else ""
        name = ops[-1][0] if ops else "loop"
        return Step(number, name, ops, tasks, wait, kept, reads, writes, nest, flops, moved, text)
    kernel = launch.kernel
    if kernel is None:
        op = launch.host.op if launch.host is not None else "python"
        return Step(number, op, ops, 0, wait, kept, reads, writes, "computed by Python", 0, 0, "")
    about = (kernel.description, kernel.flops, kernel.bytes, kernel.text)
    return Step(number, kernel.name, ops, kernel.tasks, wait, kept, reads, writes, *about)


def _name(layout: Layout, slot: int) -> str:
    about = layout.slots[slot]
    return f"{about.kind[0]}{slot}"


def _about(dtype: Any, shape: Sequence[Any]) -> str:
    return f"{dtype.short}[{', '.join(map(str, shape))}]"


def _ops(
    launch: LoweredLaunch, computed: Collection[Node], lines: Collection[tuple[str, int]]
) -> tuple[tuple[str, str, str], ...]:
    """The nodes of a launch, with those that are computed inside of it without being stored anywhere."""

    def inside(node: Node) -> list[Node]:
        return [i for i in node.inputs if i not in computed and i.op not in ("input", "constant")]

    found = topological(launch.nodes, inputs_of=inside)
    return tuple([(n.op, _about(n.dtype, n.shape), _line(n, lines)) for n in found])


def _line(node: Node, lines: Collection[tuple[str, int]]) -> str:
    if node.source is None or node.source[:2] not in lines:
        return ""  # made by the compiler
    filename, line = node.source[:2]
    return f"{os.path.basename(filename)}:{line}"


def _values(layout: Layout, names: Sequence[str]) -> list[Value]:
    uses: dict[int, list[int]] = {}
    for number, step in enumerate(layout.steps):
        for slot in (*step.reads, *step.writes):
            uses.setdefault(layout.root(slot), []).append(number)
    kept = {s for slots in layout.kept for s in slots}
    values = []
    for slot, about in enumerate(layout.slots):
        if about.base is None and slot in uses:
            inside = about.kind == "local" and slot not in kept
            offset = int(layout.arena.offsets[slot]) if inside else None
            text = _about(about.dtype, about.shape)
            times = uses[slot]
            values.append(Value(names[slot], about.kind, text, about.nbytes, offset, min(times), max(times)))
    return values


# --------------------------------------------------------------------------------------------------------- text


def kernels_text(found: Inspection) -> str:
    """Which ops run in which kernel, and from which of the user's lines they come."""
    lines = []
    for step in found.steps:
        where = f"  {', '.join(step.lines)}" if step.lines else ""
        lines.append(f"{step.number}: {step.name}{where}")
        lines.extend(f"    {op} {about}" + (f"  # {line}" if line else "") for op, about, line in step.ops)
    return "\n".join(lines)


def nests_text(found: Inspection) -> str:
    """The loop nest of each kernel; b0, b1, ... are its buffers."""
    lines = []
    for step in found.steps:
        lines.append(f"{step.number}: {step.name}, {step.tasks} task{'' if step.tasks == 1 else 's'}")
        lines.extend("    " + line.rstrip() for line in step.nest.splitlines())
    return "\n".join(lines)


def memory_text(found: Inspection) -> str:
    """Where each value lies, and from which step to which it is needed."""
    inside = [v for v in found.values if v.offset is not None]
    lines = [f"arena {found.arena_bytes:,} bytes, at most {found.most_alive:,} of them alive at a time"]
    for v in sorted(inside, key=lambda v: (v.first, v.offset)):
        lines.append(f"  {v.name} {v.about}: {v.bytes:,} bytes at {v.offset:,}, steps {v.first} to {v.last}")
    for kind, title in (("input", "inputs"), ("output", "outputs"), ("constant", "constants"), ("local", "kept")):
        others = [v for v in found.values if v.offset is None and v.kind == kind]
        if others:
            lines.append(
                f"{title} {sum(v.bytes for v in others):,} bytes: " + ", ".join(f"{v.name} {v.about}" for v in others)
            )
    return "\n".join(lines)


def machine_code(step: Step, *, assembly: bool) -> str:
    """A kernel's LLVM IR as the compiler wrote it, or what LLVM makes of it."""
    from onegraph.kernels.compile import compile_text

    return str(compile_text(step.text, assembly=True)) if assembly else step.text


# ------------------------------------------------------------------------------------------------------- measure


@dataclass(frozen=True)
class Measurement:
    """Times of the steps of a plan: medians over several runs.

    Attributes:
        steps: the steps that ran, with the seconds of each.
        seconds: of a whole run.
        limits: what the machine can do.
        recorder: all samples, for a Chrome trace.
    """

    steps: list[tuple[Step, float]]
    seconds: float
    limits: Limits
    recorder: Recorder

    def best(self, step: Step) -> float:
        """Seconds that the machine would need at its best (the roofline model: Williams, Waterman, Patterson 2009)."""
        return max(step.flops / self.limits.flops, step.bytes / self.limits.bytes)

    def table(self, count: int | None = None) -> str:
        """One line a kernel, the slowest first."""
        total = sum(seconds for _, seconds in self.steps) or 1.0
        rows = sorted(self.steps, key=lambda item: -item[1])[:count]
        width = max([6, *(len(s.name) for s, _ in rows)])
        lines = [f"step  {'kernel':{width}}       ms  share  GFLOP/s    GB/s  of limit  lines"]
        for s, seconds in rows:
            time_ = max(seconds, 1e-9)
            lines.append(
                f"{s.number:4}  {s.name:{width}}  {seconds * 1e3:7.3f}  {seconds / total:5.0%}  {s.flops / time_ / 1e9:7.1f}"
                f"  {s.bytes / time_ / 1e9:6.1f}  {self.best(s) / time_:8.0%}  {', '.join(s.lines)}".rstrip()
            )
        limits = f"{self.limits.flops / 1e9:.0f} GFLOP/s, {self.limits.bytes / 1e9:.1f} GB/s"
        lines.append(f"one run takes {self.seconds * 1e3:.3f} ms; limits of this machine: {limits}")
        return "\n".join(lines)


def measure(plan: Plan, repeats: int = 10) -> Measurement:
    """Run a plan several times on made-up values (nobody's state changes) and note the time of each kernel.

    Raises:
        ArgumentError: the plan was compiled by a backend without kernels.
    """
    found = inspect(plan)
    if found.backend != "native":
        raise ArgumentError(
            f"plans of the {found.backend} backend cannot be profiled: they have no kernels",
            hint="set ONEGRAPH_BACKEND=native or onegraph.config.update(backend='native')",
        )
    from onegraph.backends.native.machine_limits import machine_limits
    from onegraph.backends.native.profile import profiling

    limits = machine_limits()
    inputs = made_up_inputs(plan.graph)
    try:
        plan.run(inputs)
    except DivisionError:
        inputs = made_up_inputs(plan.graph, whole=1)
        plan.run(inputs)
    times = []
    with profiling() as recorder:
        for _ in range(repeats):
            start = time.perf_counter()
            plan.run(inputs)
            times.append(time.perf_counter() - start)
    return Measurement(_step_times(plan, found, recorder), statistics.median(times), limits, recorder)


def _step_times(plan: Plan, found: Inspection, recorder: Recorder) -> list[tuple[Step, float]]:
    executable: Any = plan.executable
    numbers: dict[int, int] = {}
    for i, step in enumerate(executable.program.layout.steps):
        inner = getattr(step, "launches", None)  # of a loop
        numbers.update((id(x), i) for x in ([step] if inner is None else inner))
    spans: dict[int, list[float]] = {}
    for sample in recorder.samples:
        total: dict[int, float] = {}
        for launch, times in zip(sample.launches, sample.times, strict=True):
            worked = times[times[:, 3] > 0]
            span = float(worked[:, 1].max() - worked[:, 0].min()) / 1e9 if len(worked) else 0.0
            if id(launch) in numbers:
                number = numbers[id(launch)]
                total[number] = total.get(number, 0.0) + span
        for number, span in total.items():
            spans.setdefault(number, []).append(span)
    return [(found.steps[i], statistics.median(spans[i])) for i in sorted(spans)]


def made_up_inputs(graph: Graph, whole: int = 0) -> list[Buffer]:
    """Values for the inputs of a graph: small positive numbers, and `whole` for integers (a valid index if it is 0)."""
    rng = np.random.default_rng(0)
    made = []
    for node in graph.inputs:
        shape = tuple([int(s) for s in node.shape])
        if node.dtype is bfloat16:
            array = np.full(shape, 0x3D00, np.uint16)  # 1/32
        elif node.dtype.kind == "float":
            array = np.asarray(rng.random(shape, np.float32) * 0.1 + 0.01).astype(node.dtype.numpy)
        else:
            array = np.full(shape, whole, node.dtype.numpy)
        made.append(Buffer(array, node.dtype))
    return made


__all__ = [
    "Inspection",
    "Measurement",
    "Step",
    "Value",
    "inspect",
    "kernels_text",
    "machine_code",
    "made_up_inputs",
    "measure",
    "memory_text",
    "nests_text",
]
