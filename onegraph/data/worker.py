"""What runs inside a worker process: read tasks, make batches, send them back.

A thread reads the tasks, so that the main process never blocks on sending one, and ends the process
when the main process is gone, however it went. Read next: `worker_pool.py`, the other side.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from onegraph.data import transport
from onegraph.data.fetch import END_OF_STREAM, Fetcher, Recipe
from onegraph.data.philox import PURPOSE_WORKER, RandomStream
from onegraph.errors import DataError

_PARENT_CHECK_SECONDS = 2.0
_GRACE_SECONDS = 0.5  # for user code that is busy when the worker must end


@dataclass
class WorkerInfo:
    """Which worker this process is: `id` of `num_workers`, its `seed`, its copy of `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class StartEpoch(NamedTuple):
    """Forget the batches of earlier epochs and begin this one."""

    generation: int
    epoch: int


class MakeBatch(NamedTuple):
    """Make batch `number` of the epoch from `indices`; `turn` counts the batches of this worker."""

    number: int
    turn: int
    indices: Any


class Reply(NamedTuple):
    """`kind` is "batch", "end" (this worker's stream is exhausted) or "error"."""

    generation: int
    number: int
    kind: str
    value: Any


class RemoteError(NamedTuple):
    """An exception on its way to the main process; `pickled` is None if it does not survive pickling."""

    pickled: bytes | None
    summary: str
    traceback: str


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process its `WorkerInfo`, in the main process None.

    >>> get_worker_info() is None
    True
    """
    return _worker_info


def worker_main(
    connection: Connection,
    inherited: Sequence[Connection],
    payload: Recipe | bytes,
    info: WorkerInfo,
    init_function: Callable[[int], Any] | None,
) -> None:
    """Serve one main process until it says stop, closes the connection or dies."""
    global _worker_info
    for other in inherited:
        other.close()  # a forked copy would hide the end of the main process from its workers
    # Ctrl-C reaches the whole process group: the main process decides. Handlers it had set are not ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tasks: SimpleQueue[Any] = SimpleQueue()
    finished = threading.Event()
    threading.Thread(target=_read_tasks, args=(connection, tasks, finished), daemon=True).start()
    try:
        if isinstance(payload, bytes):
            recipe, init_function = pickle.loads(payload)
        else:
            recipe = payload
        info.dataset = recipe.dataset
        _worker_info = info
        _serve(connection, tasks, recipe, info, init_function)
    finally:
        finished.set()


def _read_tasks(connection: Connection, tasks: SimpleQueue[Any], finished: threading.Event) -> None:
    parent = os.getppid()
    while True:
        try:
            if not connection.poll(_PARENT_CHECK_SECONDS):
                if os.getppid() != parent:
                    break
                continue
            task = connection.recv()
        except (EOFError, OSError):
            break
        if task is None:
            break
        tasks.put(task)
    tasks.put(None)
    if not finished.wait(_GRACE_SECONDS):
        os._exit(1)


def _serve(
    connection: Connection,
    tasks: SimpleQueue[Any],
    recipe: Recipe,
    info: WorkerInfo,
    init_function: Callable[[int], Any] | None,
) -> None:
    broken: RemoteError | None = None  # a failed start is reported with the first batch
    try:
        _seed_global_generators(info.seed, 0, 0)
        if init_function is not None:
            init_function(info.id)
    except Exception as error:
        broken = encode_error(error)
    generation, epoch, fetcher = -1, 0, None
    while (task := tasks.get()) is not None:
        if isinstance(task, StartEpoch):
            generation, epoch = task
            try:
                fetcher = Fetcher(recipe, epoch)
            except Exception as error:
                broken = encode_error(error)
            continue
        if broken is not None or fetcher is None:
            reply = Reply(generation, task.number, "error", broken)
        else:
            reply = _reply(generation, epoch, task, fetcher, info)
        if not _send(connection, reply):
            return


def _reply(generation: int, epoch: int, task: MakeBatch, fetcher: Fetcher, info: WorkerInfo) -> Reply:
    if fetcher.recipe.is_stream:
        _seed_global_generators(info.seed, epoch, task.turn)
    else:  # by batch, whoever makes it: the same for any number of workers and after a resume
        _seed_global_generators(info.seed - info.id, epoch, task.number)
    try:
        value = fetcher.fetch(task.number, task.indices)
    except Exception as error:
        return Reply(generation, task.number, "error", encode_error(error))
    if value is END_OF_STREAM:
        return Reply(generation, task.number, "end", None)
    return Reply(generation, task.number, "batch", value)


def _send(connection: Connection, reply: Reply) -> bool:
    """Whether the main process is still there to receive."""
    try:
        transport.send(connection, reply)
    except (BrokenPipeError, ConnectionResetError):
        return False
    except Exception as error:
        error.add_note(f"while sending batch {reply.number} to the main process")
        transport.send(connection, reply._replace(kind="error", value=encode_error(error)))
    return True


def _seed_global_generators(seed: int, epoch: int, index: int) -> None:
    """Data sets that use `random` or `numpy.random` without a seed of their own repeat, too."""
    words = RandomStream(seed, PURPOSE_WORKER, epoch, index).words(2).view(np.uint32)
    np.random.seed(words)
    random.seed(words.tobytes())


def encode_error(error: Exception) -> RemoteError:
    """An exception with its traceback as text, and itself if it survives pickling."""
    text = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps(error)
        survives = type(pickle.loads(pickled)) is type(error)
    except Exception:
        survives = False
    summary = traceback.format_exception_only(error)[0].strip()
    return RemoteError(pickled if survives else None, summary, text)


class WorkerError(DataError):
    """A worker process died, did not answer in time, or failed with an error that cannot be sent."""
