"""The thread pool, and the native function that runs a plan on it.

Threads are made by `pthread_create` with native code as their start, so Python knows nothing of them. They stay awake for a
moment after a run and then sleep. Read next: `driver_text.py` (the code that they run), `program.py` (who calls it).
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import signal
import threading
from typing import Any, NamedTuple

from onegraph.backends.native.driver_text import CONDITION, MUTEX, POOL_WORDS, SPIN, STOP, WORKERS, driver_text
from onegraph.backends.native.memory import Block
from onegraph.config import settings
from onegraph.kernels.builder import build_objects, content_name
from onegraph.kernels.compile import load
from onegraph.kernels.target import host

Words = Any
"""A ctypes array of i64 over a block of memory."""


class Driver(NamedTuple):
    """The native functions. The callables let go of the GIL."""

    run: Any
    """run(job, pool, threads): all records of a job; gives the number of threads that met an error."""
    reserve: Any
    """reserve(pool): take the pool for good; gives 0 when somebody uses it."""
    worker: int
    """Address of what a thread of the pool runs."""


@functools.cache
def driver() -> Driver:
    """The driver for this processor, from the disk cache or compiled now."""
    target = host()
    prefix = content_name(driver_text(target.triple, "driver"), target)
    code = build_objects({prefix: driver_text(target.triple, prefix)}, target)[prefix]
    run, reserve, worker = load(code, f"{prefix}_run", f"{prefix}_reserve", f"{prefix}_worker")
    word, pointer = ctypes.c_int64, ctypes.c_void_p
    return Driver(ctypes.CFUNCTYPE(word, pointer, pointer, word)(run), ctypes.CFUNCTYPE(word, pointer)(reserve), worker)


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def words(block: Block, count: int) -> Words:
    """A block seen as i64 numbers."""
    return (ctypes.c_int64 * count).from_address(block.address)


class Pool:
    """Workers that wait for jobs.

    Args:
        workers: how many threads beside the one that calls.
    """

    def __init__(self, workers: int) -> None:
        self.workers = 0
        self.block = Block(POOL_WORDS * 8)
        self.words = words(self.block, POOL_WORDS)
        self.address = self.block.address
        library = _library()
        library.pthread_mutex_init(ctypes.c_void_p(self.address + MUTEX * 8), None)
        library.pthread_cond_init(ctypes.c_void_p(self.address + CONDITION * 8), None)
        self.words[SPIN] = settings.spin_microseconds * 1000
        self.threads: list[ctypes.c_void_p] = []
        self.arguments: list[Any] = []
        start = driver().worker
        create = library.pthread_create
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # signals are for Python's threads
        try:
            for number in range(1, workers + 1):
                argument = (ctypes.c_int64 * 2)(self.address, number)
                thread = ctypes.c_void_p()
                if create(ctypes.byref(thread), None, ctypes.c_void_p(start), argument) != 0:
                    break  # the system allows no more threads: fewer will do
                self.threads.append(thread)
                self.arguments.append(argument)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.workers = self.words[WORKERS] = len(self.threads)

    def stop(self) -> None:
        """End the threads. Nothing may run on the pool."""
        library = _library()
        mutex, condition = ctypes.c_void_p(self.address + MUTEX * 8), ctypes.c_void_p(self.address + CONDITION * 8)
        library.pthread_mutex_lock(mutex)
        self.words[STOP] = 1
        library.pthread_cond_broadcast(condition)
        library.pthread_mutex_unlock(mutex)
        for thread in self.threads:
            library.pthread_join(thread, None)
        self.threads = []


class _Pools:
    """The one pool of the process, made when first needed and again when the number of threads changes."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        self.wanted: tuple[int, int] = (0, 0)
        self._lock = threading.Lock()
        self._lost: list[Pool] = []

    def get(self, threads: int) -> Pool:
        """The pool for that many threads, the caller counted. Another size may come back while the old one is in use."""
        pool = self.pool
        wanted = (threads, settings.spin_microseconds)
        if pool is not None and self.wanted == wanted:
            return pool
        with self._lock:
            pool = self.pool
            if pool is None or (self.wanted != wanted and driver().reserve(pool.address)):
                if pool is not None:
                    pool.stop()
                pool = self.pool = Pool(threads - 1)
                self.wanted = wanted
            return pool

    def shut_down(self) -> None:
        """At the end of the process: no thread may run code when Python takes itself apart."""
        with self._lock:
            pool, self.pool = self.pool, None
            if pool is not None and driver().reserve(pool.address):
                pool.stop()

    def forget(self) -> None:
        """In a forked child: the threads are not there. Their memory is kept, for a lock in it may be held."""
        if self.pool is not None:
            self._lost.append(self.pool)
        self.pool = None
        self._lock = threading.Lock()


pools = _Pools()
atexit.register(pools.shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pools.forget)
