"""Where the time goes, with PyTorch's names: `profile`, `record_function`, `key_averages().table()`, Chrome traces.

A thin layer over the recorder of the native backend (`backends/native/profile.py`), which notes when each kernel ran on
each thread. Kernels carry the names of the operations that they compute. The reference backend has no kernels; there, only
what `record_function` marks is seen. For a table with your own lines of code, see `onegraph explain --profile`.
"""

from __future__ import annotations

import contextlib
import enum
import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from onegraph.backends.native.machine_limits import Limits, machine_limits
from onegraph.backends.native.profile import Recorder, profiling
from onegraph.errors import ArgumentError, StateError


class ProfilerActivity(enum.Enum):
    """What is recorded. Only the processor's kernels are, whatever is asked for."""

    CPU = 0
    CUDA = 1


@dataclass(frozen=True)
class FunctionEventAvg:
    """All calls of one kernel, or of one marked part of a program.

    Attributes:
        key: its name.
        count: how often it ran.
        cpu_time_total: microseconds of all calls together, from the first thread's start to the last one's end.
        flops, bytes: operations, and bytes that must move at least, of all calls; 0 where they are not known.
        marked: whether it is a part that `record_function` marks, not a kernel.
    """

    key: str
    count: int
    cpu_time_total: float
    flops: int = 0
    bytes: int = 0
    marked: bool = False

    @property
    def cpu_time(self) -> float:
        """Microseconds of one call, on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of kernels; 0 for marked parts, whose kernels are counted by themselves."""
        return 0.0 if self.marked else self.cpu_time_total

    def share_of_limit(self, limits: Limits) -> float:
        """Time that the machine would need at its best, over the time that it took."""
        best = max(self.flops / limits.flops, self.bytes / limits.bytes) * 1e6
        return best / self.cpu_time_total if self.cpu_time_total > 0 else 0.0


_SORTS: dict[str, Callable[[FunctionEventAvg], Any]] = {
    "cpu_time_total": lambda e: -e.cpu_time_total,
    "self_cpu_time_total": lambda e: -e.self_cpu_time_total,
    "cpu_time": lambda e: -e.cpu_time,
    "count": lambda e: -e.count,
    "flops": lambda e: -e.flops,
    "key": lambda e: e.key,
}


class EventList(list[FunctionEventAvg]):
    """Averages by name, which print as a table."""

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all kernels together."""
        return sum(e.self_cpu_time_total for e in self)

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_name_column_width: int = 55, **ignored: Any
    ) -> str:
        """The averages as text.

        Args:
            sort_by: "cpu_time_total" (as given, unless said otherwise), "cpu_time", "count", "flops" or "key".
            row_limit: how many rows; -1 for all.
            max_name_column_width: longer names are cut.

        Raises:
            ArgumentError: `sort_by` is something else.
        """
        if sort_by is not None and sort_by not in _SORTS:
            raise ArgumentError(f"table: sort_by is {sort_by!r}", hint=f"it may be {', '.join(_SORTS)}")
        rows = list(self) if sort_by is None else sorted(self, key=_SORTS[sort_by])
        rows = rows if row_limit < 0 else rows[:row_limit]
        limits = machine_limits()
        total = self.self_cpu_time_total or 1.0
        names = [_cut(e.key, max_name_column_width) for e in rows]
        width = max([4, *map(len, names)])
        lines = [f"{'Name':{width}}  # of Calls  CPU total (us)  CPU time avg (us)   CPU %  GFLOP/s    GB/s  of limit"]
        for name, e in zip(names, rows, strict=True):
            time_ = max(e.cpu_time_total, 1e-3)
            lines.append(
                f"{name:{width}}  {e.count:10}  {e.cpu_time_total:14.1f}  {e.cpu_time:17.1f}  {e.self_cpu_time_total / total:6.1%}"
                f"  {e.flops / time_ / 1e3:7.1f}  {e.bytes / time_ / 1e3:6.1f}  {e.share_of_limit(limits):8.0%}"
            )
        lines.append(f"CPU time total: {self.self_cpu_time_total / 1e3:.3f} ms")
        return "\n".join(lines)


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 3] + "..."


@dataclass(frozen=True)
class _Mark:
    name: str
    thread: int
    start: int
    end: int


class profile:
    """Record what runs inside of a `with` block, on all threads.

    Args:
        activities, record_shapes, profile_memory, with_stack, with_flops, with_modules and the last six: accepted; kernels
            are recorded with their operations and bytes in any case.
        schedule: says for each step (counted by `step()`) what to do, as `schedule(...)` makes it.
        on_trace_ready: called with this object when a cycle of the schedule, or the block, is over.

    Blocks may not be nested.

    >>> import onegraph as og
    >>> from onegraph.profiler import profile, record_function
    >>> with og.config.using(backend="native"), profile() as prof:
    ...     with record_function("mine"):
    ...         y = (og.ones(64, 64) @ og.ones(64, 64)).sum().item()
    >>> sorted({e.key for e in prof.key_averages()} & {"mine", "matmul"})
    ['matmul', 'mine']
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.recorder = Recorder()
        self.marks: list[_Mark] = []
        self._context: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, without a `with`.

        Raises:
            StateError: another profile runs.
        """
        global _current
        if _current is not None:
            raise StateError("a profile runs already", hint="end it before you begin another one")
        _current = self
        self._turn(self._action())

    def stop(self) -> None:
        """End."""
        global _current
        if _current is not self:
            return
        recorded = self.recording
        self._turn(ProfilerAction.NONE)
        _current = None
        if recorded and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """The next step of the schedule begins."""
        done = self._action() is ProfilerAction.RECORD_AND_SAVE
        if done and self.on_trace_ready is not None:
            self._turn(ProfilerAction.NONE)
            self.on_trace_ready(self)
        self.step_num += 1
        action = self._action()
        if done and action is not ProfilerAction.NONE:
            self._turn(ProfilerAction.NONE)
        self._turn(action)

    def _action(self) -> ProfilerAction:
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num)

    def _turn(self, action: ProfilerAction) -> None:
        """Switch the recorder on or off."""
        on = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if on and self._context is None:
            self._context = contextlib.ExitStack()
            self.recorder = self._context.enter_context(profiling())
            self.marks = []
        elif not on and self._context is not None:
            self._context.close()
            self._context = None

    @property
    def recording(self) -> bool:
        """Whether kernels are recorded now."""
        return self._context is not None

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """One entry a kernel and one a marked part, the longest first."""
        marks: dict[str, list[int]] = {}
        for mark in self.marks:
            marks.setdefault(mark.name, []).append(mark.end - mark.start)
        found = [FunctionEventAvg(r.name, r.calls, r.seconds * 1e6, r.flops, r.bytes) for r in self.recorder.rows()]
        found += [FunctionEventAvg(name, len(times), sum(times) / 1e3, marked=True) for name, times in marks.items()]
        return EventList(sorted(found, key=lambda e: -e.cpu_time_total))

    def chrome_trace(self) -> dict[str, Any]:
        """Events for chrome://tracing or ui.perfetto.dev: a bar for each kernel and thread, and for each marked part."""
        trace = self.recorder.chrome_trace()
        for m in self.marks:
            place = {"pid": os.getpid(), "tid": f"python {m.thread}"}
            event = {
                "name": m.name,
                "ph": "X",
                **place,
                "ts": m.start / 1e3,
                "dur": (m.end - m.start) / 1e3,
                "args": {},
            }
            trace["traceEvents"].append(event)
        return trace

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events to a file."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.chrome_trace(), file)


_current: profile | None = None


class record_function(contextlib.ContextDecorator):
    """Mark a part of a program, as a `with` block or a decorator; it shows up in the table and in the trace.

    Tensors are lazy: what is marked is the time of this Python code, with the plans that it ran. Look at a result (or call
    `optimizer.step()`) inside of the block to have its kernels there.
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._starts: list[int] = []

    def __enter__(self) -> Self:
        self._starts.append(time.monotonic_ns())  # the clock of the native code
        return self

    def __exit__(self, *error: object) -> None:
        start = self._starts.pop()
        current = _current
        if current is not None and current.recording:
            current.marks.append(_Mark(self.name, threading.get_native_id(), start, time.monotonic_ns()))


class ProfilerAction(enum.Enum):
    """What a schedule asks for in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """For `profile`: skip some steps, then again and again wait, warm up, and record; `repeat` times if it is not 0.
    With `skip_first_wait` the first cycle does not wait.

    >>> plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [plan(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ArgumentError("schedule: numbers of steps must not be negative, and `active` must be at least 1")
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        number = step - skip_first
        if number < 0:
            return ProfilerAction.NONE
        number += wait if skip_first_wait else 0
        if repeat and number >= repeat * cycle:
            return ProfilerAction.NONE
        place = number % cycle
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str | os.PathLike[str],
    worker_name: str | None = None,
    use_gzip: bool = False,
    use_python_export: bool = False,
) -> Callable[[profile], None]:
    """For `on_trace_ready`: write each trace to a file of its own in a folder; with `use_gzip` a compressed one."""

    def handle(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = worker_name or f"{os.uname().nodename}_{os.getpid()}"
        path = os.path.join(dir_name, f"{name}.{time.time_ns()}.pt.trace.json")
        prof.export_chrome_trace(path)
        if use_gzip:
            with open(path, "rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
                packed.write(plain.read())
            os.remove(path)

    return handle
