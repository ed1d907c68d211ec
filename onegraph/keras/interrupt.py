"""Ctrl-C during training: a step that has begun is finished first, so that weights are those of a whole step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class WholeSteps:
    """Within this context, a KeyboardInterrupt comes between steps. A second Ctrl-C interrupts at once.

    with WholeSteps() as steps:
        for batch in batches:
            with steps.step():
                ...
    """

    def __init__(self) -> None:
        self._inside = False
        self._pending = False
        self._before: Any = None

    def __enter__(self) -> WholeSteps:
        # Only Python's own handler is replaced, and handlers can be set in the main thread only.
        ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if ours:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._inside and not self._pending:
            self._pending = True
            return
        self._pending = False
        raise KeyboardInterrupt

    def step(self) -> _Step:
        """One step, which is not interrupted."""
        return _Step(self)


class _Step:
    def __init__(self, owner: WholeSteps) -> None:
        self.owner = owner

    def __enter__(self) -> None:
        self.owner._inside = True

    def __exit__(self, kind: Any, *exception: object) -> None:
        self.owner._inside = False
        if self.owner._pending:
            self.owner._pending = False
            if kind is None:
                raise KeyboardInterrupt
