"""The main process's side of worker processes: start them, hand out batches, keep the order, end them.

No wait is without an end: a dead worker, a timeout and Ctrl-C all lead to an error or an exit, and the
workers never outlive the loader. Read next: `loader.py`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from typing import Any

from onegraph.data import transport
from onegraph.data.fetch import Recipe, relocate
from onegraph.data.worker import (
    MakeBatch,
    RemoteError,
    Reply,
    StartEpoch,
    WorkerError,
    WorkerInfo,
    worker_main,
)
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError

_JOIN_SECONDS = 2.0


class WorkerPool:
    """Worker processes with one connection each.

    Args:
        recipe: how to make a batch.
        num_workers: how many processes, at least 1.
        seed: base of the workers' seeds.
        timeout: seconds to wait for a batch, 0 for ever.
        init_function: called in each worker with its number, or None.
        context: a multiprocessing context, its name, or None to choose (see `choose_context`).
    """

    def __init__(
        self,
        recipe: Recipe,
        num_workers: int,
        seed: int,
        timeout: float = 0,
        init_function: Callable[[int], Any] | None = None,
        context: Any = None,
    ) -> None:
        self.is_stream = recipe.is_stream
        self.timeout = timeout
        self._generation = -1
        chosen, payload = choose_context(context, recipe, init_function)
        self.start_method = chosen.get_start_method()
        self.processes: list[Any] = []
        self._connections: list[Connection] = []
        self._finalizer = weakref.finalize(self, _end, self.processes, self._connections, os.getpid())
        try:
            for number in range(num_workers):
                self._start(chosen, payload, WorkerInfo(number, num_workers, seed + number, None), init_function)
        except BaseException:
            self.close()
            raise

    def _start(self, context: Any, payload: Any, info: WorkerInfo, init_function: Any) -> None:
        ours, theirs = context.Pipe(duplex=True)
        self._connections.append(ours)
        forked = self.start_method == "fork"
        inherited = list(self._connections) if forked else []
        process = context.Process(
            target=worker_main,
            args=(theirs, inherited, payload, info, init_function if forked else None),
            name=f"onegraph-data-worker-{info.id}",
            daemon=True,
        )
        # What is sent refers to nothing in the main script: then a new process need not run it again, guarded or not.
        hidden = isinstance(payload, bytes) and b"__main__" not in payload
        with theirs, warnings.catch_warnings(), _hidden_script() if hidden else contextlib.nullcontext():
            # Python 3.12 warns of forking with threads; workers touch nothing that those may hold.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            process.start()
        self.processes.append(process)

    def __len__(self) -> int:
        return len(self.processes)

    @property
    def closed(self) -> bool:
        """Whether the workers have been ended."""
        return not self._finalizer.alive

    def start_epoch(self, epoch: int) -> int:
        """Begin an epoch in all workers; replies of earlier ones are dropped from now on."""
        self._generation += 1
        for worker in range(len(self)):
            self.send(worker, StartEpoch(self._generation, epoch))
        return self._generation

    def send(self, worker: int, task: Any) -> None:
        """Give a worker a task; it is read at once by a thread there."""
        try:
            self._connections[worker].send(task)
        except OSError as error:
            raise self._death(worker) from error

    def receive(self, generation: int) -> list[tuple[int, Reply]]:
        """Wait for replies of this generation; at least one, from any workers.

        Raises:
            WorkerError: a worker died, or none answered within the timeout.
            DataError: a newer iterator has taken the workers over.
        """
        if generation != self._generation:
            raise DataError("this iterator ended when the loader, which has persistent workers, was iterated again")
        deadline = time.monotonic() + self.timeout if self.timeout > 0 else None
        sentinels = {process.sentinel: worker for worker, process in enumerate(self.processes)}
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = mp_connection.wait([*self._connections, *sentinels], left)
            if not ready:
                raise WorkerError(
                    f"no batch from {len(self)} data workers within timeout={self.timeout:g} seconds",
                    hint="raise timeout=, or look with num_workers=0 for what makes the data set slow",
                )
            replies = []
            for worker, connection in enumerate(self._connections):
                if connection in ready:
                    reply = self._receive_one(worker)
                    if reply.generation == generation:
                        replies.append((worker, reply))
            if replies:
                return replies
            for sentinel, worker in sentinels.items():
                if sentinel in ready and not self._connections[worker].poll():
                    raise self._death(worker)

    def _receive_one(self, worker: int) -> Reply:
        try:
            return transport.receive(self._connections[worker])
        except (EOFError, OSError, RuntimeError) as error:
            raise self._death(worker) from error

    def _death(self, worker: int) -> WorkerError:
        """The error for a worker that is gone; ends the others."""
        process = self.processes[worker]
        process.join(_JOIN_SECONDS)
        code = process.exitcode
        ending = f"ended with exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                ending = f"was killed by {signal.Signals(-code).name}"
        self.close()
        hint = "its own last words, if any, are on standard error"
        if code == -signal.SIGKILL:
            hint = "the system kills processes when memory runs out: use fewer workers or smaller batches"
        elif self.start_method != "fork":
            hint = (
                "workers import the main script: guard its work with if __name__ == '__main__':, or pass "
                "multiprocessing_context='fork'"
            )
        return WorkerError(
            f"data worker {worker} (process {process.pid}) {ending} before its batch was ready", hint=hint
        )

    def close(self) -> None:
        """End all workers and wait until they are gone. May be called more than once."""
        self._finalizer()


class WorkerBatches:
    """The batches of one epoch from a pool, in order.

    Args:
        pool: the workers.
        epoch: the epoch's number, passed to the data set.
        tasks: (number, indices) of each batch; for a stream, an endless supply.
        prefetch_factor: batches under way for each worker.
        owns_pool: end the workers with the epoch.
    """

    def __init__(
        self,
        pool: WorkerPool,
        epoch: int,
        tasks: Iterator[tuple[int, Any]],
        prefetch_factor: int,
        owns_pool: bool,
    ) -> None:
        self._pool, self._tasks, self._owns_pool = pool, tasks, owns_pool
        self._generation = pool.start_epoch(epoch)
        self._active = list(range(len(pool)))  # workers whose stream is not exhausted
        self._next_worker = 0
        self._turns = [0] * len(pool)
        self._order: list[int] = []  # numbers handed out and not yet given to the user, oldest first
        self._replies: dict[int, tuple[int, Reply]] = {}
        self._wanted = prefetch_factor * len(pool)
        self._hand_out()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._next()
        except StopIteration:
            self.close()
            raise
        except BaseException:
            # An error or Ctrl-C may have left a message half read: start afresh next time.
            self._pool.close()
            raise

    def _next(self) -> Any:
        while self._order:
            number = self._order[0]
            while number not in self._replies:
                for worker, reply in self._pool.receive(self._generation):
                    self._replies[reply.number] = (worker, reply)
            worker, reply = self._replies.pop(self._order.pop(0))
            if reply.kind == "end" and worker in self._active:
                self._retire(worker)
            self._hand_out()
            if reply.kind == "batch":
                return reply.value
            if reply.kind == "error":
                _raise_remote(reply.value, worker, self._pool.processes[worker].pid)
        raise StopIteration

    def _retire(self, worker: int) -> None:
        """Take an exhausted worker out of the rotation without changing whose turn is next."""
        place = self._active.index(worker)
        self._active.remove(worker)
        if place < self._next_worker:
            self._next_worker -= 1

    def _hand_out(self) -> None:
        while self._active and len(self._order) < self._wanted:
            number, indices = next(self._tasks, (None, None))
            if number is None:
                return
            self._next_worker %= len(self._active)
            worker = self._active[self._next_worker]
            self._next_worker += 1
            self._pool.send(worker, MakeBatch(number, self._turns[worker], indices))
            self._turns[worker] += 1
            self._order.append(number)

    def close(self) -> None:
        """End the epoch, and the workers if they are of this epoch alone."""
        self._tasks = iter(())
        if self._owns_pool:
            self._pool.close()


def choose_context(context: Any, recipe: Recipe, init_function: Any) -> tuple[Any, Any]:
    """The way to start workers, and what to send them.

    On Linux workers are forked: quick, and anything defined in a script or notebook works. If other
    Python threads run, one of which could hold a lock at that moment, and everything can be imported
    by name, a fork server is used instead. Elsewhere the platform's default.

    Raises:
        ArgumentError: a name that is no start method.
        ArgumentTypeError: the data set, or a function, cannot be sent to a new process.
    """
    payload: Any = None
    if context is None and sys.platform == "linux":
        context = "fork"
        if _other_threads():
            with contextlib.suppress(Exception):
                payload = pickle.dumps((recipe, init_function), protocol=5)
                context = "fork" if b"__main__" in payload else "forkserver"
    if context is None or isinstance(context, str):
        try:
            context = multiprocessing.get_context(context)
        except ValueError as error:
            methods = ", ".join(multiprocessing.get_all_start_methods())
            raise ArgumentError(f"multiprocessing_context={context!r}: this system has {methods}") from error
    if context.get_start_method() == "fork":
        return context, recipe
    if payload is None:
        try:
            payload = pickle.dumps((recipe, init_function), protocol=5)
        except Exception as error:
            raise ArgumentTypeError(
                f"the data set, collate_fn or worker_init_fn cannot be sent to a worker: {error}",
                hint="define them at the top level of a module (no lambdas), or use num_workers=0",
            ) from error
    return context, payload


@contextlib.contextmanager
def _hidden_script() -> Iterator[None]:
    """Keep `multiprocessing` from telling new processes to run the main script again."""
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    if "__file__" in before:
        del main.__file__
    main.__spec__ = None
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)


def _other_threads() -> bool:
    """Whether a thread runs that could hold a lock which a worker will want."""
    # tqdm starts a thread that looks at progress bars every ten seconds, and touches nothing that workers use.
    others = [thread for thread in threading.enumerate() if type(thread).__module__ != "tqdm._monitor"]
    return len(others) > 1


def _raise_remote(remote: RemoteError, worker: int, pid: int | None) -> None:
    """Raise a worker's exception here, as the type it had there, with its traceback as a note."""
    error: BaseException
    if remote.pickled is None:
        error = WorkerError(f"in data worker {worker}: {remote.summary}")
    else:
        error = pickle.loads(remote.pickled)
        relocate(error)
    error.add_note(f"in data worker {worker} (process {pid}):\n{remote.traceback}")
    raise error


def _end(processes: list[Any], connections: list[Connection], owner: int) -> None:
    """Stop the workers: ask, close the connection, then terminate, then kill."""
    if os.getpid() != owner:
        return  # a forked copy of the pool: not ours to end
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.send(None)
        connection.close()
    for stop in (None, "terminate", "kill"):
        deadline = time.monotonic() + _JOIN_SECONDS
        for process in processes:
            if stop is not None and process.is_alive():
                getattr(process, stop)()
            process.join(max(0.0, deadline - time.monotonic()))
