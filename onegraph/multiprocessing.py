"""Names of `torch.multiprocessing`: Python's own `multiprocessing`, and `spawn`.

Tensors go to another process as copies: they have values and no storage that two processes could write to. Training
several processes on the same weights without locks (Hogwild) is therefore not possible; send gradients or weights through
a queue instead.
"""

from __future__ import annotations

import multiprocessing as _multiprocessing
from collections.abc import Callable
from multiprocessing import (
    Array,
    Barrier,
    Condition,
    Event,
    JoinableQueue,
    Lock,
    Manager,
    Pipe,
    Pool,
    Process,
    Queue,
    RLock,
    Semaphore,
    SimpleQueue,
    Value,
    active_children,
    cpu_count,
    current_process,
    freeze_support,
    get_all_start_methods,
    get_context,
    get_start_method,
    parent_process,
    set_start_method,
)
from typing import Any

from onegraph.errors import ArgumentError, OneGraphError

__all__ = [
    "Array", "Barrier", "Condition", "Event", "JoinableQueue", "Lock", "Manager", "Pipe", "Pool", "Process", "ProcessContext",
    "ProcessRaisedException", "Queue", "RLock", "Semaphore", "SimpleQueue", "Value", "active_children", "cpu_count",
    "current_process", "freeze_support", "get_all_sharing_strategies", "get_all_start_methods", "get_context",
    "get_sharing_strategy", "get_start_method", "parent_process", "set_sharing_strategy", "set_start_method", "spawn",
    "start_processes",
]  # fmt: skip


def get_all_sharing_strategies() -> set[str]:
    """The ways in which tensors go to another process: as copies."""
    return {"copy"}


def get_sharing_strategy() -> str:
    """The way in which tensors go to another process: as copies."""
    return "copy"


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted: tensors go as copies, which need no open files."""


class ProcessRaisedException(OneGraphError):
    """A process that `spawn` started raised an error; the message has its traceback."""


def _run(fn: Callable[..., Any], i: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        import sys
        import traceback

        errors.put((i, traceback.format_exc()))
        errors.close()
        errors.join_thread()
        sys.exit(1)


class ProcessContext:
    """Processes that `spawn(join=False)` started."""

    def __init__(self, processes: list[Any], errors: Any) -> None:
        self.processes, self._errors = processes, errors

    def pids(self) -> list[int]:
        """Their numbers."""
        return [p.pid for p in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all; gives whether all have ended.

        Raises:
            ProcessRaisedException: one of them raised an error, or was killed; the others are ended.
        """
        from multiprocessing.connection import wait

        running = {p.sentinel: p for p in self.processes}
        while running:
            ready = wait(list(running), timeout)
            if not ready:
                return False
            for sentinel in ready:
                process = running.pop(sentinel)  # type: ignore[index]
                process.join()
                if process.exitcode:
                    for other in running.values():
                        other.terminate()
                        other.join()
                    raise ProcessRaisedException(self._reason(process))
        return True

    def _reason(self, process: Any) -> str:
        index = self.processes.index(process)
        try:
            number, text = self._errors.get(timeout=1)
            return f"process {number} ended with this error:\n{text}"
        except Exception:
            return f"process {index} ended with exit code {process.exitcode}"


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Start `nprocs` processes that call `fn(i, *args)`, i from 0 on.

    Args:
        fn: a function at the top level of a module, so that another process finds it.
        args: its further arguments; tensors are copied.
        nprocs: how many.
        join: wait for all, and raise when one fails; otherwise a `ProcessContext` is returned.
        daemon: end them when this process ends.
        start_method: 'spawn', 'fork' or 'forkserver'.

    Raises:
        ProcessRaisedException: one of them raised an error; the message has its traceback.
    """
    if not isinstance(nprocs, int) or nprocs < 1:
        raise ArgumentError(f"spawn: nprocs must be an int of at least 1, got {nprocs!r}")
    context = _multiprocessing.get_context(start_method)
    errors = context.Queue()
    processes: list[Any] = []
    for i in range(nprocs):
        process = context.Process(target=_run, args=(fn, i, args, errors), daemon=daemon)  # type: ignore[attr-defined]
        process.start()
        processes.append(process)
    started = ProcessContext(processes, errors)
    if not join:
        return started
    started.join()
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """As `start_processes`."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
