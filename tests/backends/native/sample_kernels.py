"""Small kernels for tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native.layout import ProgramBuilder
from onegraph.backends.native.program import Program
from onegraph.ir.dtype import float32
from onegraph.kernels.kernel import BAD_INDEX, ENTRY, Kernel
from onegraph.kernels.llvm import Function, Module, Value

ARGUMENTS = [("ptr", "buffers"), ("i64", "first"), ("i64", "last"), ("ptr", "scratch"), ("ptr", "status")]


def written(
    name: str,
    tasks: int,
    write: Callable[[Function, list[Value], Value, Value, Value], None],
    buffers: int,
    scratch: int = 0,
) -> Kernel:
    """A kernel from a function that writes the code of one task: (function, buffers, task, scratch, status)."""
    module = Module()
    f = module.function(ENTRY, ARGUMENTS)
    table, first, last, own, status = f.arguments
    places = [f.load("ptr", f.element(table, "ptr", i)) for i in range(buffers)]

    def task(t: Value, _: list[Value]) -> None:
        write(f, places, t, own, status)

    f.loop(first, last, 1, task)
    f.ret()
    return Kernel(name, str(module), tasks, scratch)


def affine(count: int, tasks: int, scale: float, shift: float, *, beyond: int = 0) -> Kernel:
    """buffer 1 = scale * buffer 0 + shift, in equal tasks; `beyond` more elements are touched by the last one."""
    per = count // tasks
    assert per * tasks == count

    def write(f: Function, places: list[Value], t: Value, own: Value, status: Value) -> None:
        def one(i: Value, _: list[Value]) -> None:
            x = f.load("float", f.element(places[0], "float", i))
            y = f.fadd(f.fmul(x, f.constant("float", scale)), f.constant("float", shift))
            f.store(y, f.element(places[1], "float", i))

        start = f.mul(t, per)
        f.loop(start, f.add(start, per + beyond), 1, one)

    return written(f"affine{scale}", tasks, write, 2)


def add(count: int, tasks: int) -> Kernel:
    """buffer 2 = buffer 0 + buffer 1."""
    per = count // tasks

    def write(f: Function, places: list[Value], t: Value, own: Value, status: Value) -> None:
        def one(i: Value, _: list[Value]) -> None:
            x, y = (f.load("float", f.element(p, "float", i)) for p in places[:2])
            f.store(f.fadd(x, y), f.element(places[2], "float", i))

        start = f.mul(t, per)
        f.loop(start, f.add(start, per), 1, one)

    return written("add", tasks, write, 3)


def reversed_copy(count: int, tasks: int) -> Kernel:
    """buffer 1 = buffer 0 backwards, through scratch memory: needs all of buffer 0 to be ready."""
    per = count // tasks

    def write(f: Function, places: list[Value], t: Value, own: Value, status: Value) -> None:
        start = f.mul(t, per)

        def gather(i: Value, _: list[Value]) -> None:
            source = f.sub(count - 1, f.add(start, i))
            f.store(f.load("float", f.element(places[0], "float", source)), f.element(own, "float", i))

        def put(i: Value, _: list[Value]) -> None:
            f.store(f.load("float", f.element(own, "float", i)), f.element(places[1], "float", f.add(start, i)))

        f.loop(0, per, 1, gather)
        f.loop(0, per, 1, put)

    return written("reversed", tasks, write, 2, scratch=4 * per)


def failing(count: int, tasks: int, bad: int) -> Kernel:
    """Copies, and says at task `bad` that index 7 is outside of size 5."""
    per = count // tasks

    def write(f: Function, places: list[Value], t: Value, own: Value, status: Value) -> None:
        with f.only_if(f.compare("eq", t, bad)):
            for word, number in enumerate((BAD_INDEX, 7, 5)):
                f.store(f.constant("i64", number), f.element(status, "i64", word))
        start = f.mul(t, per)

        def one(i: Value, _: list[Value]) -> None:
            f.store(f.load("float", f.element(places[0], "float", i)), f.element(places[1], "float", i))

        f.loop(start, f.add(start, per), 1, one)

    return written("failing", tasks, write, 2)


def buffer(values: object) -> Buffer:
    """A float32 buffer."""
    return Buffer(np.asarray(values, np.float32), float32)


def network(count: int, tasks: int, layers: int) -> tuple[Program, Callable[[np.ndarray], np.ndarray]]:
    """A program with branches that depend on each other in many ways, and what it computes."""
    builder = ProgramBuilder()
    x = builder.input((count,), float32)
    values = [x]
    recipe: list[tuple[str, int, int]] = []
    random = np.random.default_rng(layers)
    for layer in range(layers):
        last = layer == layers - 1
        y = builder.output((count,), float32) if last else builder.local((count,), float32)
        a = len(values) - 1 if last else int(random.integers(max(0, len(values) - 4), len(values)))
        b = int(random.integers(max(0, len(values) - 4), len(values)))
        kind = ("affine", "add", "reversed")[int(random.integers(3))]
        if kind == "affine":
            builder.launch(
                affine(count, tasks, 0.5, layer), [values[a], y], [values[a]], [y], in_place=((y, values[a]),)
            )
        elif kind == "add":
            builder.launch(add(count, tasks), [values[a], values[b], y], {values[a], values[b]}, [y])
        else:
            builder.launch(reversed_copy(count, tasks), [values[a], y], [values[a]], [y])
        values.append(y)
        recipe.append((kind, a, b))

    def expected(given: np.ndarray) -> np.ndarray:
        found = [given]
        for layer, (kind, a, b) in enumerate(recipe):
            if kind == "affine":
                found.append(found[a] * np.float32(0.5) + np.float32(layer))
            elif kind == "add":
                found.append(found[a] + found[b])
            else:
                found.append(found[a][::-1])
        return found[-1]

    return Program(builder, [values[-1]]), expected
