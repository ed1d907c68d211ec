"""`onegraph.profiler` has PyTorch's names and tells what ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import onegraph as og
from onegraph.errors import ArgumentError, StateError
from onegraph.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


@pytest.fixture(autouse=True)
def _native() -> Iterator[None]:
    with og.config.using(backend="native"):
        yield


def work(times: int = 1) -> None:
    for _ in range(times):
        (og.ones(32, 40) @ og.ones(40, 24)).sum().item()


def test_averages_count_calls() -> None:
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        work(3)
    averages = {e.key: e for e in prof.key_averages()}
    matmul = averages["matmul"]
    assert matmul.count == 3 and matmul.flops == 3 * 2 * 32 * 40 * 24
    assert matmul.cpu_time_total > 0 and matmul.cpu_time == pytest.approx(matmul.cpu_time_total / 3)
    totals = [e.cpu_time_total for e in prof.key_averages()]
    assert totals == sorted(totals, reverse=True)
    assert prof.key_averages().self_cpu_time_total == pytest.approx(sum(totals))


def test_the_table() -> None:
    with profile() as prof, record_function("a part with a long name"):
        work()
    averages = prof.key_averages()
    (mark,) = [e for e in averages if e.marked]
    assert mark.self_cpu_time_total == 0 and averages.self_cpu_time_total > 0
    table = averages.table(sort_by="cpu_time_total", row_limit=10)
    assert "# of Calls" in table and "matmul" in table and "a part with a long name" in table
    assert averages.table(row_limit=1).count("\n") == 2
    assert "a part ..." in averages.table(max_name_column_width=10)
    names = [line.split()[0] for line in averages.table(sort_by="key").splitlines()[1:-1]]
    assert names == sorted(names)
    with pytest.raises(ArgumentError, match="sort_by"):
        averages.table(sort_by="nonsense")


def test_nothing_outside_of_the_block_is_recorded() -> None:
    work()
    with profile() as prof:
        pass
    with record_function("outside"):
        work()
    assert prof.key_averages() == []


def test_the_chrome_trace(tmp_path: Path) -> None:
    @record_function("decorated")
    def part() -> None:
        work()

    with profile() as prof:
        part()
    prof.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    (mark,) = [e for e in events if e["name"] == "decorated"]
    kernels = [e for e in events if e["name"] == "matmul"]
    assert kernels
    for kernel in kernels:  # on one clock
        assert mark["ts"] <= kernel["ts"] and kernel["ts"] + kernel["dur"] <= mark["ts"] + mark["dur"]


def test_profiles_do_not_nest() -> None:
    with profile(), pytest.raises(StateError, match="runs already"):
        profile().start()
    with profile() as prof:  # the first one ended well
        work()
    assert prof.key_averages()


def test_a_schedule_records_some_steps(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def ready(prof: profile) -> None:
        seen.append([e.count for e in prof.key_averages() if e.key == "matmul"])

    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
        for _ in range(12):
            work()
            prof.step()
    assert seen == [[2], [2]]


def test_a_schedule_without_waiting_records_each_cycle() -> None:
    seen: list[int] = []
    ready = lambda prof: seen.append(sum(e.count for e in prof.key_averages() if e.key == "matmul"))  # noqa: E731
    with profile(schedule=schedule(wait=0, warmup=0, active=2), on_trace_ready=ready) as prof:
        for _ in range(4):
            work()
            prof.step()
    assert seen[:2] == [2, 2]


def test_schedules_are_checked() -> None:
    assert schedule(wait=0, warmup=0, active=1, skip_first=2)(1) is ProfilerAction.NONE
    with pytest.raises(ArgumentError, match="active"):
        schedule(wait=0, warmup=0, active=0)


def test_traces_for_tensorboard(tmp_path: Path) -> None:
    with profile(on_trace_ready=tensorboard_trace_handler(tmp_path / "log", "me")):
        work()
    (found,) = (tmp_path / "log").iterdir()
    assert found.name.startswith("me.") and found.name.endswith(".pt.trace.json")
    assert json.loads(found.read_text())["traceEvents"]


def test_threads_are_a_setting() -> None:
    before = og.get_num_threads()
    try:
        og.set_num_threads(3)
        assert og.get_num_threads() == 3 == og.config.settings.threads
        with pytest.raises(ArgumentError, match="at least 1"):
            og.set_num_threads(0)
    finally:
        og.set_num_threads(before)
