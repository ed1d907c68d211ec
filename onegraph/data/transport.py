"""Messages from a worker to the main process; large arrays travel in shared memory without a name.

Pickle protocol 5 takes the arrays out of a message. Where the system has `memfd_create` (Linux), they
are written to an anonymous memory file whose descriptor is passed over the socket: one copy, nothing
under /dev/shm that could be left behind or be too small, and the memory goes when the last array does.
Elsewhere they follow the message through the pipe. Read next: `worker.py`, `worker_pool.py`.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from onegraph.data.collate import array_of, is_tensor, to_tensor

SHARED_FROM_BYTES = 64 * 1024  # below this the pipe is quicker than making and mapping a file
_ALIGNMENT = 64  # of each array in the shared file: a cache line, and the widest vector
_HAS_MEMORY_FILES = hasattr(os, "memfd_create")


class _BatchPickler(pickle.Pickler):
    """Sends a Tensor made by a user's collate function as its values."""

    def reducer_override(self, value: Any) -> Any:
        if type(value).__module__.startswith("onegraph.") and is_tensor(value):
            return to_tensor, (array_of(value),)
        return NotImplemented


def send(connection: Connection, message: Any) -> None:
    """Send any message that pickles; raises what pickling raises before anything was sent."""
    taken_out: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _BatchPickler(stream, protocol=5, buffer_callback=taken_out.append).dump(message)
    buffers = [buffer.raw() for buffer in taken_out]
    sizes = [buffer.nbytes for buffer in buffers]
    if not (_HAS_MEMORY_FILES and sum(sizes) >= SHARED_FROM_BYTES):
        inline = [buffer.tobytes() for buffer in buffers]
        connection.send_bytes(pickle.dumps((stream.getvalue(), inline, None), protocol=5))
        return
    descriptor = os.memfd_create("onegraph-batch")
    try:
        for buffer, offset in zip(buffers, _offsets(sizes), strict=True):
            _write_all(descriptor, buffer, offset)
        os.ftruncate(descriptor, _offsets([*sizes, 0])[-1])
        connection.send_bytes(pickle.dumps((stream.getvalue(), None, sizes), protocol=5))
        reduction.send_handle(connection, descriptor, None)
    finally:
        os.close(descriptor)


def receive(connection: Connection) -> Any:
    """The next message; its large arrays are views of shared memory that this process may write."""
    body, inline, sizes = pickle.loads(connection.recv_bytes())
    if sizes is None:
        # A bytearray, because an array over bytes would be read-only.
        return pickle.loads(body, buffers=[bytearray(data) for data in inline])
    descriptor = reduction.recv_handle(connection)
    try:
        memory = memoryview(mmap.mmap(descriptor, 0))
    finally:
        os.close(descriptor)
    places = zip(_offsets(sizes), sizes, strict=True)
    return pickle.loads(body, buffers=[memory[start : start + size] for start, size in places])


def _offsets(sizes: list[int]) -> list[int]:
    """Aligned places for buffers of these sizes, one after another."""
    offsets, end = [], 0
    for size in sizes:
        offsets.append(end)
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets


def _write_all(descriptor: int, buffer: memoryview, offset: int) -> None:
    while buffer.nbytes:
        written = os.pwrite(descriptor, buffer, offset)
        buffer, offset = buffer[written:], offset + written
