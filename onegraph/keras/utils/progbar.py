"""`Progbar`: a line that shows how far a loop is. It moves in terminals and notebooks; elsewhere one line is printed at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any


def moves() -> bool:
    """Whether the output can go back to the beginning of a line: a terminal or a notebook."""
    out = sys.stdout
    return bool(getattr(out, "isatty", bool)()) or type(out).__module__.startswith("ipykernel")


def _pieces() -> tuple[str, str]:
    """What done and left parts of the bar are drawn with, in characters that the output has."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "━".encode(encoding)
    except (UnicodeError, LookupError):
        return "=", "."
    return "━", "─"


def duration(seconds: float) -> str:
    """Seconds in a few characters: 7s, 3:05, 2:00:10.

    >>> duration(7.2), duration(185), duration(7210)
    ('7s', '3:05', '2:00:10')
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def pace(seconds: float, unit: str = "step") -> str:
    """The time of one step: 3s/step, 12ms/step, 80us/step."""
    if seconds >= 1:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def shown(name: str, value: Any) -> str:
    """A number as logs show it."""
    if not isinstance(value, (int, float)):
        return f" - {name}: {value}"
    return f" - {name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f" - {name}: {value:.4e}"


class Progbar:
    """Shows the progress of a loop.

    Args:
        target: how many steps there are; None if that is not known.
        width: of the bar.
        verbose: 0 for nothing, 1 for a bar, 2 for one line at the end.
        interval: the least time between two drawings, in seconds.
        stateful_metrics: names of values that are shown as they are; others are averaged over the steps.
        unit_name: what a step is called.

    >>> bar = Progbar(2, verbose=2)
    >>> bar.update(1, [("loss", 1.0)])
    >>> bar.update(2, [("loss", 3.0)])  # doctest: +ELLIPSIS
    2/2 - 0s - ... - loss: 2.0000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen_so_far = 0
        self._values: dict[str, list[float]] = {}
        self._start = time.perf_counter()
        self._drawn = float("-inf")
        self._length = 0
        self._finished = False
        self._moves = moves()

    def update(self, current: int, values: Any = None, finalize: bool | None = None, force: bool = False) -> None:
        """Go to a step.

        Args:
            current: how many steps are done.
            values: pairs of name and value to show.
            finalize: whether it is the last one; found from the target if None.
        """
        for name, value in values or []:
            if name in self.stateful_metrics or not isinstance(value, (int, float)):
                self._values[name] = [value, 1]
            else:
                total, count = self._values.get(name, [0.0, 0])
                steps = max(current - self.seen_so_far, 1)
                self._values[name] = [total + value * steps, count + steps]
        self.seen_so_far = current
        done = current >= self.target if finalize is None and self.target is not None else bool(finalize)
        if self._finished or not self.verbose:
            return
        now = time.perf_counter()
        if self.verbose == 1 and self._moves and (done or now - self._drawn >= self.interval):
            self._drawn = now
            self._draw(done)
        elif done:
            print(self._summary(), flush=True)
        self._finished = done

    def add(self, n: int, values: Any = None) -> None:
        """Go so many steps on."""
        self.update(self.seen_so_far + n, values)

    def _text(self) -> str:
        return "".join(
            shown(k, total / max(count, 1) if isinstance(total, (int, float)) else total)
            for k, (total, count) in self._values.items()
        )

    def _times(self, done: bool) -> tuple[float, float]:
        elapsed = time.perf_counter() - self._start
        step = elapsed / max(self.seen_so_far, 1)
        left = elapsed if done or self.target is None else step * (self.target - self.seen_so_far)
        return left, step

    def _bar(self) -> str:
        full, empty = _pieces()
        if not self.target:
            return ""
        share = min(self.seen_so_far / self.target, 1.0)
        filled = int(self.width * share)
        return full * filled + empty * (self.width - filled)

    def _count(self) -> str:
        if self.target is None:
            return f"{self.seen_so_far}/Unknown"
        return f"{self.seen_so_far:>{len(str(self.target))}}/{self.target}"

    def _line(self, done: bool) -> str:
        left, step = self._times(done)
        return f"{self._count()} {self._bar()} {duration(left)} {pace(step, self.unit_name)}{self._text()}"

    def _draw(self, done: bool) -> None:
        line = self._line(done)
        padding = " " * max(self._length - len(line), 0)
        self._length = len(line)
        sys.stdout.write(f"\r{line}{padding}" + ("\n" if done else ""))
        sys.stdout.flush()

    def _summary(self) -> str:
        if self.verbose == 1:
            return self._line(True)
        elapsed, step = self._times(True)
        return f"{self._count()} - {duration(elapsed)} - {pace(step, self.unit_name)}{self._text()}"

    def close(self) -> None:
        """End a line that was left in the middle."""
        if self._length and not self._finished:
            sys.stdout.write("\n")
            self._finished = True
