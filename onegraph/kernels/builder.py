"""From kernels to addresses: what this process has loaded, else what the disk has, else compile, in parallel if many.

LLVM's Python binding holds one lock, so threads would not help: when many kernels are missing, processes compile them
(`worker.py`), this one among them. Read next: `cache.py`, `compile.py`.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

from onegraph.config import available_cores
from onegraph.errors import CompileError
from onegraph.kernels.cache import disk_cache
from onegraph.kernels.compile import compile_text, load
from onegraph.kernels.kernel import ENTRY, Kernel
from onegraph.kernels.target import Target, host
from onegraph.kernels.worker import receive, send

_MANY = 24  # missing kernels from which on other processes help
_loaded: dict[str, int] = {}
_lock = threading.RLock()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@functools.cache
def _context(target: Target) -> bytes:
    """What else decides the machine code: the target, and the versions of the compilers."""
    versions = [importlib.metadata.version("llvmlite"), _own_version()]
    return "\n".join([repr(target), *versions]).encode()


def _own_version() -> str:
    """The compiler's own options count: they are in that file."""
    path = compile_text.__code__.co_filename
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return importlib.metadata.version("onegraph")


def content_name(text: str, target: Target) -> str:
    """The name of a kernel with this text: the same text for the same target always has the same."""
    return "k" + hashlib.sha256(_context(target) + b"\0" + text.encode()).hexdigest()[:40]


def build(kernels: Sequence[Kernel], target: Target | None = None) -> list[int]:
    """Addresses of the kernels' functions, in their order. Equal texts are compiled once, ever.

    >>> text = "define void @KERNEL(ptr %b, i64 %f, i64 %l, ptr %s, ptr %t) {\\n  ret void\\n}\\n"
    >>> first, second = build([Kernel("a", text, tasks=1), Kernel("b", text, tasks=2)])
    >>> first == second
    True
    """
    target = target or host()
    names = [content_name(k.text, target) for k in kernels]
    with _lock:
        missing = {n: k.text for n, k in zip(names, kernels, strict=True) if n not in _loaded}
        if missing:
            texts = {n: text.replace(f"@{ENTRY}(", f"@{n}(") for n, text in missing.items()}
            try:
                objects = build_objects(texts, target)
            except CompileError as error:
                label = next((k.name for n, k in zip(names, kernels, strict=True) if n in str(error)), "")
                raise CompileError(f"kernel {label}: {error}") from None
            for name, code in objects.items():
                (_loaded[name],) = load(code, name)
        return [_loaded[n] for n in names]


def build_objects(texts: dict[str, str], target: Target | None = None) -> dict[str, bytes]:
    """Object files of LLVM texts by name, from the disk cache or compiled now."""
    target = target or host()
    cache = disk_cache()
    objects: dict[str, bytes] = {}
    missing = []
    for name, text in texts.items():
        code = None if cache is None else cache.get(name)
        if code is None:
            missing.append((name, text))
        else:
            objects[name] = code
    for name, code in _compile_all(missing, target).items():
        objects[name] = code
        if cache is not None:
            cache.put(name, code)
    return objects


def _compile_all(missing: list[tuple[str, str]], target: Target) -> dict[str, bytes]:
    # Long ones first: the last one to be compiled should be short.
    queue = collections.deque(sorted(missing, key=lambda item: -len(item[1])))
    done: dict[str, bytes] = {}
    helpers = []
    if len(missing) >= _MANY:
        helpers = [_Helper(queue, done, target) for _ in range(min(available_cores() - 1, len(missing) // 8))]
    try:
        while True:
            while queue:
                try:
                    name, text = queue.popleft()
                except IndexError:  # a helper was quicker
                    break
                try:
                    done[name] = compile_text(text, target)
                except RuntimeError as error:
                    raise CompileError(f"{name}: LLVM: {error}") from None
            for helper in helpers:
                helper.join()
            if not queue:
                return done
    finally:
        queue.clear()
        for helper in helpers:
            helper.stop()


class _Helper(threading.Thread):
    """Feeds one worker process from the queue. If it dies, its kernel goes back into the queue."""

    def __init__(self, queue: collections.deque[tuple[str, str]], done: dict[str, bytes], target: Target) -> None:
        super().__init__(daemon=True)
        self.queue, self.done, self.target = queue, done, target
        worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", worker],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the keyboard is for the parent, which stops it
            )
        except OSError:  # no more processes: the others do it all
            return
        self.start()

    def run(self) -> None:
        """Send texts, receive objects."""
        assert self.process is not None
        sink, source = cast(BinaryIO, self.process.stdin), cast(BinaryIO, self.process.stdout)
        item: tuple[str, str] | None = None
        try:
            send(sink, list(sys.path))
            send(sink, self.target)
            while self.queue:
                try:
                    item = self.queue.popleft()
                except IndexError:
                    break
                send(sink, item[1])
                code = receive(source)
                if code is None:
                    break
                self.done[item[0]] = code
                item = None
        except (EOFError, OSError, ValueError):
            pass
        if item is not None:
            self.queue.append(item)

    def stop(self) -> None:
        """End the process."""
        if self.process is None:
            return
        self.process.kill()
        if self.ident is not None:
            self.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent yet
                    stream.close()
        self.process.wait()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has nothing more to do."""
        if self.ident is not None:
            super().join(timeout)
