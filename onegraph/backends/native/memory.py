"""Memory of plans: blocks from the system, the arenas that runs share, and results whose memory is used again.

Fresh memory is expensive: the system clears each page when it is first touched (0.25 ms a megabyte). So arenas go from
run to run, and the memory of a result goes to the next one of its shape when nobody can see it any more.
Read next: `arena.py`, which decides where in an arena a value lies.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.backends.native.available_memory import available_bytes
from onegraph.config import settings
from onegraph.errors import OutOfMemoryError
from onegraph.ir.dtype import DType

Array = np.ndarray[Any, Any]

ALIGNMENT = 64
_HUGE = 2 * 1024 * 1024
_MAPPED = 1024 * 1024
"""Blocks from this size on are pages of their own, which go back to the system when they are freed."""
_DOUBTED = 256 * 1024 * 1024
"""For blocks from this size on the system is asked what is left: it would grant them, and end the process at their use."""
_ALIGNED_RESULT = 16 * 1024
"""Results from this size on start at a cache line; smaller ones lie where NumPy puts them."""


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    library.mmap.restype, library.mmap.argtypes = pointer, [pointer, size, number, number, number, ctypes.c_long]
    library.munmap.argtypes = [pointer, size]
    library.mprotect.argtypes = library.madvise.argtypes = [pointer, size, number]
    library.posix_memalign.argtypes = [ctypes.POINTER(pointer), size, size]
    library.free.restype, library.free.argtypes = None, [pointer]
    return library


def _round(size: int, to: int) -> int:
    return -(-size // to) * to


def _no_memory(size: int, available: int | None = None) -> OutOfMemoryError:
    left = "" if available is None else f", of {available / 1e6:,.1f} MB that are left"
    return OutOfMemoryError(
        f"no memory for {size / 1e6:,.1f} MB that a compiled graph needs{left}",
        hint="lower the batch size or the sizes of the model",
    )


def _map(size: int) -> int:
    address = _library().mmap(
        None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    if address is None or address == ctypes.c_void_p(-1).value:
        raise _no_memory(size)
    return int(address)


class Block:
    """Memory that is given back when the block dies.

    Args:
        size: bytes. The memory starts at a multiple of 64; it is zero at first.

    Attributes:
        address, size: where it is.
    """

    __slots__ = ("__weakref__", "_free", "_mapping", "address", "size")

    def __init__(self, size: int) -> None:
        library = _library()
        if size >= _DOUBTED:
            available = available_bytes()
            if available is not None and size > available:
                raise _no_memory(size, available)
        self.size = size
        self._mapping = 0
        self._free: Callable[..., Any] = library.free
        if size >= _MAPPED:
            whole = _round(size, _HUGE) + _HUGE
            start = _map(whole)
            self.address = _round(start, _HUGE)
            end = self.address + _round(size, _HUGE)
            if self.address > start:
                library.munmap(start, self.address - start)
            if start + whole > end:
                library.munmap(end, start + whole - end)
            self._mapping = end - self.address
            self._free = library.munmap
            if hasattr(mmap, "MADV_HUGEPAGE"):  # far fewer entries in the processor's table of pages
                library.madvise(self.address, self._mapping, mmap.MADV_HUGEPAGE)
        else:
            place = ctypes.c_void_p()
            if library.posix_memalign(ctypes.byref(place), ALIGNMENT, max(_round(size, ALIGNMENT), ALIGNMENT)) != 0:
                raise _no_memory(size)
            assert place.value is not None
            self.address = place.value
            ctypes.memset(self.address, 0, size)

    def __del__(self) -> None:
        if hasattr(self, "address"):
            if self._mapping:
                self._free(self.address, self._mapping)
            else:
                self._free(self.address)


class GuardedBlock:
    """Memory that ends exactly where a page begins that nobody may touch: any access past its end stops the process.

    What it holds at first is all ones (NaN as a number), so that reading before writing shows.
    """

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self._length = _round(max(size, 1), page)
        self._start = _map(self._length + 2 * page)
        self.size = size
        self.address = self._start + page + self._length - size
        ctypes.memset(self._start + page, 0xFF, self._length)
        for at in (self._start, self._start + page + self._length):
            if _library().mprotect(at, page, 0) != 0:
                raise _no_memory(page)

    def __del__(self) -> None:
        if hasattr(self, "address"):
            _library().munmap(self._start, self._length + 2 * mmap.PAGESIZE)


def view(address: int, shape: tuple[int, ...], dtype: np.dtype[Any], owner: Any) -> Array:
    """An array over memory, which keeps the owner of the memory alive."""
    return np.asarray(_Exposed(address, shape, dtype, owner))


class _Exposed:
    """What NumPy asks for the place of an array. Views of the array refer to the array, since this is no array itself."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, False),
            "version": 3,
        }


class ArenaPool:
    """Blocks for the inner values of runs: taken when a run starts, given back when it ends.

    Hundreds of plans that run one after another share one block; two threads that run at once have two.
    """

    def __init__(self) -> None:
        self._idle: list[Block] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> Block:
        """A block of at least that size; what it holds is unknown."""
        with self._lock:
            best = None
            for block in self._idle:
                if block.size >= size and (best is None or block.size < best.size):
                    best = block
            if best is not None:
                self._idle.remove(best)
                return best
            if self._idle:  # too small: a larger one takes its place
                self._idle.remove(max(self._idle, key=lambda b: b.size))
        wanted = _round(size, _HUGE) if size >= _MAPPED else max(4096, 1 << (size - 1).bit_length())
        try:
            return Block(wanted)
        except OutOfMemoryError:
            self.clear()
            results.clear()
            return Block(wanted)

    def give(self, block: Block) -> None:
        """Give a block back."""
        with self._lock:
            self._idle.append(block)

    def clear(self) -> None:
        """Return all idle memory to the system."""
        with self._lock:
            self._idle.clear()

    @property
    def idle_bytes(self) -> int:
        """Bytes that no run uses now."""
        with self._lock:
            return sum(b.size for b in self._idle)

    def after_fork(self) -> None:
        """Another thread of the parent may have held the lock."""
        self._lock = threading.Lock()


class Shelf:
    """Idle memory for results of one shape and dtype."""

    __slots__ = ("dtype", "free", "pool", "references", "shape", "size", "used")

    def __init__(self, pool: ResultPool, shape: tuple[int, ...], dtype: DType) -> None:
        self.pool = pool
        self.shape = shape
        self.dtype = dtype
        self.size = dtype.itemsize
        for s in shape:
            self.size *= s
        self.free: list[tuple[Array, int]] = []
        self.used = 0
        self.references = sys.getrefcount  # buffers may outlive the modules' names

    def give(self, buffer: Buffer) -> None:
        """Called by a buffer as it dies: its memory comes back if nobody else can see it."""
        array, pool = buffer.array, self.pool
        pool.live_bytes -= self.size
        # The buffer's reference, the one here, and the argument of the call. Views count: they refer to the array.
        if self.references(array) == 3 and array.shape == self.shape:
            self.free.append((array, buffer.address))
            pool.idle_bytes += self.size
            if pool.idle_bytes > pool.live_bytes + pool.settings.recycled_bytes:
                pool.trim()


class ResultPool:
    """Memory of results: a buffer that dies with nobody else looking at its array leaves the array for the next one.

    Bounded: no more is kept than is alive, and `settings.recycled_bytes` beyond. The two counters are only updated in
    passing (two threads may miss a step), and put right whenever they matter.
    """

    def __init__(self) -> None:
        self._shelves: dict[tuple[tuple[int, ...], DType], Shelf] = {}
        self._lock = threading.RLock()  # a buffer may die while this thread holds it
        self._turn = 0
        self.settings = settings
        self.live_bytes = 0
        self.idle_bytes = 0

    def shelf(self, shape: tuple[int, ...], dtype: DType) -> Shelf:
        """The shelf for a shape and dtype."""
        with self._lock:
            shelf = self._shelves.get((shape, dtype))
            if shelf is None:
                shelf = self._shelves[shape, dtype] = Shelf(self, shape, dtype)
            return shelf

    def take(self, shelves: Sequence[Shelf]) -> list[Buffer]:
        """A buffer from each shelf; what they hold is unknown."""
        made = []
        idle = live = 0
        self._turn = turn = self._turn + 1
        for shelf in shelves:
            try:
                array, address = shelf.free.pop()
                idle += shelf.size
            except IndexError:
                array, address = self._new(shelf)
            shelf.used = turn
            live += shelf.size
            made.append(Buffer(array, shelf.dtype, address, shelf))
        self.live_bytes += live
        self.idle_bytes -= idle
        return made

    def _new(self, shelf: Shelf) -> tuple[Array, int]:
        if shelf.size < _ALIGNED_RESULT:
            array = np.empty(shelf.shape, shelf.dtype.numpy)
            return array, array.ctypes.data
        try:
            block = Block(shelf.size)
        except OutOfMemoryError:
            self.clear()
            block = Block(shelf.size)
        return view(block.address, shelf.shape, shelf.dtype.numpy, block), block.address

    def trim(self) -> None:
        """Return idle memory to the system, what was not used for longest first, until the rest is within bounds."""
        with self._lock:
            shelves = sorted(self._shelves.values(), key=lambda s: s.used)
            idle = sum(len(s.free) * s.size for s in shelves)
            limit = max(self.live_bytes, 0) + self.settings.recycled_bytes
            for shelf in shelves:
                while idle > limit and shelf.free:
                    try:  # noqa: SIM105  a result may die while Python ends, when imported modules are gone already
                        shelf.free.pop(0)
                    except IndexError:  # another thread took it
                        pass
                    idle -= shelf.size
            self.idle_bytes = idle

    def clear(self) -> None:
        """Return all idle memory to the system."""
        with self._lock:
            for shelf in self._shelves.values():
                shelf.free.clear()
            self.idle_bytes = 0

    def after_fork(self) -> None:
        """Another thread of the parent may have held the lock."""
        self._lock = threading.RLock()


arenas = ArenaPool()
results = ResultPool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=arenas.after_fork)
    os.register_at_fork(after_in_child=results.after_fork)
