"""NumPy's matrix library on one thread. Small matrices gain nothing from more, lose much when another program keeps a core
busy, and a sum split by the number of cores would give other bits on another machine.

Read next: `main.py`, which calls it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np

_NAMES = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads64_")


def use_one_thread() -> bool:
    """Ask the OpenBLAS in NumPy's wheel to use one thread, unless the user set OPENBLAS_NUM_THREADS.

    Returns:
        Whether it was found; NumPy may be built on another library.
    """
    if "OPENBLAS_NUM_THREADS" in os.environ:
        return False
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))  # loaded already: this only finds it
            except OSError:
                continue
            for name in _NAMES:
                if hasattr(library, name):
                    getattr(library, name)(1)
                    return True
    return False
