"""A thread that keeps a few batches ready: input work overlaps with native plans, which hold no GIL.

Read next: `loader.py`; for more than one thread's worth of work, `worker_pool.py`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from queue import Empty, Queue
from typing import Any

from onegraph.data.fetch import relocate

_JOIN_SECONDS = 5.0


class ThreadBatches:
    """The items of an iterator, made ahead by one thread.

    >>> list(ThreadBatches(iter("abc"), ahead=2))
    ['a', 'b', 'c']
    """

    def __init__(self, batches: Iterator[Any], ahead: int) -> None:
        self._queue: Queue[tuple[str, Any]] = Queue(maxsize=ahead)
        stop = threading.Event()
        # The thread knows the queue, not this object, so that an abandoned iterator can be collected.
        thread = threading.Thread(
            target=_produce, args=(batches, self._queue, stop), name="onegraph-prefetch", daemon=True
        )
        self._finalizer = weakref.finalize(self, _stop, thread, self._queue, stop, os.getpid())
        thread.start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._finalizer.alive:
            raise StopIteration
        try:
            kind, value = self._queue.get()
            if kind == "batch":
                return value
            if kind == "error":
                relocate(value)
                raise value
            raise StopIteration
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the thread after the batch it is at."""
        self._finalizer()


def _produce(batches: Iterator[Any], queue: Queue[tuple[str, Any]], stop: threading.Event) -> None:
    try:
        for batch in batches:
            if stop.is_set():
                return
            queue.put(("batch", batch))
        last: tuple[str, Any] = ("end", None)
    except BaseException as error:
        last = ("error", error)
    if not stop.is_set():
        queue.put(last)


def _stop(thread: threading.Thread, queue: Queue[tuple[str, Any]], stop: threading.Event, owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked copy: the thread is not here
    stop.set()
    # An empty queue has room for the one item the thread may still put before it sees the flag.
    with contextlib.suppress(Empty):
        while True:
            queue.get_nowait()
    if thread is not threading.current_thread():
        thread.join(_JOIN_SECONDS)
