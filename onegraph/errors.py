"""Every error that a user can cause. Each names what failed, the rule, the user's own line and, where one is likely, a fix.

Read next: `ir/source.py` finds the user's line.
"""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).resolve().parent)
# Written as a user writes: their lines are what explains a graph or an error to someone who uses them.
_WRITTEN_LIKE_USERS = tuple(os.path.join(_PACKAGE, name) + os.sep for name in ("zoo", "cli"))
_ZOO = _WRITTEN_LIKE_USERS[0]
_internal: dict[str, bool] = {}  # file -> does it belong to onegraph itself?


def is_internal(filename: str) -> bool:
    """Whether a file belongs to onegraph itself rather than to the user's program."""
    known = _internal.get(filename)
    if known is None:
        inside = filename.startswith((_PACKAGE + os.sep, "<frozen", "<onegraph"))
        if filename.startswith(_WRITTEN_LIKE_USERS) and not filename.endswith("__init__.py"):
            inside = False
        known = _internal[filename] = inside or os.path.basename(filename) in ("contextlib.py", "functools.py")
    return known


def user_location() -> tuple[str, int] | None:
    """File and line of the innermost frame that is not ours, or None."""
    return _location_outside("")


def _location_outside(folder: str) -> tuple[str, int] | None:
    """File and line of the innermost frame that is neither ours nor in a folder (no folder: an empty string)."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_internal(filename) and not (folder and filename.startswith(folder)):
            return filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


def describe_location(location: tuple[str, int] | None) -> str:
    """`train.py:12  h = x @ w1`, with a short file name; empty when the location is unknown."""
    if location is None:
        return ""
    filename, line = location
    text = linecache.getline(filename, line).strip()
    return f"{Path(filename).name}:{line}" + (f"  {text}" if text else "")


def _raised_in(frame: FrameType) -> str:
    """The folder of a network that raises an error itself: then the line that called it is to blame, not its own."""
    return _ZOO if frame.f_code.co_filename.startswith(_ZOO) else ""


class OneGraphError(RuntimeError):
    """Base of all errors that onegraph raises on purpose.

    Args:
        message: what went wrong, with shapes, dtypes and the rule.
        hint: a likely fix, shown on its own line.
        location: (file, line) to blame; found from the call stack when not given.
    """

    layer: str | None = None
    """The layer it was raised in, e.g. `Net.fc.1 (Linear)`; empty where the message names it, None outside of layers."""

    def __init__(self, message: str = "", *, hint: str | None = None, location: tuple[str, int] | None = None) -> None:
        self.message = message
        self.hint = hint
        self.location = location if location is not None else _location_outside(_raised_in(sys._getframe(1)))
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message]
        if self.layer:
            lines.append(f"  in layer {self.layer}")
        where = describe_location(self.location)
        if where:
            lines.append(f"  at {where}")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class ShapeError(OneGraphError, ValueError):
    """Shapes that do not fit the rule of an op."""


class DimensionError(ShapeError, IndexError):
    """A dimension that a shape does not have, or that has no elements where some are needed."""


class DTypeError(OneGraphError, TypeError):
    """Element types that an op cannot take."""


class ArgumentError(OneGraphError, ValueError):
    """An argument with a value outside what the function accepts."""


class ArgumentTypeError(OneGraphError, TypeError):
    """An argument of a kind that the function does not take."""


class OutOfRangeError(OneGraphError, IndexError):
    """An index or a dimension outside the valid range."""


class GradientError(OneGraphError):
    """A gradient was asked for that does not exist."""


class GraphError(OneGraphError, ValueError):
    """A graph that breaks a rule of the IR, or a text that does not parse as one."""


class TraceError(OneGraphError, TypeError):
    """Python asked for a value while a function was traced, when there is none yet."""


class FeedError(OneGraphError, ValueError):
    """A Session or a saved model was run with missing, unknown or misshapen inputs."""


class UninitializedError(OneGraphError):
    """A variable was read before it was given a value."""


class StateError(OneGraphError):
    """Saved state (state_dict, checkpoint, model) that does not fit what it is loaded into."""


class StorageError(OneGraphError, OSError):
    """A file that cannot be written, or that is missing, truncated, corrupt or unsafe."""


class UnsafeFileError(StorageError):
    """A file that asks for code to be run, or for a name that is no part of weights. Nothing was run."""


class ExternalDataError(StorageError):
    """Data that an ONNX model keeps in a file beside itself, and that is unsafe, missing or does not fit."""

    tensor: str = ""
    """The tensor whose data it is."""
    file: str = ""
    """The location, as the model gives it."""
    rule: str = ""
    """What was broken."""


class DownloadError(StorageError):
    """A file that cannot be had from the network; names the address, and where to put the file by hand."""


class DataError(OneGraphError, ValueError):
    """Input data that cannot be read or does not fit the model."""


class NotFiniteError(OneGraphError, ArithmeticError):
    """A NaN or an infinity where training cannot go on."""


class DivisionError(OneGraphError, ZeroDivisionError):
    """An integer was divided by zero while a graph ran."""


class OutOfMemoryError(OneGraphError, MemoryError):
    """There is no memory for a result."""


class CompileError(OneGraphError):
    """A mistake inside the compiler: it made code that does not compile. Names the kernel."""


class DeviceError(OneGraphError):
    """A device that this machine, or this build, does not have."""


class UnsupportedError(OneGraphError, NotImplementedError):
    """A feature that onegraph leaves out on purpose; the message says why and what to do instead."""
