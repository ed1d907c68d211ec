"""Worker processes: the same batches as without, errors, death, timeouts, Ctrl-C, no orphans."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.data import (
    Augmented,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomShift,
    TensorDataset,
    WorkerError,
    get_worker_info,
    numpy_collate,
    transport,
)
from onegraph.data.fetch import Recipe
from onegraph.data.worker_pool import choose_context
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError

if sys.platform == "win32":
    pytest.skip("signals and process groups of POSIX", allow_module_level=True)


class Squares(Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> int:
        return index * index


class Misbehaves(Dataset):
    """Sample 3 does what it is told."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        if index == 3:
            if self.how == "raise":
                raise KeyError("lost")
            if self.how == "odd exception":
                raise Odd(1, 2)
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "exit":
                os._exit(7)
            if self.how == "sleep":
                time.sleep(600)
            if self.how == "lambda":
                return lambda: None
        return index


class Odd(Exception):
    """Pickles, but cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Shards(IterableDataset):
    """0 .. count-1, each worker its share."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        return iter(range(info.id, self.count, info.num_workers) if info else range(self.count))


class Random(Dataset):
    """Draws from the global generators."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> tuple[float, float]:
        return random.random(), float(np.random.rand())


def images() -> Augmented:
    values = np.arange(21 * 25, dtype=np.float32).reshape(21, 1, 5, 5)
    return Augmented(TensorDataset(values, np.arange(21)), RandomShift(2), seed=4)


def loader_of(dataset: Any, num_workers: int = 2, **options: Any) -> DataLoader:
    collate = options.pop("collate_fn", numpy_collate)
    return DataLoader(dataset, num_workers=num_workers, collate_fn=collate, **options)


def lists(batches: Any) -> list[Any]:
    return [[part.tolist() for part in b] if isinstance(b, list) else b.tolist() for b in batches]


def children() -> list[str]:
    """Live worker processes of this one."""
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc/self").exists() else []:
        try:
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if stat[0] != "Z" and int(stat[1]) == os.getpid() and "forkserver" not in _command(entry):
            found.append(_command(entry))
    return [command for command in found if "resource_tracker" not in command]


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    before = len(children())
    yield
    gc.collect()
    assert len(children()) <= before


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_same_batches_as_without_workers(num_workers: int) -> None:
    expected = lists(loader_of(images(), 0, batch_size=4, shuffle=True, seed=2))
    loader = loader_of(images(), num_workers, batch_size=4, shuffle=True, seed=2)
    assert lists(loader) == expected


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.slow
def test_every_start_method_gives_the_same(method: str) -> None:
    data = TensorDataset(np.arange(12))
    loader = DataLoader(data, 5, num_workers=1, collate_fn=numpy_collate, multiprocessing_context=method)
    assert lists(loader) == [[[0, 1, 2, 3, 4]], [[5, 6, 7, 8, 9]], [[10, 11]]]


def test_workers_really_are_other_processes() -> None:
    class Processes(Dataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> int:
            return os.getpid()

    pids = [pid for (pid,) in lists(loader_of(Processes()))]
    assert pids[0] == pids[2] != pids[1] == pids[3]
    assert os.getpid() not in pids


def test_large_arrays_are_shared_and_writable() -> None:
    data = TensorDataset(np.arange(200_000, dtype=np.float64).reshape(2, -1), np.array([1, 2], np.uint8))
    large, small = next(iter(loader_of(data, 1, batch_size=2)))
    assert np.array_equal(large, np.arange(200_000).reshape(2, -1))
    large[0, 0] = small[0] = 9
    assert large[0, 0] == small[0] == 9
    gc.collect()
    assert large[1, -1] == 199_999  # the memory lives as long as the array, not as the worker


@pytest.mark.parametrize("shared", [True, False])
def test_transport_round_trip(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SHARED_FROM_BYTES", 1)
    monkeypatch.setattr(transport, "_HAS_MEMORY_FILES", shared and transport._HAS_MEMORY_FILES)
    message = {
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "strided": np.arange(10)[::3],
        "empty": np.empty((0, 3)),
        "text": ["a", b"b"],
        "odd": np.arange(7, dtype=np.uint8),
        "after": np.arange(5.0),
    }
    near, far = Pipe()
    transport.send(near, message)
    received = transport.receive(far)
    assert received.keys() == message.keys()
    for name, value in message.items():
        assert np.array_equal(received[name], value)
    near.close(), far.close()


def test_streams_are_shared_out_in_order() -> None:
    # Worker 0 has 0 2 4 6 8, worker 1 has 1 3 5 7; batches of two alternate.
    assert lists(loader_of(Shards(9), batch_size=2)) == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_streams_of_uneven_length(count: int) -> None:
    batches = lists(loader_of(Shards(count), 3, prefetch_factor=3))
    assert batches == [[number] for number in range(count)]


def test_persistent_workers_are_kept() -> None:
    loader = loader_of(images(), batch_size=6, shuffle=True, seed=3, persistent_workers=True)
    fresh = loader_of(images(), 0, batch_size=6, shuffle=True, seed=3)
    assert lists(loader) == lists(fresh)
    pool = loader._pool
    assert lists(loader) == lists(fresh)
    assert loader._pool is pool
    loader.close()
    assert lists(loader) == lists(fresh)
    loader.close()


def test_persistent_workers_after_a_break() -> None:
    loader = loader_of(images(), batch_size=4, persistent_workers=True)
    fresh = loader_of(images(), 0, batch_size=4)
    old = iter(loader)
    next(old)
    next(iter(fresh))
    assert lists(loader) == lists(fresh)
    with pytest.raises(DataError, match="iterated again"):
        list(old)
    loader.close()


@pytest.mark.parametrize("stop", [0, 2, 3])
def test_resume_with_workers(stop: int) -> None:
    def make(workers: int) -> DataLoader:
        return loader_of(images(), workers, batch_size=4, shuffle=True, seed=9)

    expected = lists(make(0))
    first = make(2)
    batches = iter(first)
    seen = lists([next(batches) for _ in range(stop)])
    state = json.loads(json.dumps(first.state_dict()))
    batches.close()
    second = make(3)
    second.load_state_dict(state)
    assert seen + lists(second) == expected


def test_resume_of_a_stream_with_workers() -> None:
    first = loader_of(Shards(9), batch_size=2)
    batches = iter(first)
    next(batches), next(batches), next(batches)
    second = loader_of(Shards(9), batch_size=2)
    second.load_state_dict(first.state_dict())
    batches.close()
    assert lists(second) == [[5, 7], [8]]


def test_global_generators_repeat_for_any_number_of_workers() -> None:
    one = lists(loader_of(Random(), 1, batch_size=2, seed=5))
    three = lists(loader_of(Random(), 3, batch_size=2, seed=5))
    assert one == three
    assert one != lists(loader_of(Random(), 1, batch_size=2, seed=6))
    assert len({number for batch in one for part in batch for number in part}) == 18

    resumed = loader_of(Random(), 2, batch_size=2, seed=5)
    batches = iter(resumed)
    next(batches)
    batches.close()
    resumed.load_state_dict(resumed.state_dict())
    assert lists(resumed) == one[1:]


def test_init_function_runs_in_each_worker() -> None:
    def initialize(worker: int) -> None:
        info = get_worker_info()
        assert info is not None
        info.dataset.start = 100 * (worker + 1)

    class Started(Dataset):
        start = 0

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> int:
            return self.start + index

    assert lists(loader_of(Started(), worker_init_fn=initialize)) == [[100], [201]]


def test_init_function_that_fails() -> None:
    def initialize(worker: int) -> None:
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        list(loader_of(Squares(), worker_init_fn=initialize))


def test_errors_come_back_with_type_index_and_traceback() -> None:
    batches = iter(loader_of(Misbehaves("raise"), batch_size=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(KeyError, match="lost") as caught:
        next(batches)
    notes = "\n".join(caught.value.__notes__)
    assert "index 3 of Misbehaves" in notes
    assert "data worker 1" in notes
    assert 'raise KeyError("lost")' in notes
    assert list(batches) == []


def test_errors_that_do_not_pickle() -> None:
    with pytest.raises(WorkerError, match="Odd: 1 and 2") as caught:
        list(loader_of(Misbehaves("odd exception")))
    assert "raise Odd(1, 2)" in "\n".join(caught.value.__notes__)


def test_batches_that_do_not_pickle() -> None:
    with pytest.raises(Exception, match="lambda") as caught:
        list(loader_of(Misbehaves("lambda"), collate_fn=list))
    assert "while sending batch 3" in "\n".join(caught.value.__notes__)


def test_collate_errors_name_the_users_line() -> None:
    with pytest.raises(DataError) as caught:
        list(loader_of([{1}, {2}], 1, batch_size=2))
    assert "test_data_workers.py" in str(caught.value)


@pytest.mark.parametrize(("how", "text"), [("kill", "was killed by SIGKILL"), ("exit", "exit code 7")])
@pytest.mark.parametrize("persistent", [False, True])
def test_death_of_a_worker_is_an_error(how: str, text: str, persistent: bool) -> None:
    loader = loader_of(Misbehaves(how), persistent_workers=persistent)
    with pytest.raises(WorkerError, match=f"data worker 1 .*{text}"):
        list(loader)
    with pytest.raises(WorkerError, match=text):  # new workers, the same fate
        list(loader)


def test_death_between_batches() -> None:
    loader = loader_of(Squares(), 1, persistent_workers=True, prefetch_factor=1)
    batches = iter(loader)
    next(batches)
    assert loader._pool is not None
    os.kill(loader._pool.processes[0].pid, signal.SIGKILL)
    loader._pool.processes[0].join()
    with pytest.raises(WorkerError, match="SIGKILL"):
        list(batches)
    assert len(lists(loader)) == 10
    loader.close()


def test_timeout_is_an_error() -> None:
    with pytest.raises(WorkerError, match=r"within timeout=0\.2 seconds"):
        list(loader_of(Misbehaves("sleep"), timeout=0.2))


def test_an_abandoned_iterator_ends_its_workers() -> None:
    batches = iter(loader_of(Misbehaves("sleep")))
    next(batches)
    processes = batches._batches._pool.processes
    assert all(process.is_alive() for process in processes)
    del batches
    gc.collect()
    assert not any(process.is_alive() for process in processes)


def test_large_tasks_and_messages_do_not_block_each_other() -> None:
    # Each direction is larger than a socket's buffer: both sides writing at once must not wait for ever.
    indices = [list(range(100_000))] * 6
    loader = loader_of(range(100_000), 1, batch_sampler=indices, collate_fn=lambda s: list(map(str, s)))
    assert [len(batch) for batch in loader] == [100_000] * 6


SCRIPT = """
    import os, sys, time
    from onegraph.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 100
        def __getitem__(self, index):
            if index > 4:
                time.sleep(600)
            return index

    batches = iter(DataLoader(Slow(), num_workers=2, collate_fn=list))
    for _ in range(4):
        next(batches)
    print(*[process.pid for process in batches._batches._pool.processes], flush=True)
    {then}
"""


def run_script(then: str) -> tuple[subprocess.Popen[str], list[int]]:
    code = textwrap.dedent(SCRIPT).replace("{then}", then)
    root = Path(og.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def wait_gone(pids: list[int]) -> None:
    """Returns when none of the processes runs; the test's time limit is the only clock."""
    while any(_runs(pid) for pid in pids):
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("then", "sent", "to_group"),
    [
        ("next(batches); next(batches)", signal.SIGINT, True),
        ("time.sleep(600)", signal.SIGKILL, False),
        pytest.param("time.sleep(600)", signal.SIGINT, True, marks=pytest.mark.slow),
        pytest.param("time.sleep(600)", signal.SIGTERM, False, marks=pytest.mark.slow),
    ],
)
def test_no_worker_outlives_an_interrupted_script(then: str, sent: int, to_group: bool) -> None:
    process, pids = run_script(then)
    assert len(pids) == 2
    with process:
        (os.killpg if to_group else os.kill)(process.pid, sent)
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
    wait_gone(pids)
    if sent == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
        assert errors.count("Traceback") == 1  # nothing from the workers


@pytest.mark.parametrize("then", ["pass", pytest.param("del batches", marks=pytest.mark.slow)])
def test_no_hang_at_exit(then: str) -> None:
    process, pids = run_script(then)
    with process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    wait_gone(pids)


def test_how_workers_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(TensorDataset(np.arange(3)), None, 1, False)
    with pytest.raises(ArgumentError, match="this system has"):
        choose_context("thread", recipe, None)
    with pytest.raises(ArgumentTypeError, match="cannot be sent to a worker"):
        choose_context("spawn", recipe, lambda worker: None)
    if sys.platform != "linux":
        return
    for threads, function, method in [
        (1, None, "fork"),
        (2, None, "forkserver"),
        (2, lambda worker: None, "fork"),
    ]:
        running = [threading.main_thread()] * threads
        monkeypatch.setattr("threading.enumerate", lambda running=running: running)
        assert choose_context(None, recipe, function)[0].get_start_method() == method


class TensorSamples(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return og.ones(3) * index


def stack(samples: list[Any]) -> Any:
    return og.stack(samples)


def test_tensors_made_by_a_collate_function_in_a_worker_come_back() -> None:
    (og.ones(300, 300) @ og.ones(300, 300)).numpy()  # the parent has run plans before
    batches = list(loader_of(TensorSamples(), 1, batch_size=2, collate_fn=stack))
    assert type(batches[1]) is og.Tensor
    assert batches[1].tolist() == [[2] * 3, [3] * 3]
