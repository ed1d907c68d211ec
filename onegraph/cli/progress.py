"""What training shows while it runs: a bar in a terminal; in a log file one line an epoch, and now and then one between.

Read next: `trainer.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click
from tqdm import tqdm

_LOG_SECONDS = 30.0
"""Without a terminal, a line at most this often within an epoch."""


def duration(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> duration(61), duration(3723.4)
    ('1:01', '1:02:03')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Shows one epoch.

    Args:
        epoch, epochs: number of this one, from 1, and of all.
        images: in this epoch.
        done: images that were done before a resume.
        quiet: show nothing.
        clock: gives seconds.
        terminal: whether to draw a bar; by default if stderr is a terminal.
    """

    def __init__(
        self,
        epoch: int,
        epochs: int,
        images: int,
        done: int = 0,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        terminal: bool | None = None,
    ) -> None:
        terminal = sys.stderr.isatty() if terminal is None else terminal
        self.name, self.epochs_left = f"epoch {epoch:>{len(str(epochs))}}/{epochs}", epochs - epoch
        self.images, self.done, self.started_at = images, done, done
        self._clock = clock
        self._started = self._said = clock()
        self._lines = not quiet and not terminal
        self._bar = tqdm(
            total=images,
            initial=done,
            desc=self.name,
            unit=" images",
            leave=False,
            dynamic_ncols=True,
            disable=quiet or not terminal,
        )

    def update(self, images: int, loss: float, accuracy: float) -> None:
        """A batch was done; loss and accuracy are those of the epoch so far."""
        self.done += images
        if not self._bar.disable:
            self._bar.set_postfix_str(f"loss {loss:.4f}, accuracy {accuracy:.1%}, all epochs {self.time_left()}", False)
            self._bar.update(images)
        elif self._lines and self._clock() - self._said >= _LOG_SECONDS:
            self._said = self._clock()
            click.echo(
                f"{self.name}  {self.done}/{self.images} images  loss {loss:.4f}  accuracy {accuracy:.1%}"
                f"  {self.rate():,.0f} images/s  left {self.time_left()}"
            )

    def rate(self) -> float:
        """Images a second in this epoch."""
        return (self.done - self.started_at) / max(self._clock() - self._started, 1e-9)

    def time_left(self) -> str:
        """For this and all later epochs, at the present rate."""
        images = self.images - self.done + self.epochs_left * self.images
        return duration(images / self.rate()) if self.done > self.started_at else "?"

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
