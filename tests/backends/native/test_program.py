"""Programs: inputs of all kinds, results, Python steps, kept values, errors, guard pages, the profiler."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from onegraph.backends.contract import Buffer
from onegraph.backends.native.layout import ProgramBuilder
from onegraph.backends.native.profile import profiling
from onegraph.backends.native.program import Program
from onegraph.config import using
from onegraph.errors import DivisionError, OneGraphError, OutOfRangeError
from onegraph.ir.dtype import float32, int32
from onegraph.kernels.kernel import DIVISION_BY_ZERO, Kernel
from tests.backends.native.sample_kernels import add, affine, buffer, failing, network, reversed_copy

N = 240


def one(kernel: Kernel) -> Program:
    builder = ProgramBuilder()
    x, y = builder.input((N,), float32), builder.output((N,), float32)
    builder.launch(kernel, [x, y], [x], [y])
    return Program(builder, [y])


@pytest.mark.parametrize("kind", ["plain", "reversed", "strided", "misaligned", "big-endian", "broadcast", "read-only"])
def test_inputs_of_any_layout(kind: str) -> None:
    values = np.arange(N, dtype=np.float32)
    array = {
        "plain": values,
        "reversed": values[::-1],
        "strided": np.arange(3 * N, dtype=np.float32)[::3],
        "misaligned": np.frombuffer(b"x" + values.tobytes(), np.uint8)[1:].view(np.float32),
        "big-endian": values.astype(">f4"),
        "broadcast": np.broadcast_to(np.float32(3), (N,)),
        "read-only": np.frombuffer(values.tobytes(), np.float32),
    }[kind]
    program = one(affine(N, 12, 2.0, 1.0))
    given = Buffer(array, float32)
    for _ in range(2):
        assert np.array_equal(program.run([given])[0].array, array.astype(np.float32) * 2 + 1)


def test_results_are_new_each_time() -> None:
    program = one(affine(N, 12, 2.0, 1.0))
    (first,) = program.run([buffer(np.zeros(N))])
    (second,) = program.run([buffer(np.ones(N))])
    assert first.array.tolist() == [1.0] * N
    assert second.array.tolist() == [3.0] * N


def test_results_that_are_inputs_constants_and_parts() -> None:
    builder = ProgramBuilder()
    x, y = builder.input((4, 60), float32), builder.output((N,), float32)
    c = builder.constant(np.arange(3, dtype=np.int32), int32)
    builder.launch(affine(N, 12, 2.0, 0.0), [x, y], [x], [y])
    half = builder.part(y, 4 * 120, (2, 60), float32)
    again = builder.part(x, 0, (N,), float32)
    program = Program(builder, [y, x, c, half, again, y])
    given = buffer(np.arange(N).reshape(4, 60))
    results = program.run([given])
    assert results[1] is given
    assert results[2].array.tolist() == [0, 1, 2]
    assert np.array_equal(results[3].array, given.array[2:] * 2)
    assert np.array_equal(results[4].array, given.array.reshape(-1))
    assert np.array_equal(results[0].array, results[5].array)
    kept = results[3].array
    del results
    for _ in range(3):
        program.run([buffer(np.zeros((4, 60)))])
    assert np.array_equal(kept, given.array[2:] * 2)


def test_parts_of_locals_and_outputs_are_written_side_by_side() -> None:
    builder = ProgramBuilder()
    x = builder.input((N,), float32)
    y = builder.output((2 * N,), float32)
    t = builder.local((2 * N,), float32)
    parts = [builder.part(t, 0, (N,), float32), builder.part(t, 4 * N, (N,), float32)]
    for k, p in enumerate(parts):
        builder.launch(affine(N, 12, 1.0, k), [x, p], [x], [p])
    builder.launch(reversed_copy(2 * N, 12), [t, y], [t], [y])
    program = Program(builder, [y])
    assert program.layout.times == [0, 0, 1]
    wanted = np.concatenate([np.arange(N), np.arange(N) + 1])[::-1].astype(np.float32)
    for threads in (1, 2):
        with using(threads=threads):
            assert np.array_equal(program.run([buffer(np.arange(N))])[0].array, wanted)


def test_python_between_native_steps() -> None:
    builder = ProgramBuilder()
    x, y = builder.input((N,), float32), builder.output((N,), float32)
    a, b = builder.local((N,), float32), builder.local((4, 60), float32)
    builder.launch(affine(N, 12, 2.0, 0.0), [x, a], [x], [a])
    builder.host(lambda arrays: [np.sort(arrays[0])[::-1].reshape(4, 60)], [a], [b], label="sort")
    builder.launch(affine(N, 12, 1.0, 1.0), [b, y], [b], [y])
    program = Program(builder, [y])
    values = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    assert np.array_equal(program.run([buffer(values)])[0].array, np.sort(values * 2)[::-1] + 1)
    assert "sort" in program.describe()
    with using(guard_pages=True):
        assert np.array_equal(program.run([buffer(values)])[0].array, np.sort(values * 2)[::-1] + 1)


def test_python_steps_must_keep_their_word() -> None:
    builder = ProgramBuilder()
    x, y = builder.input((N,), float32), builder.output((N,), float32)
    builder.host(lambda arrays: [arrays[0].astype(np.float64)], [x], [y], label="widen")
    with pytest.raises(ValueError, match=r"widen: gave .* float64 where .* float32 was due"):
        Program(builder, [y]).run([buffer(np.zeros(N))])


def kept_program() -> tuple[Program, list[int]]:
    """y = (2 w + 1) + (3 v) + x, where the first two are kept; and how many launches each run had."""
    builder = ProgramBuilder()
    w, x, v = (builder.input((N,), float32) for _ in range(3))
    y = builder.output((N,), float32)
    a, b, c, s = (builder.local((N,), float32) for _ in range(4))
    builder.launch(affine(N, 12, 2.0, 0.0), [w, a], [w], [a], keep=frozenset({0}))
    builder.launch(affine(N, 12, 1.0, 1.0), [a, b], [a], [b], keep=frozenset({0}), in_place=((b, a),))
    builder.launch(affine(N, 12, 3.0, 0.0), [v, c], [v], [c], keep=frozenset({2}))
    builder.launch(add(N, 12), [b, c, s], [b, c], [s])
    builder.launch(add(N, 12), [s, x, y], [s, x], [y])
    return Program(builder, [y]), []


@pytest.mark.parametrize("threads", [1, 2])
def test_kept_values(threads: int) -> None:
    program, _ = kept_program()
    w, v = buffer(np.arange(N)), buffer(np.ones(N))
    launched = []
    with using(threads=threads), profiling() as recorder:

        def run(w: Buffer, x: float, v: Buffer) -> None:
            (y,) = program.run([w, buffer(np.full(N, x)), v])
            assert np.array_equal(y.array, (w.array * 2 + 1) + v.array * 3 + np.float32(x))
            launched.append(len(recorder.samples[-1].launches))

        run(w, 1, v)
        run(w, 2, v)  # the second time: now they are kept
        run(w, 3, v)
        run(w, 3, v)
        run(buffer(np.zeros(N)), 4, v)  # its buffer dies, and another may take its place
        run(buffer(np.full(N, 9)), 4, v)
        run(w, 5, v)
        u = buffer(np.full(N, 7))
        run(w, 6, u)
        run(w, 6, u)
        run(w, 7, u)
    assert launched == [5, 5, 2, 2, 5, 5, 2, 5, 3, 2]


def test_values_of_new_inputs_are_in_memory_of_their_own() -> None:
    program, _ = kept_program()
    v, x = buffer(np.ones(N)), buffer(np.zeros(N))
    for number in range(4):
        w = buffer(np.full(N, number))
        assert program.run([w, x, v])[0].array.tolist() == [2 * number + 4] * N
        assert program.kept is not None and program.kept.state is None


def test_kept_values_hold_no_inputs() -> None:
    program, _ = kept_program()
    w = buffer(np.arange(N))
    watched = weakref.ref(w)
    program.run([w, w, w])
    del w
    gc.collect()
    assert watched() is None


def test_kept_values_of_threads_with_different_weights() -> None:
    program, _ = kept_program()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            w, v = buffer(np.full(N, number)), buffer(np.full(N, -number))
            for turn in range(200):
                (y,) = program.run([w, buffer(np.full(N, turn)), v])
                assert y.array.tolist() == [2 * number + 1 - 3 * number + turn] * N
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []


def test_a_failed_run_keeps_nothing() -> None:
    builder = ProgramBuilder()
    w, x, y = builder.input((N,), float32), builder.input((N,), float32), builder.output((N,), float32)
    a, t = builder.local((N,), float32), builder.local((N,), float32)
    builder.launch(affine(N, 12, 2.0, 0.0), [w, a], [w], [a], keep=frozenset({0}))
    builder.host(lambda arrays: [arrays[0] if arrays[0][0] else 1 // 0], [x], [t])
    builder.launch(add(N, 12), [a, t, y], [a, t], [y])
    program = Program(builder, [y])
    weights = buffer(np.ones(N))
    with pytest.raises(ZeroDivisionError):
        program.run([weights, buffer(np.zeros(N))])
    for turn in (1, 2):
        assert program.run([weights, buffer(np.full(N, turn))])[0].array.tolist() == [2 + turn] * N


def test_what_is_kept_may_depend_on_nothing_else() -> None:
    builder = ProgramBuilder()
    w, x, y = builder.input((N,), float32), builder.input((N,), float32), builder.output((N,), float32)
    a = builder.local((N,), float32)
    builder.launch(add(N, 12), [w, x, a], [w, x], [a], keep=frozenset({0}))
    builder.launch(affine(N, 12, 1.0, 1.0), [a, y], [a], [y])
    with pytest.raises(ValueError, match="depends on more than the inputs"):
        Program(builder, [y])


@pytest.mark.parametrize("threads", [1, 3])
def test_errors_of_kernels(threads: int) -> None:
    builder = ProgramBuilder()
    x, y, t = builder.input((N,), float32), builder.output((N,), float32), builder.local((N,), float32)
    builder.launch(affine(N, 12, 1.0, 0.0), [x, t], [x], [t])
    builder.launch(failing(N, 12, bad=7), [t, y], [t], [y], label="gather", location=("train.py", 12))
    program = Program(builder, [y])
    with using(threads=threads):
        for _ in range(3):
            with pytest.raises(OutOfRangeError, match="gather: index 7 is out of range for size 5") as caught:
                program.run([buffer(np.zeros(N))])
            assert caught.value.location == ("train.py", 12)
    (own,) = one(affine(N, 12, 1.0, 1.0)).run([buffer(np.zeros(N))])
    assert own.array[0] == 1


def test_errors_are_made_by_the_launch_if_it_says_how() -> None:
    builder = ProgramBuilder()
    x, y = builder.input((N,), float32), builder.output((N,), float32)
    builder.launch(failing(N, 12, bad=0), [x, y], [x], [y], error=lambda code, a, b: DivisionError(f"{code} {a} {b}"))
    with pytest.raises(DivisionError, match="1 7 5"):
        Program(builder, [y]).run([buffer(np.zeros(N))])
    assert DIVISION_BY_ZERO != 1
    assert issubclass(DivisionError, OneGraphError)


def test_nothing_to_do() -> None:
    builder = ProgramBuilder()
    x, y = builder.input((0, 3), float32), builder.output((0, 3), float32)
    builder.launch(Kernel("nothing", "", 0), [x, y], [x], [y])
    assert Program(builder, [y]).run([buffer(np.zeros((0, 3)))])[0].shape == (0, 3)


def test_wrong_programs_are_found() -> None:
    builder = ProgramBuilder()
    x, t = builder.input((N,), float32), builder.local((N,), float32)
    with pytest.raises(ValueError, match="of kind input"):
        builder.launch(affine(N, 12, 1.0, 1.0), [t, x], [t], [x])
    with pytest.raises(ValueError, match="among the buffers"):
        builder.launch(affine(N, 12, 1.0, 1.0), [x], [x], [t])
    with pytest.raises(ValueError, match="exceeds"):
        builder.part(t, 4, (N,), float32)
    with pytest.raises(ValueError, match="must be outputs"):
        Program(builder, [t])


def test_many_programs_share_an_arena() -> None:
    from onegraph.backends.native.memory import arenas

    arenas.clear()
    programs = [network(N, 12, layers=5 + i % 7)[0] for i in range(40)]
    for program in programs:
        program.run([buffer(np.ones(N))])
    assert arenas.idle_bytes < 200_000


GUARDED = """
import sys
import numpy as np
from onegraph.backends.native.layout import ProgramBuilder
from onegraph.backends.native.program import Program
from onegraph.config import update
from onegraph.ir.dtype import float32
from tests.backends.native.sample_kernels import affine, buffer, network

update(guard_pages=True)
program, expected = network(240, 12, layers=30)
given = np.arange(240, dtype=np.float32)
assert np.array_equal(program.run([buffer(given)])[0].array, expected(given))
kind, beyond = sys.argv[1], int(sys.argv[2])
builder = ProgramBuilder()
x, y, z = builder.input((240,), float32), builder.output((240,), float32), builder.local((300,), float32)
pair = {"both": (x, y), "read": (x, z), "write": (z, y)}[kind]
builder.launch(affine(240, 12, 1.0, 0.0, beyond=beyond), pair, pair[:1], pair[1:])
Program(builder, [y]).run([buffer(given)])
print("alive")
"""


@pytest.mark.parametrize(("kind", "beyond", "alive"), [("both", 0, True), ("read", 1, False), ("write", 1, False)])
def test_guard_pages_catch_one_element_too_many(kind: str, beyond: int, alive: bool) -> None:
    command = [sys.executable, "-c", GUARDED, kind, str(beyond)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode == 0) is alive
    assert ("alive" in result.stdout) is alive
    if not alive:
        assert result.returncode < 0  # killed by a signal, not ended by an exception
        assert "Error" not in result.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_the_profiler(threads: int, tmp_path: Path) -> None:
    builder = ProgramBuilder()
    x, y, t = builder.input((N,), float32), builder.output((N,), float32), builder.local((N,), float32)
    work = affine(N, 12, 2.0, 1.0)
    known = Kernel("known", work.text, work.tasks, flops=2_000_000, bytes=1_000_000)
    builder.launch(known, [x, t], [x], [t])
    builder.launch(work, [t, y], [t], [y], label="second")
    program = Program(builder, [y])
    with using(threads=threads), profiling() as recorder:
        for _ in range(3):
            program.run([buffer(np.zeros(N))])
    program.run([buffer(np.zeros(N))])  # not recorded
    rows = {r.name: r for r in recorder.rows()}
    assert set(rows) == {"known", "second"}
    assert (rows["known"].calls, rows["known"].flops, rows["known"].bytes) == (3, 6_000_000, 3_000_000)
    assert rows["known"].seconds > 0
    text = recorder.table()
    assert "known" in text
    assert "GFLOP/s" in text
    recorder.save_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sum(e["args"]["tasks"] for e in events) == 3 * 2 * 12
    assert all(e["dur"] >= 0 and e["tid"] < threads for e in events)
