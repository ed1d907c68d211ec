"""The driver and its pool: right results with any number of threads, under stress, after a fork, at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from onegraph.backends.native.driver import driver, pools
from onegraph.backends.native.driver_text import driver_text
from onegraph.backends.native.program import Program
from onegraph.config import available_cores, using
from onegraph.kernels.compile import compile_text
from onegraph.kernels.target import plain_target
from tests.backends.native.sample_kernels import buffer, network

COUNT = 240


def check(program: Program, expected: object, given: np.ndarray, runs: int) -> None:
    wanted = expected(given)  # type: ignore[operator]
    x = buffer(given)
    for _ in range(runs):
        (y,) = program.run([x])
        assert np.array_equal(y.array, wanted)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("tasks", [1, 2, 5, 48])
def test_launches_that_depend_on_each_other(threads: int, tasks: int) -> None:
    program, expected = network(COUNT, tasks, layers=60)
    with using(threads=threads):
        check(program, expected, np.random.default_rng(0).standard_normal(COUNT, np.float32), runs=20)


def test_the_workers_take_part() -> None:
    from onegraph.backends.native.profile import profiling

    program, expected = network(48_000, 48, layers=10)
    x = buffer(np.ones(48_000))
    helped = 0
    with using(threads=2):
        for _ in range(2000):  # on a busy machine the other thread may not get a core for a while
            with profiling() as recorder:
                program.run([x])
            times = recorder.samples[0].times
            assert times.shape[1] == 2
            assert (times[:, :, 2].sum(axis=1) == 48).all()
            helped += int(times[:, 1, 2].sum())
            if helped:
                break
    assert helped > 0
    with using(threads=2):
        check(program, expected, np.ones(48_000, np.float32), 3)


@pytest.mark.parametrize("threads", [2, 3])
def test_thousands_of_runs(threads: int) -> None:
    program, expected = network(COUNT, 12, layers=12)
    with using(threads=threads):
        check(program, expected, np.arange(COUNT, dtype=np.float32), runs=10_000)


def test_the_number_of_threads_changes_at_any_time() -> None:
    program, expected = network(COUNT, 12, layers=12)
    for turn in range(30):
        with using(threads=1 + turn % 4):
            check(program, expected, np.arange(COUNT, dtype=np.float32), runs=3)
            if turn % 4:
                assert pools.pool is not None
                assert pools.pool.workers == turn % 4


def test_sleeping_workers_are_woken_or_not_needed() -> None:
    program, expected = network(COUNT, 12, layers=12)
    with using(threads=3, spin_microseconds=0):
        check(program, expected, np.arange(COUNT, dtype=np.float32), runs=300)


def test_four_python_threads_at_once() -> None:
    program, expected = network(COUNT, 12, layers=20)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            check(program, expected, np.random.default_rng(seed).standard_normal(COUNT, np.float32), runs=400)
        except BaseException as error:
            failures.append(error)

    with using(threads=2):
        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert failures == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_its_own_workers() -> None:
    program, expected = network(COUNT, 12, layers=12)
    given = np.arange(COUNT, dtype=np.float32)
    with using(threads=3):
        check(program, expected, given, runs=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forking with threads
            child = os.fork()
        if child == 0:
            code = 1
            try:
                check(program, expected, given, runs=200)
                code = 0 if pools.pool is not None and pools.pool.workers == 2 else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        check(program, expected, given, runs=50)


ENDS = """
import os, signal, sys, threading, time
import numpy as np
from onegraph.config import update
from tests.backends.native.sample_kernels import buffer, network

update(threads=3)
program, expected = network(240, 12, layers=12)
x = buffer(np.ones(240))
assert np.array_equal(program.run([x])[0].array, expected(np.ones(240, np.float32)))

def forever():
    while True:
        program.run([x])

if sys.argv[1] == "busy":
    threading.Thread(target=forever, daemon=True).start()
    time.sleep(0.1)
if sys.argv[1] == "interrupt":
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        forever()
    except KeyboardInterrupt:
        pass
    assert np.array_equal(program.run([x])[0].array, expected(np.ones(240, np.float32)))
if sys.argv[1] == "error":
    raise SystemExit(3)
"""


@pytest.mark.parametrize(("how", "code"), [("quiet", 0), ("busy", 0), ("interrupt", 0), ("error", 3)])
def test_the_process_ends(how: str, code: int) -> None:
    result = subprocess.run([sys.executable, "-c", ENDS, how], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (code, "")


def test_the_driver_compiles_for_other_processors() -> None:
    plain = plain_target()
    assert compile_text(driver_text(plain.triple, "driver"), plain)[:4] == b"\x7fELF"
    text = driver_text("aarch64-unknown-linux-gnu", "driver")
    assert "llvm.aarch64.hint" in text
    assert "x86" not in text


def test_a_pool_that_is_in_use_stays() -> None:
    with using(threads=2):
        program, expected = network(COUNT, 12, layers=4)
        check(program, expected, np.ones(COUNT, np.float32), 1)
        pool = pools.pool
        assert pool is not None
        assert driver().reserve(pool.address) == 1
        assert driver().reserve(pool.address) == 0
        check(program, expected, np.ones(COUNT, np.float32), 3)  # alone, in this thread
        assert pools.get(4) is pool
        pool.words[0] = 0
        assert pools.get(4) is not pool
        assert pools.get(4).workers == 3


def test_cores() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
