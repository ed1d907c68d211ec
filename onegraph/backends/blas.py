"""NumPy's matrix library on one thread while a plan runs: a sum split by the number of cores would give other bits on
another machine, and small matrices gain nothing from more threads.

Read next: `reference.py`, which uses it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_SUFFIXES = ("64_", "")
_PREFIXES = ("scipy_openblas", "openblas")


def find_openblas() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Functions that read and set the number of threads of the OpenBLAS in NumPy's wheel; None for another library."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))  # loaded already: this only finds it
            except OSError:
                continue
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    name = f"{prefix}_set_num_threads{suffix}"
                    if hasattr(library, name):
                        return getattr(library, f"{prefix}_get_num_threads{suffix}"), getattr(library, name)
    return None


class OneThread:
    """A context in which matrix products use one thread; the user's setting is back when the last one ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before = 1
        self._functions: Any = ()  # looked for when it is first needed

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                if self._functions == ():
                    self._functions = find_openblas()
                if self._functions is not None:
                    read, write = self._functions
                    self._before = read()
                    write(1)

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._functions is not None:
                self._functions[1](self._before)


one_thread = OneThread()
